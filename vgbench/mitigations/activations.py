"""Activations: elementwise functions of the pre-activation."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vgbench.registry import ACTIVATIONS

Values = Float[Array, "..."]


@ACTIVATIONS.register(source="Rumelhart, Hinton & Williams 1986")
def sigmoid(z: Values) -> Values:
    """Logistic function 1 / (1 + exp(-z)); its derivative never exceeds 1/4."""
    return jax.nn.sigmoid(z)


@ACTIVATIONS.register(source="LeCun, Bottou, Orr & Mueller 1998")
def tanh(z: Values) -> Values:
    """Hyperbolic tangent; derivative 1 at zero, saturating on both sides."""
    return jnp.tanh(z)


@ACTIVATIONS.register(source="Nair & Hinton 2010")
def relu(z: Values) -> Values:
    """Rectified linear unit max(z, 0), with derivative 0 at zero."""
    return jax.nn.relu(z)
