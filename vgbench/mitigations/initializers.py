"""Initialisers of weight matrices; `gain` multiplies the standard deviation."""

from typing import Annotated

import jax
from jax.nn.initializers import Initializer
from pydantic import Field

from vgbench.registry import INITIALIZERS

Gain = Annotated[float, Field(gt=0)]


@INITIALIZERS.register(source="Glorot & Bengio 2010")
def glorot_normal(*, gain: Gain = 1.0) -> Initializer:
    """Normal with variance gain^2 * 2 / (fan_in + fan_out), truncated at two standard deviations."""
    return jax.nn.initializers.variance_scaling(gain**2, "fan_avg", "truncated_normal")


@INITIALIZERS.register(source="LeCun, Bottou, Orr & Mueller 1998; Flax's default")
def lecun_normal(*, gain: Gain = 1.0) -> Initializer:
    """Normal with variance gain^2 / fan_in, truncated at two standard deviations."""
    return jax.nn.initializers.variance_scaling(gain**2, "fan_in", "truncated_normal")


@INITIALIZERS.register(source="He, Zhang, Ren & Sun 2015")
def he_normal(*, gain: Gain = 1.0) -> Initializer:
    """Normal with variance gain^2 * 2 / fan_in, truncated at two standard deviations; keeps ReLU's second moment."""
    return jax.nn.initializers.variance_scaling(2 * gain**2, "fan_in", "truncated_normal")
