"""Initialisers of weight matrices; `gain` multiplies the standard deviation.

`gain = "auto"` is the one that keeps the variance of the pre-activations from layer to layer, `gain = "critical"` the
one that puts the network on the edge of chaos, both for the case's activation in a wide square layer. For GELU, SiLU
and mish the variance that "auto" keeps is an unstable fixed point, which a finite network leaves after some ten layers.
"""

import math
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
from jax import Array
from jax.nn.initializers import Initializer, variance_scaling
from pydantic import PlainValidator

from vgbench.errors import InputError
from vgbench.mitigations.mean_field import critical_variance, preserving_variance
from vgbench.mitigations.norms import WEIGHT_NORMS
from vgbench.spec.registry import ACTIVATIONS, INITIALIZERS, Choice, Positive


def _check_gain(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf:
        return float(value)
    if value in ("auto", "critical"):
        return value
    raise ValueError(f'needs a number greater than 0, "auto" or "critical", not {value!r}')


Gain = Annotated[float | Array | Literal["auto", "critical"], PlainValidator(_check_gain)]
"""In a case a number or a word; in a compiled program a number may be an argument, so that cells share the program."""


@dataclass(frozen=True)
class Signal:
    """The signal in the layers that are initialised.

    Attributes:
        activation: of every layer.
        bias_std: initial standard deviation of the biases.
        raw: whether the weights read the network's input (taken to be of unit variance) rather than activations.
        summands: of the branches that are added up on the residual stream, where the weights are the last ones of one
            of these; 1 of all other weights.
    """

    activation: Choice
    bias_std: float
    raw: bool
    summands: int = 1


@lru_cache
def _weight_variance(gain: Literal["auto", "critical"], activation: Choice, bias_std: float) -> float:
    function = partial(ACTIVATIONS.build, activation)
    return preserving_variance(function) if gain == "auto" else critical_variance(function, bias_std)


def _no_critical_gain(case: Any) -> str | None:
    """Why the activation has no edge of chaos, where the gain asks for it."""
    if case.init.gain != "critical":
        return None
    try:
        _weight_variance("critical", case.activation, getattr(case.model, "bias_std", 0.0))
    except InputError as error:
        return str(error)
    return None


_OWN_VARIANCE = {
    "lecun_normal": 1.0,
    "lecun_uniform": 1.0,
    "glorot_normal": 1.0,
    "glorot_uniform": 1.0,
    "he_normal": 2.0,
    "he_uniform": 2.0,
    "orthogonal": 1.0,
    "identity": 1.0,
    "delta_orthogonal": 1.0,
}
"""Of the initialisers that take a gain: the variance of the weights times fan-in in a square layer with gain 1."""


_SCALED: dict[str, Any] = {"refuses": _no_critical_gain, "traced_options": ("gain",)}
"""What the registration of an initialiser that takes a gain says of it."""

FIXED_STD = ("small_normal", "gpt2")
"""The initialisers whose standard deviation does not depend on the width."""


def weight_variance(init: Choice, signal: Signal, inputs: int, outputs: int) -> float | None:
    """How much larger the variance of z = W h is than the mean square of h, for a matrix from `inputs` to `outputs`.

    None for an initialiser that depends on data, or one of a plug-in.
    """
    options = init.options()
    if init.name in FIXED_STD:
        return float(options["std"] ** 2 * inputs / (signal.summands if init.name == "gpt2" else 1))
    if init.name not in _OWN_VARIANCE:
        return None
    variance = float(_variance(signal, options["gain"], _OWN_VARIANCE[init.name]))
    if init.name.startswith("glorot"):
        return variance * 2 * inputs / (inputs + outputs)
    isometric = init.name in ("orthogonal", "identity", "delta_orthogonal")
    return variance * min(inputs / outputs, 1.0) if isometric else variance


def _variance(signal: Signal, gain: Gain, own: float) -> float | Array:
    """The variance of the weights times fan-in in a square layer, where the initialiser's own with gain 1 is `own`."""
    if not isinstance(gain, str):
        return own * gain**2
    if gain == "auto" and signal.raw:
        return 1.0
    return _weight_variance(gain, signal.activation, signal.bias_std)  # pyright: ignore[reportArgumentType]


@INITIALIZERS.register(source="LeCun, Bottou, Orr & Mueller 1998; Flax's default", **_SCALED)
def lecun_normal(signal: Signal, *, gain: Gain = 1.0) -> Initializer:
    """Normal with variance gain^2 / fan_in, truncated at two standard deviations."""
    return variance_scaling(_variance(signal, gain, _OWN_VARIANCE["lecun_normal"]), "fan_in", "truncated_normal")


@INITIALIZERS.register(source="LeCun, Bottou, Orr & Mueller 1998", **_SCALED)
def lecun_uniform(signal: Signal, *, gain: Gain = 1.0) -> Initializer:
    """Uniform with variance gain^2 / fan_in."""
    return variance_scaling(_variance(signal, gain, _OWN_VARIANCE["lecun_uniform"]), "fan_in", "uniform")


@INITIALIZERS.register(source="Glorot & Bengio 2010", **_SCALED)
def glorot_normal(signal: Signal, *, gain: Gain = 1.0) -> Initializer:
    """Normal with variance gain^2 * 2 / (fan_in + fan_out), truncated at two standard deviations."""
    return variance_scaling(_variance(signal, gain, _OWN_VARIANCE["glorot_normal"]), "fan_avg", "truncated_normal")


@INITIALIZERS.register(source="Glorot & Bengio 2010", **_SCALED)
def glorot_uniform(signal: Signal, *, gain: Gain = 1.0) -> Initializer:
    """Uniform with variance gain^2 * 2 / (fan_in + fan_out)."""
    return variance_scaling(_variance(signal, gain, _OWN_VARIANCE["glorot_uniform"]), "fan_avg", "uniform")


@INITIALIZERS.register(source="He, Zhang, Ren & Sun 2015", **_SCALED)
def he_normal(signal: Signal, *, gain: Gain = 1.0) -> Initializer:
    """Normal with variance gain^2 * 2 / fan_in, truncated at two standard deviations; keeps ReLU's second moment."""
    return variance_scaling(_variance(signal, gain, _OWN_VARIANCE["he_normal"]), "fan_in", "truncated_normal")


@INITIALIZERS.register(source="He, Zhang, Ren & Sun 2015", **_SCALED)
def he_uniform(signal: Signal, *, gain: Gain = 1.0) -> Initializer:
    """Uniform with variance gain^2 * 2 / fan_in."""
    return variance_scaling(_variance(signal, gain, _OWN_VARIANCE["he_uniform"]), "fan_in", "uniform")


@INITIALIZERS.register(source="Krizhevsky, Sutskever & Hinton 2012")
def small_normal(signal: Signal, *, std: Positive = 0.01) -> Initializer:
    """Normal with the same small standard deviation at any width."""
    return jax.nn.initializers.normal(std)


@INITIALIZERS.register(source="Radford et al. 2019; Shoeybi et al. 2019 (Megatron-LM)")
def gpt2(signal: Signal, *, std: Positive = 0.02) -> Initializer:
    """Normal with one standard deviation at any width; the last weights of a residual branch over sqrt(branches)."""
    return jax.nn.initializers.normal(std / signal.summands**0.5)


@INITIALIZERS.register(source="Saxe, McClelland & Ganguli 2014", **_SCALED)
def orthogonal(signal: Signal, *, gain: Gain = 1.0) -> Initializer:
    """Orthogonal rows or columns times gain: a square layer is an exact isometry at gain 1."""
    return jax.nn.initializers.orthogonal(_variance(signal, gain, _OWN_VARIANCE["orthogonal"]) ** 0.5)


@INITIALIZERS.register(source="Le, Jaitly & Hinton 2015", **_SCALED)
def identity(signal: Signal, *, gain: Gain = 1.0) -> Initializer:
    """The identity matrix times gain, with zeros beyond the square part; of a convolution, its middle alone."""
    scale = _variance(signal, gain, _OWN_VARIANCE["identity"]) ** 0.5
    return _in_the_middle(lambda key, shape, dtype: scale * jnp.eye(*shape, dtype=dtype))


@INITIALIZERS.register(source="Xiao, Bahri, Sohl-Dickstein, Schoenholz & Pennington 2018", **_SCALED)
def delta_orthogonal(signal: Signal, *, gain: Gain = 1.0) -> Initializer:
    """Orthogonal times gain in the middle of a convolution, zero around; of a matrix the same as orthogonal."""
    scale = _variance(signal, gain, _OWN_VARIANCE["delta_orthogonal"]) ** 0.5
    return _in_the_middle(jax.nn.initializers.orthogonal(scale))


def _in_the_middle(matrix: Any) -> Initializer:
    """A convolution's kernel of zeros but for the matrix in its middle; a matrix itself."""

    def initialise(key: Array, shape: Any, dtype: Any = jnp.float32, out_sharding: Any = None) -> Array:
        middle = tuple((size - 1) // 2 for size in shape[:-2])
        return jnp.zeros(shape, dtype).at[middle].set(matrix(key, shape[-2:], dtype))

    return initialise


def _weights_without_scale(case: Any) -> str | None:
    fixed = case.norm.name in WEIGHT_NORMS
    return f"norm {case.norm.name!r} gives the weights a scale of its own" if fixed else None


@INITIALIZERS.register(source="Mishkin & Matas 2016", refuses=_weights_without_scale, data_dependent=True)
def lsuv(signal: Signal) -> Initializer:
    """Layer-sequential unit variance: orthogonal, then scaled on the first batch to outputs of variance 1."""
    return jax.nn.initializers.orthogonal()
