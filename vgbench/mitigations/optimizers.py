"""Optimizers: from (transformed) gradients and a learning rate to updates."""

from typing import Annotated

import optax
from jax import Array
from pydantic import Field

from vgbench.registry import OPTIMIZERS

Fraction = Annotated[float, Field(ge=0, lt=1)]


@OPTIMIZERS.register(source="Robbins & Monro 1951; Polyak 1964", scope="element")
def sgd(rate: float | Array, *, momentum: Fraction = 0.9, nesterov: bool = False) -> optax.GradientTransformation:
    """Stochastic gradient descent with momentum (0 for none)."""
    return optax.sgd(rate, momentum=momentum or None, nesterov=nesterov)


@OPTIMIZERS.register(source="Kingma & Ba 2015", scope="element")
def adam(
    rate: float | Array, *, b1: Fraction = 0.9, b2: Fraction = 0.999, eps: Annotated[float, Field(gt=0)] = 1e-8
) -> optax.GradientTransformation:
    """Adam: nearly invariant to the gradient's scale, down to `eps`."""
    return optax.adam(rate, b1=b1, b2=b2, eps=eps)
