"""Norms: of a layer's signal, or of its weights."""

import math
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float
from pydantic import Field

from vgbench.errors import InputError
from vgbench.mitigations.mean_field import centred_variance
from vgbench.mitigations.site import Site
from vgbench.spec.registry import ACTIVATIONS, NORMS, Choice, Positive

Signal = Float[Array, "*batch width"]
Norm = Callable[[Signal], Signal]


@NORMS.register(source="the unnormalised network")
def none(site: Site) -> Norm:
    """No normalisation: the pre-activation as it is."""
    return lambda z: z


def lost(of: str, numbers: int, choose: str) -> str | None:
    """Why standardising so few numbers together leaves nothing of them, or a sign alone; None where there are more.

    Args:
        of: what is standardised, in words.
        numbers: that get mean 0 and variance 1 together.
        choose: a valid choice, in words.
    """
    if numbers > 2:
        return None
    left = "two numbers are always +1 and -1, so that only the sign of their difference is left"
    left = "a single number is always 0, so that nothing of the signal is left" if numbers == 1 else left
    return f"{of}: with mean 0 and variance 1 {left}; choose {choose}"


def _fewest(case: Any) -> int:
    """The fewest features that a norm of the case reads at one place."""
    growth = getattr(case.skip, "growth", case.width)
    reads_stream = getattr(case.model, "order", "") == "pre_activation" and case.model.layers_per_block == 1
    return case.width if reads_stream else min(case.width, growth)


def _at_least(case: Any, features: int) -> str:
    return f"a width {'and a growth ' if hasattr(case.skip, 'growth') else ''}of at least {features}"


def _uneven(case: Any, groups: int) -> int | None:
    """A width that so many groups do not divide."""
    widths = case.width, getattr(case.skip, "growth", groups)
    return next((width for width in widths if width % groups), None)


def lost_at_one_place(case: Any) -> str | None:
    """Why the case's norm leaves nothing of signals that have one place each, rather than many pixels or tokens."""
    if case.norm.name == "batch":
        return lost(f"a batch of {case.batch_size}", case.batch_size, "a batch_size of at least 3")
    if case.norm.name == "group":
        groups, width = case.norm.groups, _fewest(case)
        fewer = next((n for n in range(groups, 0, -1) if not _uneven(case, n) and width // n > 2), None)
        choose = f"at most {fewer} groups" if fewer else _at_least(case, 3)
        return lost(f"{width} units in {groups} group{'s' * (groups > 1)}", width // groups, choose)
    return None


def _lost_in_mlp(case: Any) -> str | None:
    return lost_at_one_place(case) if case.model.name == "mlp" else None  # the places of others come with the data


def _lost_in_groups(case: Any) -> str | None:
    width = _uneven(case, case.norm.groups)
    return f"{case.norm.groups} groups do not divide a width of {width}" if width else _lost_in_mlp(case)


def _lost_in_width(case: Any) -> str | None:
    return lost(f"statistics over so few features as {_fewest(case)}", _fewest(case), _at_least(case, 3))


def _lost_in_length(case: Any) -> str | None:
    sign = "with second moment 1 a single number is always +1 or -1, so that only its sign is left"
    return f"statistics over one feature: {sign}; choose {_at_least(case, 2)}" if _fewest(case) == 1 else None


@NORMS.register(source="Ioffe & Szegedy 2015", refuses=_lost_in_mlp)
def batch(site: Site, *, momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9, epsilon: Positive = 1e-5) -> Norm:
    """Batch normalization: batch statistics in training, running averages (kept by `momentum`) in evaluation."""
    return nnx.BatchNorm(site.width, momentum=momentum, epsilon=epsilon, use_fast_variance=False, rngs=site.rngs)


@NORMS.register(source="Ba, Kiros & Hinton 2016", refuses=_lost_in_width)
def layer(site: Site, *, epsilon: Positive = 1e-6) -> Norm:
    """Layer normalization: mean 0 and variance 1 over the features of each example, at each place."""
    return nnx.LayerNorm(site.width, epsilon=epsilon, use_fast_variance=False, rngs=site.rngs)


@NORMS.register(source="Zhang & Sennrich 2019", refuses=_lost_in_length)
def rms(site: Site, *, epsilon: Positive = 1e-6) -> Norm:
    """RMS normalization: second moment 1 over the features of each example and place, the mean left alone."""
    return nnx.RMSNorm(site.width, epsilon=epsilon, use_fast_variance=False, rngs=site.rngs)


@NORMS.register(source="Wu & He 2018", refuses=_lost_in_groups)
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


class DynamicErf(DynamicTanh):
    """scale * erf(alpha * z + shift) + bias, with one learned shift beside the alpha."""

    def __init__(self, width: int, alpha: float) -> None:
        super().__init__(width, alpha)
        self.shift = nnx.Param(jnp.zeros((), jnp.float32))

    def __call__(self, z: Signal) -> Signal:
        """Squash `z`."""
        return self.scale[...] * jax.lax.erf(self.alpha[...] * z + self.shift[...]) + self.bias[...]


@NORMS.register(source="Chen, Lu, Zhu, Sun & Liu 2025, Stronger normalization-free transformers")
def dynamic_erf(site: Site, *, alpha: Positive = 0.5) -> Norm:
    """Dynamic erf (Derf): a learned squashing by the error function, which the paper finds better than tanh."""
    return DynamicErf(site.width, alpha)


SQUASHING = {"dynamic_tanh": jnp.tanh, "dynamic_erf": jax.lax.erf}
"""The norms that squash every number, with their function of alpha * z at initialisation."""


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
    """A linear map whose weights have mean 0 and variance gain^2 / fan_in for each output, times a learned scale.

    Raises:
        InputError: an output reads so few inputs that this fixes its weights.
    """

    def __init__(self, linear: LinearMap, gain: float) -> None:
        super().__init__(linear)
        reason = _lost_in_weights(math.prod(linear.kernel.shape[:-1]))
        if reason:
            raise InputError(f"norm 'scaled_weight_standardization': {reason}")
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


def _lost_in_weights(inputs: int) -> str | None:
    return lost(f"outputs with a fan-in of {inputs}", inputs, "a width of at least 3, and data of as many numbers")


def _lost_in_hidden_weights(case: Any) -> str | None:
    return _lost_in_weights(case.width * getattr(case.model, "kernel_size", 1) ** 2)


@NORMS.register(
    source="Brock, De & Smith 2021, Characterizing signal propagation to close the performance gap",
    refuses=_lost_in_hidden_weights,
)
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
