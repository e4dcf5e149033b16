"""Checks array shapes and dtypes in every call: jaxtyping annotations are enforced by beartype in the tests."""

import gc
import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

os.environ["JAX_PLATFORMS"] = "cpu"

from jaxtyping import install_import_hook

install_import_hook("vgbench", "beartype.beartype")

import pytest
from hypothesis import settings

from vgbench.spec.registry import REGISTRIES

QUICK_TO_COMPILE = "--xla_backend_optimization_level=0 --xla_cpu_parallel_codegen_split_count=1"
"""Flags of XLA for the fast tier, which is bound by compilation: half the CPU time of compiling with the defaults.

They leave out LLVM's optimisations and the division of each program into many LLVM modules.
"""
WITHOUT_EMITTERS = "--xla_cpu_use_fusion_emitters=false"
"""Leaves out the emitters that lower fusions through MLIR, for versions of jaxlib that know the flag: XLA ends a
process whose environment has one that it does not know."""

MOST_MEMORY = 1.6e9
"""Bytes that a process of the tests may hold before it frees its compiled programs, of some megabytes each."""

STATM = Path("/proc/self/statm")
"""Where Linux says how many pages a process holds."""


def pytest_configure(config: pytest.Config) -> None:
    # Compiled programs are shared between test processes, and with the next run of the tests.
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(config.rootpath / ".pytest_cache" / "jax"))
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
    if config.option.markexpr != "slow":
        known = tuple(map(int, version("jaxlib").split(".")[:2])) < (0, 11)
        flags = f"{QUICK_TO_COMPILE} {WITHOUT_EMITTERS}" if known else QUICK_TO_COMPILE
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}"


def pytest_collection_finish() -> None:
    gc.freeze()  # modules and tests stay to the end: looking for garbage among them took 4 % of the time


def pytest_runtest_logfinish() -> None:
    if STATM.exists() and int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") > MOST_MEMORY:
        from vgbench.measure import shared  # not earlier: jax reads the environment that `pytest_configure` sets

        shared.forget()


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
