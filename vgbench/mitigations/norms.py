"""Norms: of a layer's signal, or of its weights."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Annotated, Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float
from pydantic import Field

from vgbench.mitigations.mean_field import centred_variance
from vgbench.mitigations.site import Site
from vgbench.spec.registry import ACTIVATIONS, NORMS, Choice, Positive

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
    """Layer normalization: mean 0 and variance 1 over the features of each example, at each place."""
    return nnx.LayerNorm(site.width, epsilon=epsilon, use_fast_variance=False, rngs=site.rngs)


@NORMS.register(source="Zhang & Sennrich 2019")
def rms(site: Site, *, epsilon: Positive = 1e-6) -> Norm:
    """RMS normalization: second moment 1 over the features of each example and place, the mean left alone."""
    return nnx.RMSNorm(site.width, epsilon=epsilon, use_fast_variance=False, rngs=site.rngs)


def _uneven_groups(case: Any) -> str | None:
    groups, growth = case.norm.groups, getattr(case.skip, "growth", case.norm.groups)
    uneven = [width for width in (case.width, growth) if width % groups]
    return f"{groups} groups do not divide a width of {uneven[0]}" if uneven else None


@NORMS.register(source="Wu & He 2018", refuses=_uneven_groups)
def group(site: Site, *, groups: Annotated[int, Field(ge=1)] = 8, epsilon: Positive = 1e-6) -> Norm:
    """Group normalization: mean 0 and variance 1 within each of `groups` groups of features, over all places."""
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


LinearMap = nnx.Linear | nnx.Conv


class Reparametrised(nnx.Module):
    """A linear map whose kernel is a function of its parameters."""

    def __init__(self, linear: LinearMap) -> None:
        self.linear = linear

    def kernel(self) -> Float[Array, "*place inputs outputs"]:
        """The kernel that is applied."""
        raise NotImplementedError

    def __call__(self, h: Float[Array, "batch *place inputs"]) -> Float[Array, "batch *places outputs"]:
        """Apply the map."""
        held: Any = self.linear
        graphdef, params = nnx.split(held)
        params["kernel"] = held.kernel.replace(self.kernel().astype(h.dtype))
        applied: Any = nnx.merge(graphdef, params)
        return applied(h)


def _length(kernel: Float[Array, "*place inputs outputs"]) -> Float[Array, "outputs"]:
    """The norm of each output's weights, at least in float32, where their squares do not underflow."""
    wide = kernel.astype(jnp.promote_types(kernel.dtype, jnp.float32))
    return jnp.sqrt(jnp.sum(jnp.square(wide), axis=tuple(range(kernel.ndim - 1))))


class WeightNorm(Reparametrised):
    """A linear map whose weights are a learned length times a learned direction for each output.

    Lengths start as the initialiser drew them, so that the network is at first the unnormalised one. (Flax's own starts
    them at 1 and does not learn them.)
    """

    def __init__(self, linear: LinearMap) -> None:
        super().__init__(linear)
        self.length = nnx.Param(_length(linear.kernel[...]))

    def kernel(self) -> Float[Array, "*place inputs outputs"]:
        """Length * V / ||V||."""
        drawn = self.linear.kernel[...]
        return drawn * (self.length[...] / _length(drawn))


class ScaledWeightStandardization(Reparametrised):
    """A linear map whose weights have mean 0 and variance gain^2 / fan_in for each output, times a learned scale."""

    def __init__(self, linear: LinearMap, gain: float) -> None:
        super().__init__(linear)
        self.scale = nnx.Param(jnp.full(linear.kernel.shape[-1], gain, jnp.float32))

    def kernel(self) -> Float[Array, "*place inputs outputs"]:
        """Scale * (V - mean) / ||V - mean||: that is over sqrt(fan_in) times the standard deviation."""
        drawn = self.linear.kernel[...]
        centred = drawn - drawn.mean(axis=tuple(range(drawn.ndim - 1)))
        return centred * (self.scale[...] / _length(centred))


class _OfWeights:
    """Leaves the signal alone: what is normalised are the weights."""

    def __init__(self, wrap: Callable[[LinearMap], Reparametrised]) -> None:
        self.wrap = wrap

    def __call__(self, z: Signal) -> Signal:
        return z


@NORMS.register(source="Salimans & Kingma 2016")
def weight(site: Site) -> Norm:
    """Weight normalization: length and direction of each output's weights are learned apart."""
    return _OfWeights(WeightNorm)


@lru_cache
def _keeping_gain(activation: Choice) -> float:
    return centred_variance(partial(ACTIVATIONS.build, activation)) ** -0.5


@NORMS.register(source="Brock, De & Smith 2021, Characterizing signal propagation to close the performance gap")
def scaled_weight_standardization(site: Site, *, gain: Positive | None = None) -> Norm:
    """Weights of mean 0 for each output, with the gain that keeps the signal's variance unless one is given.

    That gain is 1 / sqrt(Var phi(g)), 1.71 for ReLU, whatever the initialiser's scale.
    """
    if gain is None:
        gain = _keeping_gain(site.activation) if site.activation else 1.0  # pyright: ignore[reportArgumentType]
    return _OfWeights(partial(ScaledWeightStandardization, gain=gain))


WEIGHT_NORMS = ("weight", "scaled_weight_standardization")
"""The norms that leave the signal alone."""


def reparametrised(norm: Norm, linear: LinearMap) -> LinearMap | Reparametrised:
    """The linear map under its norm: itself, unless the norm is one of weights."""
    return norm.wrap(linear) if isinstance(norm, _OfWeights) else linear
