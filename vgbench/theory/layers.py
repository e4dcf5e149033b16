"""What the layers of an MLP do to a signal's second moment and, on its way back, to the squared gradient."""

from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from vgbench.mitigations.initializers import Signal, weight_variance
from vgbench.mitigations.mean_field import Activation, Curves
from vgbench.spec.case import Case
from vgbench.spec.registry import ACTIVATIONS, INITIALIZERS, Choice
from vgbench.theory import normalised
from vgbench.theory.prediction import NoTheory

ELEMENTWISE = ("none", "weight", "dynamic_tanh")
"""Norms that look at one number of the signal, or at none."""
_POWER = 1e-200, 1e200
"""Beyond these second moments an activation is as it is there: a power law."""


class Through(NamedTuple):
    """What a signal becomes, and what the squared gradient is multiplied by on its way back, with its variance."""

    power: float
    mean: float
    factor: float
    variance: float


@dataclass(frozen=True)
class Layers:
    """What all layers of a case share."""

    case: Case

    @cached_property
    def curves(self) -> Curves:
        """Moments of the activation on a Gaussian signal."""
        squashed = self.case.norm.options()["alpha"] if self.case.norm.name == "dynamic_tanh" else None
        return curves_of(self.case.activation, squashed)

    @cached_property
    def unit(self) -> normalised.Unit:
        """A normalised signal after the activation."""
        return self._unit(self.case.activation)

    @cached_property
    def alone(self) -> normalised.Unit:
        """A normalised signal without one."""
        return self._unit(ACTIVATIONS.choose("linear"))

    def _unit(self, activation: Choice) -> normalised.Unit:
        over = normalised_over(self.case)
        return _unit(activation, self.case.norm.name, over)  # pyright: ignore[reportArgumentType]

    @property
    def bias_variance(self) -> float:
        """Of hidden biases; the same for all examples, so that batch norm takes them out."""
        model: Any = self.case.model
        return 0.0 if self.case.norm.name == "batch" else model.bias_std**2

    def linear(self, power: float, *, raw: bool = False) -> Through:
        """A matrix of weights; `raw` of the input layer, which is taken to be square where the data do not say."""
        case = self.case
        inputs = getattr(case.data, "features", case.width) if raw else case.width
        variance = hidden_variance(case, inputs, case.width, raw=raw)
        if variance is None:  # scaled on data, so that its outputs have variance 1
            variance = 1 / power
        orthogonal = case.init.name in ("orthogonal", "identity", "lsuv")
        scatter = 0.0 if orthogonal else 2 / case.width
        return Through(clip(variance * power + self.bias_variance), 0.0, variance, scatter)

    def normalise_and_activate(self, power: float) -> Through:
        """The norm and the activation after it, on a Gaussian signal."""
        if self.case.norm.name in ELEMENTWISE:
            return self.activate(power)
        unit = self.unit
        return Through(unit.power, unit.mean, unit.kept / power, self._scatter(unit.slope, unit.slope_fourth))

    def activate(self, power: float) -> Through:
        """The activation on a Gaussian signal."""
        square, slope, mean, fourth, _ = (float(each) for each in self.curves(power))
        return Through(clip(square), mean, slope, self._scatter(slope, fourth))

    def activate_normalised(self) -> Through:
        """The activation on a stream that a norm has just handed on."""
        unit = self.unit
        return Through(unit.power, unit.mean, unit.slope, self._scatter(unit.slope, unit.slope_fourth))

    def normalise(self, power: float) -> Through:
        """The norm alone."""
        return Through(self.alone.power, 0.0, self.alone.kept / power, 0.0)

    def _scatter(self, slope: float, fourth: float) -> float:
        # |D g|^2 for a gradient g with Gaussian entries and slopes D independent of it.
        return 3 * (fourth / slope**2 - 1) / self.case.width if slope else 0.0


def hidden_variance(case: Case, inputs: int, outputs: int, *, raw: bool) -> float | None:
    """The weights' variance times fan-in; None where data or a plug-in decide it."""
    if INITIALIZERS[case.init.name].data_dependent:
        return None
    model: Any = case.model
    return weight_variance(case.init, Signal(case.activation, model.bias_std, raw), inputs, outputs)


def normalised_over(case: Case) -> int:
    """Numbers that a norm of the signal looks at together."""
    norm: Any = case.norm
    return {"batch": case.batch_size, "group": case.width // getattr(norm, "groups", 1)}.get(norm.name, case.width)


# Frozen choices can be hashed, though pydantic does not say so.
@lru_cache(maxsize=256)
def _unit(activation: Choice, norm: str, n: int) -> normalised.Unit:
    function = partial(ACTIVATIONS.build, activation)
    if norm == "batch":
        return normalised.over_batch(function, n)
    return normalised.over_features(function, n, centred=norm != "rms")


def curves_of(activation: Choice, squashed: float | None = None) -> Curves:
    """An activation's moments, behind tanh(`squashed` * z) where that is given."""
    return _curves(activation, squashed)  # pyright: ignore[reportArgumentType]


@lru_cache(maxsize=64)
def _curves(activation: Choice, squashed: float | None) -> Curves:
    function: Activation = partial(ACTIVATIONS.build, activation)
    try:
        return Curves(function if squashed is None else lambda z: function(jnp.tanh(squashed * z)))
    except ValueError:
        raise NoTheory(f"activation {activation.name!r} has moments that are not finite") from None


def clip(power: float) -> float:
    """A second moment within the range that is told apart."""
    return float(np.clip(power, *_POWER))
