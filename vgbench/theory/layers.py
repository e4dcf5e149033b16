"""The layers of an MLP as maps of a signal's second moment and, backwards, of the squared gradient."""

from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float

from vgbench.mitigations.initializers import Signal, weight_variance
from vgbench.mitigations.mean_field import Activation, Curves
from vgbench.mitigations.norms import SQUASHING
from vgbench.mitigations.parametrizations import parametrization_of
from vgbench.spec.case import Case
from vgbench.spec.registry import ACTIVATIONS, INITIALIZERS, Choice
from vgbench.theory import normalised
from vgbench.theory.inputs import Inputs, inputs_of
from vgbench.theory.prediction import NoTheory

ELEMENTWISE = ("none", "weight", *SQUASHING)
"""Norms that act on one number of the signal, or on none."""
_POWER = 1e-200, 1e200
"""Beyond these second moments an activation is as it is there: a power law."""


Sizes: TypeAlias = float | Float[np.ndarray, "sizes"]
"""A number for each size of input, or one for all of them."""


class Through(NamedTuple):
    """The moments of a layer's output, and the factor of the squared gradient on its way back."""

    power: Sizes
    mean: Sizes
    factor: Sizes


@dataclass(frozen=True)
class Layers:
    """The layers of a case."""

    case: Case

    @cached_property
    def curves(self) -> Curves:
        """Moments of the activation on a Gaussian signal."""
        norm = self.case.norm
        return curves_of(self.case.activation, norm if norm.name in SQUASHING else None)

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

    @cached_property
    def inputs(self) -> Inputs:
        """The inputs of the first layer."""
        return inputs_of(self.case)

    def linear(self, power: Sizes, *, raw: bool = False) -> Through:
        """A matrix of weights; `raw` of the input layer."""
        case = self.case
        inputs = self.inputs.features if raw else case.width
        variance = hidden_variance(case, inputs, case.width, raw=raw)
        if variance is None:  # scaled on data, so that its outputs have variance 1
            variance = float(1 / np.mean(power))
        return Through(clip(variance * power + self.bias_variance), 0.0, variance)

    def logits(self, power: Sizes) -> Sizes:
        """Their variance: the output layer has no biases, and in a parametrization weights of another size."""
        unbiased = self.linear(power).power - self.bias_variance
        return unbiased * parametrization_of(self.case).shrunk ** 2

    def normalise_and_activate(self, power: Sizes) -> Through:
        """The norm and the activation after it, on a Gaussian signal."""
        if self.case.norm.name in ELEMENTWISE:
            return self.activate(power)
        unit = self.unit
        return Through(unit.power, unit.mean, unit.kept / power)

    def activate(self, power: Sizes) -> Through:
        """The activation on a Gaussian signal."""
        moments = self.curves(power)
        return Through(clip(moments.square), moments.mean, moments.slope)

    def activate_and_normalise(self, power: Sizes) -> Through:
        """The activation, and layer or RMS norm after it, on a Gaussian signal: over Var phi or E[phi^2]."""
        active = self.activate(power)
        if self.case.norm.name in ELEMENTWISE:
            return active
        left = active.power - (0 if self.case.norm.name == "rms" else active.mean**2)
        mean = active.mean / left**0.5 if self.case.norm.name == "rms" else 0.0
        return Through(1.0, mean, active.factor / left)

    def activate_normalised(self) -> Through:
        """The activation on a stream that was just normalised."""
        unit = self.unit
        return Through(unit.power, unit.mean, unit.slope)

    def normalise(self, power: Sizes) -> Through:
        """The norm alone."""
        return Through(self.alone.power, 0.0, self.alone.kept / power)


def hidden_variance(case: Case, inputs: int, outputs: int, *, raw: bool) -> float | None:
    """The weights' variance times fan-in; None where data or a plug-in decide it."""
    if INITIALIZERS[case.init.name].data_dependent:
        return None
    model: Any = case.model
    return weight_variance(case.init, Signal(case.activation, model.bias_std, raw), inputs, outputs)


def normalised_over(case: Case) -> int:
    """How many numbers a norm of the signal reduces together."""
    norm: Any = case.norm
    return {"batch": case.batch_size, "group": case.width // getattr(norm, "groups", 1)}.get(norm.name, case.width)


# Frozen choices can be hashed, though pydantic does not say so.
@lru_cache(maxsize=256)
def _unit(activation: Choice, norm: str, n: int) -> normalised.Unit:
    function = partial(ACTIVATIONS.build, activation)
    if norm == "batch":
        return normalised.over_batch(function, n)
    return normalised.over_features(function, n, centred=norm != "rms")


def curves_of(activation: Choice, squashing: Choice | None = None) -> Curves:
    """An activation's moments, behind a norm that squashes every number where one is given."""
    return _curves(activation, squashing)  # pyright: ignore[reportArgumentType]


@lru_cache(maxsize=64)
def _curves(activation: Choice, squashing: Choice | None) -> Curves:
    function: Activation = partial(ACTIVATIONS.build, activation)
    if squashing:
        squash, alpha = SQUASHING[squashing.name], squashing.options()["alpha"]
    else:
        squash, alpha = (lambda z: z), 1.0
    try:
        return Curves(lambda z: function(squash(alpha * z)))
    except ValueError:
        raise NoTheory(f"activation {activation.name!r} has moments that are not finite") from None


def clip(power: Sizes) -> Sizes:
    """A second moment clipped to the range in which activations are evaluated."""
    return np.clip(power, *_POWER)
