"""The numeric settings that a case is traced under, and the cores that it runs on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import jax
import jax.numpy as jnp

from vgbench.errors import InputError


@contextmanager
def numerics(dtype: str, matmul_precision: str) -> Iterator[None]:
    """Trace with float64 switched on where `dtype` asks for it, and with this matmul precision.

    Raises:
        InputError: the default device has no such dtype.
    """
    if dtype == "float64":
        check_dtype(dtype, platform())
    precision = None if matmul_precision == "default" else matmul_precision
    with jax.enable_x64(dtype == "float64"), jax.default_matmul_precision(precision):
        yield


def platform() -> str:
    """The platform of the default device: cpu, gpu or tpu; also while a program is traced."""
    with jax.ensure_compile_time_eval():
        (device,) = jnp.zeros(()).devices()
    return device.platform


def check_dtype(dtype: str, platform: str) -> None:
    """Refuse a dtype that the compiler of a platform (cpu, gpu or tpu) cannot serve.

    XLA emulates some operations on 64 bits on a TPU; among those that it does not is reading a number's exponent, which
    every exact norm needs (jax-ml/jax#30629).

    Raises:
        InputError: it cannot.
    """
    if (dtype, platform) == ("float64", "tpu"):
        raise InputError("dtype: a TPU does not compute in float64; choose float32, or measure on a CPU or a GPU")


def usable_cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
