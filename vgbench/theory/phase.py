"""Phases of a wide plain network: where its gradient vanishes, keeps its size and explodes, by gain and biases."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from vgbench.errors import InputError
from vgbench.mitigations.mean_field import critical_variance
from vgbench.spec.registry import ACTIVATIONS, Choice
from vgbench.theory.layers import curves_of

Phase = Literal["vanishing", "critical", "exploding"]

CRITICAL_WITHIN = 0.005
"""Decades a layer up to which the gradient counts as keeping its size: a factor of 1.8 over 50 layers."""
_LAYERS = 4000
_NOTHING = 1e-9
_BOUNDS = 1e-30, 1e30


@dataclass(frozen=True)
class Point:
    """A wide plain network of any depth at one gain and bias scale.

    Attributes:
        gain: standard deviation of the weights times the root of fan-in (LeCun's has 1, He's the root of 2).
        bias_std: standard deviation of the biases.
        variance: q*, of the pre-activations in the limit of many layers; 0 or infinite where it never settles.
        decay: log10(chi) / 2 there, decades a layer of ||dL/dh||; negative is vanishing.
    """

    gain: float
    bias_std: float
    variance: float
    decay: float

    @property
    def phase(self) -> Phase:
        """Whether the gradient vanishes, keeps its size or explodes."""
        return phase_of(self.decay)

    @property
    def depth_scale(self) -> float:
        """Layers over which the squared gradient changes by a factor e: xi = 1 / |ln chi| (Schoenholz et al. 2017)."""
        rate = abs(2 * np.log(10) * self.decay)
        return float("inf") if rate < _NOTHING else float(1 / rate)


def phase_of(decay: float) -> Phase:
    """The name of a decay in decades a layer."""
    if abs(decay) <= CRITICAL_WITHIN:
        return "critical"
    return "vanishing" if decay < 0 else "exploding"


@dataclass(frozen=True)
class PhaseDiagram:
    """Phases over a grid.

    Attributes:
        activation: in words.
        gain: of the columns, ascending.
        bias_std: of the rows, ascending.
        variance: q*, float64[biases, gains].
        decay: decades a layer, float64[biases, gains].
        edge: the gain on the edge of chaos for each bias, float64[biases]; NaN where there is none.
    """

    activation: str
    gain: Float[np.ndarray, "gains"]
    bias_std: Float[np.ndarray, "biases"]
    variance: Float[np.ndarray, "biases gains"]
    decay: Float[np.ndarray, "biases gains"]
    edge: Float[np.ndarray, "biases"]


def point(activation: str | Choice, gain: float, bias_std: float = 0.0) -> Point:
    """Where a wide plain network ends up.

    Raises:
        InputError: no such activation.
    """
    chosen = ACTIVATIONS.choose(activation)
    variance, decay = _limit(chosen, np.asarray(gain), np.asarray(bias_std))
    return Point(gain, bias_std, float(variance), float(decay))


def phase_diagram(
    activation: str | Choice, gain: Float[np.ndarray, "gains"], bias_std: Float[np.ndarray, "biases"]
) -> PhaseDiagram:
    """Phases of an activation over gains and bias scales (Poole et al. 2016; Schoenholz et al. 2017).

    Raises:
        InputError: no such activation.
    """
    chosen = ACTIVATIONS.choose(activation)
    variance, decay = _limit(chosen, gain[None, :], bias_std[:, None])
    edge = np.asarray([edge_of_chaos(chosen, float(each)) for each in bias_std])
    return PhaseDiagram(str(chosen), gain, bias_std, variance, decay, edge)


def edge_of_chaos(activation: Choice, bias_std: float = 0.0) -> float:
    """The gain where chi = 1 at a stable fixed point; NaN where there is none."""
    try:
        return critical_variance(curves_of(activation), bias_std) ** 0.5
    except InputError:
        return float("nan")


def _limit(
    activation: Choice, gain: Float[np.ndarray, "*#grid"], bias_std: Float[np.ndarray, "*#grid"]
) -> tuple[Float[np.ndarray, "*grid"], Float[np.ndarray, "*grid"]]:
    """(q*, decay) where the length map settles, begun at inputs of variance 1."""
    curves, weights, biases = curves_of(activation), gain**2, bias_std**2
    q = weights + biases
    for _ in range(_LAYERS):
        following = np.clip(weights * curves(q).square + biases, *_BOUNDS)
        settled = np.all(np.abs(following - q) <= 1e-10 * q)
        q = following
        if settled:
            break
    with np.errstate(divide="ignore"):
        decay = np.log10(weights * curves(q).slope) / 2
    low, high = _BOUNDS
    return np.where(q <= low, 0.0, np.where(q >= high, np.inf, q)), np.broadcast_to(decay, q.shape)
