"""Activations: elementwise functions of the pre-activation."""

from typing import Annotated

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from pydantic import Field

from vgbench.spec.registry import ACTIVATIONS, Positive

Values = Float[Array, "..."]


@ACTIVATIONS.register(source="Saxe, McClelland & Ganguli 2014")
def linear(z: Values) -> Values:
    """Identity: a deep linear network, whose gradient decays by its weights alone."""
    return z


@ACTIVATIONS.register(source="Rumelhart, Hinton & Williams 1986")
def sigmoid(z: Values) -> Values:
    """Logistic function 1 / (1 + exp(-z)); its derivative never exceeds 1/4."""
    return jax.nn.sigmoid(z)


@ACTIVATIONS.register(source="LeCun, Bottou, Orr & Mueller 1998")
def tanh(z: Values) -> Values:
    """Hyperbolic tangent; derivative 1 at zero, saturating on both sides."""
    return jnp.tanh(z)


@ACTIVATIONS.register(source="Collobert 2004")
def hard_tanh(z: Values) -> Values:
    """Identity clipped to [-1, 1]; its derivative is exactly 0 beyond."""
    return jax.nn.hard_tanh(z)


@ACTIVATIONS.register(source="Bergstra, Desjardins, Lamblin & Bengio 2009")
def softsign(z: Values) -> Values:
    """The ratio z / (1 + |z|): saturates more slowly than tanh."""
    return jax.nn.soft_sign(z)


@ACTIVATIONS.register(source="Dugas, Bengio, Belisle, Nadeau & Garcia 2001")
def softplus(z: Values) -> Values:
    """log(1 + exp(z)): a smooth ReLU that is never 0."""
    return jax.nn.softplus(z)


@ACTIVATIONS.register(source="Williams 1998")
def erf(z: Values) -> Values:
    """Error function: sigmoidal, with mean-field integrals in closed form."""
    return jax.lax.erf(z)


@ACTIVATIONS.register(source="Nair & Hinton 2010")
def relu(z: Values) -> Values:
    """Rectified linear unit max(z, 0), with derivative 0 at zero."""
    return jax.nn.relu(z)


@ACTIVATIONS.register(source="So, Mańke, Liu, Dai, Shazeer & Le 2021")
def squared_relu(z: Values) -> Values:
    """The square of ReLU, max(z, 0)^2, whose slope grows with z: for feed-forward parts behind a norm."""
    return jnp.square(jax.nn.relu(z))


@ACTIVATIONS.register(source="Maas, Hannun & Ng 2013")
def leaky_relu(z: Values, *, negative_slope: Annotated[float, Field(ge=0)] = 0.01) -> Values:
    """ReLU with a small slope below zero, so that no unit dies."""
    return jax.nn.leaky_relu(z, negative_slope)


@ACTIVATIONS.register(source="Clevert, Unterthiner & Hochreiter 2016")
def elu(z: Values, *, alpha: Positive = 1.0) -> Values:
    """Exponential linear unit: z above zero, alpha (exp(z) - 1) below."""
    return jax.nn.elu(z, alpha)


@ACTIVATIONS.register(source="Klambauer, Unterthiner, Mayr & Hochreiter 2017")
def selu(z: Values) -> Values:
    """Scaled ELU: keeps mean 0 and variance 1 with LeCun's initialiser."""
    return jax.nn.selu(z)


@ACTIVATIONS.register(source="Hendrycks & Gimpel 2016")
def gelu(z: Values, *, approximate: bool = False) -> Values:
    """Gaussian error linear unit z Phi(z); `approximate` takes the tanh formula."""
    return jax.nn.gelu(z, approximate=approximate)


@ACTIVATIONS.register(source="Elfwing, Uchibe & Doya 2018; Ramachandran, Zoph & Le 2017")
def silu(z: Values) -> Values:
    """Sigmoid linear unit z sigmoid(z), also called swish."""
    return jax.nn.silu(z)


@ACTIVATIONS.register(source="Misra 2019")
def mish(z: Values) -> Values:
    """The product z tanh(softplus(z)): smooth, and not monotone below zero."""
    return jax.nn.mish(z)
