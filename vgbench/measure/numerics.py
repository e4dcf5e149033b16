"""The numeric settings that a case is traced under, and the cores that it runs on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import jax


@contextmanager
def numerics(dtype: str, matmul_precision: str) -> Iterator[None]:
    """Trace with float64 switched on where `dtype` asks for it, and with this matmul precision."""
    precision = None if matmul_precision == "default" else matmul_precision
    with jax.enable_x64(dtype == "float64"), jax.default_matmul_precision(precision):
        yield


def usable_cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
