"""The inputs of a layer's activations: their moments, and the share that lies where the activation is flat."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vgbench.instruments.probe import wide
from vgbench.spec.case import Case
from vgbench.spec.registry import ACTIVATIONS

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
    """The case's activation as a function."""
    return partial(ACTIVATIONS.build, case.activation)


def describe(given: Sequence[Array], dtype: Any, activation: Activation) -> Preactivation:
    """Describe the inputs of the activations of one layer, in a network of `dtype`."""
    if not given:
        return Preactivation(*jnp.full(len(Preactivation._fields), jnp.nan, jnp.promote_types(dtype, jnp.float32)))
    z = wide(jnp.concatenate([each.reshape(len(each), -1) for each in given], axis=1))
    slope = jnp.abs(jax.jvp(activation, (z,), (jnp.ones_like(z),))[1])
    saturated = slope < SATURATED_BELOW * _steepest(activation)
    known = jnp.where(jnp.isfinite(slope).all(), 1, jnp.nan)  # a comparison with NaN would count as not saturated
    shares = saturated.mean() * known, saturated.all(axis=0).mean() * known
    return Preactivation(z.mean(), z.var(), slope.mean(), *shares)


def _steepest(activation: Activation) -> float:
    z = np.linspace(-20, 20, 4001)
    with jax.ensure_compile_time_eval():
        return float(jnp.abs(jax.jvp(activation, (z,), (np.ones_like(z),))[1]).max())
