"""How the compiler is set: in a hurry for small programs that run a few times, where compiling takes longer."""

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp

from vgbench.measure.numerics import platform

OPERATIONS = 1_500_000_000
"""Floating-point operations of a program's run up to which it is compiled in a hurry. Profiles then compile in a third
of the time and run five times as long; three runs of more operations than these would take longer than that saves."""
A_DRAW = 1000
"""Operations that drawing a weight counts as."""

_CARE = {"xla_cpu_copy_insertion_use_region_analysis": True}
"""Which values may share memory is looked at more closely: weights in a loop of steps are otherwise copied at each."""
_HURRY = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}


def compiler_options(operations: int) -> dict[str, Any] | None:
    """Options for a program that takes so many operations a run and runs a few times; None for XLA's own.

    They depend on one run alone, not on how many there are, so that a seed's numbers are the same to the last bit
    whichever seeds are measured beside it. Other platforms than CPUs always get XLA's own.
    """
    if platform() != "cpu":
        return None
    chosen = _HURRY if operations <= OPERATIONS else _CARE
    return {name: value for name, value in chosen.items() if _known(name, value)}


@lru_cache(maxsize=8)
def _known(name: str, value: int | bool) -> bool:
    """Whether this version of XLA has the option."""
    try:
        jax.jit(jnp.negative, compiler_options={name: value}).lower(0.0).compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True
