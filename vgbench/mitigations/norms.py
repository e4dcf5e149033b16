"""Norms: of a layer's signal, or of its weights."""

from collections.abc import Callable
from typing import Annotated, Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float
from pydantic import Field

from vgbench.mitigations.site import Site
from vgbench.registry import NORMS, Positive

Signal = Float[Array, "*batch width"]
Norm = Callable[[Signal], Signal]


@NORMS.register(source="the unnormalised network")
def none(site: Site) -> Norm:
    """No normalisation: the pre-activation as it is."""
    return lambda z: z


@NORMS.register(source="Ioffe & Szegedy 2015")
def batch(site: Site, *, momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9, epsilon: Positive = 1e-5) -> Norm:
    """Batch normalization: batch statistics in training, running averages (kept by `momentum`) in evaluation."""
    return nnx.BatchNorm(site.width, momentum=momentum, epsilon=epsilon, use_fast_variance=False, rngs=site.rngs)


@NORMS.register(source="Ba, Kiros & Hinton 2016")
def layer(site: Site, *, epsilon: Positive = 1e-6) -> Norm:
    """Layer normalization: mean 0 and variance 1 over the features of each example."""
    return nnx.LayerNorm(site.width, epsilon=epsilon, use_fast_variance=False, rngs=site.rngs)


@NORMS.register(source="Zhang & Sennrich 2019")
def rms(site: Site, *, epsilon: Positive = 1e-6) -> Norm:
    """RMS normalization: second moment 1 over the features of each example, the mean left alone."""
    return nnx.RMSNorm(site.width, epsilon=epsilon, use_fast_variance=False, rngs=site.rngs)


def _uneven_groups(case: Any) -> str | None:
    groups, growth = case.norm.groups, getattr(case.skip, "growth", case.norm.groups)
    uneven = [width for width in (case.width, growth) if width % groups]
    return f"{groups} groups do not divide a width of {uneven[0]}" if uneven else None


@NORMS.register(source="Wu & He 2018", refuses=_uneven_groups)
def group(site: Site, *, groups: Annotated[int, Field(ge=1)] = 8, epsilon: Positive = 1e-6) -> Norm:
    """Group normalization: layer normalization within each of `groups` groups of features."""
    return nnx.GroupNorm(site.width, num_groups=groups, epsilon=epsilon, use_fast_variance=False, rngs=site.rngs)


class DynamicTanh(nnx.Module):
    """scale * tanh(alpha * z) + bias, with one learned alpha and a learned scale and bias a feature."""

    def __init__(self, width: int, alpha: float) -> None:
        self.alpha = nnx.Param(jnp.full((), alpha, jnp.float32))
        self.scale = nnx.Param(jnp.ones(width, jnp.float32))
        self.bias = nnx.Param(jnp.zeros(width, jnp.float32))

    def __call__(self, z: Signal) -> Signal:
        """Squash `z`."""
        return self.scale[...] * jnp.tanh(self.alpha[...] * z) + self.bias[...]


@NORMS.register(source="Zhu, Chen, He, LeCun & Liu 2025")
def dynamic_tanh(site: Site, *, alpha: Positive = 0.5) -> Norm:
    """Dynamic tanh: a learned squashing in place of normalisation, without any statistics."""
    return DynamicTanh(site.width, alpha)


class WeightNorm(nnx.Module):
    """A linear map whose weights are a learned length times a learned direction for each output.

    Lengths start as the initialiser drew them, so that the network is at first the unnormalised one. (Flax's own starts
    them at 1 and does not learn them.)
    """

    def __init__(self, linear: nnx.Linear) -> None:
        self.linear = linear
        self.length = nnx.Param(jnp.linalg.norm(linear.kernel[...], axis=0))

    def __call__(self, h: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """Apply the map: W = length * V / ||V||, and the bias."""
        kernel, bias = self.linear.kernel[...], self.linear.bias
        scale = self.length[...] / jnp.linalg.norm(kernel, axis=0)
        return h @ kernel * scale + (0 if bias is None else bias[...])


class _OfWeights:
    """Leaves the signal alone: what is normalised are the weights."""

    def __call__(self, z: Signal) -> Signal:
        return z


@NORMS.register(source="Salimans & Kingma 2016")
def weight(site: Site) -> Norm:
    """Weight normalization: length and direction of each output's weights are learned apart."""
    return _OfWeights()


def reparametrised(norm: Norm, linear: nnx.Linear) -> nnx.Linear | WeightNorm:
    """The linear map under its norm: itself, unless the norm is one of weights."""
    return WeightNorm(linear) if isinstance(norm, _OfWeights) else linear
