"""Checks array shapes and dtypes in every call: jaxtyping annotations are enforced by beartype in the tests."""

import os

os.environ["JAX_PLATFORMS"] = "cpu"

from jaxtyping import install_import_hook

install_import_hook("vgbench", "beartype.beartype")

from hypothesis import settings

settings.register_profile("vgbench", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("vgbench")
