"""Checks array shapes and dtypes in every call: jaxtyping annotations are enforced by beartype in the tests."""

import os
from collections.abc import Iterator

os.environ["JAX_PLATFORMS"] = "cpu"

from jaxtyping import install_import_hook

install_import_hook("vgbench", "beartype.beartype")

import pytest
from hypothesis import settings

from vgbench.spec.registry import REGISTRIES


def pytest_configure(config: pytest.Config) -> None:
    # Compiled programs are shared between test processes, and with the next run of the tests.
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(config.rootpath / ".pytest_cache" / "jax"))
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
    # The fast tier is bound by compilation: without LLVM's optimisations it takes two thirds of the time.
    if config.option.markexpr != "slow":
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0"


settings.register_profile("vgbench", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("vgbench")


@pytest.fixture
def scratch_registries() -> Iterator[None]:
    """Members can be registered, and are gone afterwards."""
    before = {slot: {member.name: member for member in registry} for slot, registry in REGISTRIES.items()}
    yield
    for slot, registry in REGISTRIES.items():
        registry._members.clear()
        registry._members.update(before[slot])
