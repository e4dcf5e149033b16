"""The inputs of a layer's activations: their moments, and the share that lies where the activation is flat."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vgbench.instruments.probe import wide
from vgbench.spec.case import Case
from vgbench.spec.registry import ACTIVATIONS, Choice

Activation = Callable[[Array], Array]

SATURATED_BELOW = 0.05
"""A unit is saturated where its activation's slope is below this share of the steepest."""


class Preactivation(NamedTuple):
    """The pre-activations of a layer over a batch; all NaN where a layer has no activation.

    Where a signal has places, pixels or tokens, there is a unit for each feature at each place.

    Attributes:
        mean: of z over units and examples.
        variance: the same.
        slope: mean of |phi'(z)|.
        saturated: share of units and examples where |phi'(z)| is below 5 % of its largest value anywhere.
        dead: share of units that are so for every example.
    """

    mean: Float[Array, "*layers"]
    variance: Float[Array, "*layers"]
    slope: Float[Array, "*layers"]
    saturated: Float[Array, "*layers"]
    dead: Float[Array, "*layers"]


def activation_of(case: Case) -> Activation:
    """The case's activation as a function, the same one for all cases that agree in it."""
    return _built(case.activation)  # pyright: ignore[reportArgumentType]


@lru_cache(maxsize=64)
def _built(choice: Choice) -> Activation:
    return partial(ACTIVATIONS.build, choice)


def describe(
    given: Sequence[Float[Array, "layers batch ..."]], layers: int, dtype: Any, activation: Activation
) -> Preactivation:
    """Describe the inputs of the activations of some layers, all at once, in a network of `dtype`."""
    if not given:
        nothing = jnp.full(layers, jnp.nan, jnp.promote_types(dtype, jnp.float32))
        return Preactivation(*[nothing] * len(Preactivation._fields))
    flat = [each.reshape(*each.shape[:2], -1) for each in given]
    z = jax.lax.stop_gradient(wide(flat[0] if len(flat) == 1 else jnp.concatenate(flat, axis=2)))
    slope = jnp.abs(jax.jvp(activation, (z,), (jnp.ones_like(z),))[1])
    saturated = (slope < SATURATED_BELOW * _steepest(activation)).astype(z.dtype)
    mean = z.mean(axis=(1, 2))
    variance = jnp.square(z - mean[:, None, None]).mean(axis=(1, 2))
    by_unit, steepness = saturated.mean(axis=1), slope.mean(axis=(1, 2))
    dead = (by_unit == 1).astype(z.dtype).mean(axis=1)
    known = jnp.where(jnp.isfinite(steepness), 1, jnp.nan)  # a comparison with NaN would count as not saturated
    return Preactivation(mean, variance, steepness, by_unit.mean(axis=1) * known, dead * known)


@lru_cache(maxsize=64)
def _steepest(activation: Activation) -> float:
    """The largest slope, from one small program for each activation rather than four for each trace."""
    z = np.linspace(-20, 20, 4001, dtype=np.float32)
    with jax.ensure_compile_time_eval():
        return float(jax.jit(lambda z: jnp.abs(jax.jvp(activation, (z,), (jnp.ones_like(z),))[1]).max())(z))
