"""Convolutional networks by mean field: Gram matrices of an example's pixels forward, those of their gradients back.

A convolution with fresh weights averages the products of two pixels' neighbours over the places of its kernel, those of
an orthogonal matrix in the kernel's middle over one place alone; activations act on pairs of pixels (Xiao et al. 2018).
At the border zero padding reads nothing. Images have pixels of all sizes, so that they are followed as they are.
"""

import math
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from jaxtyping import Float

from vgbench.mitigations.initializers import Signal, weight_variance
from vgbench.mitigations.mean_field import centred_variance, moments
from vgbench.spec.case import Case
from vgbench.spec.registry import ACTIVATIONS
from vgbench.theory.kernels import Gram, Kernels, correlations, kernels_of, sizes
from vgbench.theory.layers import Layers
from vgbench.theory.prediction import Kind, NoTheory, Prediction, from_factors
from vgbench.theory.skip import ZERO_SOURCES, Skip, skip_of
from vgbench.theory.tokens import answered, images
from vgbench.theory.transformer_parts import SIZED
from vgbench.theory.walk import Signals, Steps, factors

_SOURCES = ("Xiao et al. 2018",)
_LAYERS = {
    "before_addition": ("linear", "norm", "activation"),
    "post_activation": ("linear", "norm", "activation"),
    "pre_activation": ("norm", "activation", "linear"),
}
_MIDDLE, _STANDARDISED = "delta_orthogonal", "scaled_weight_standardization"
_NORMS = "none", "weight", _STANDARDISED, *SIZED
_MOST_PIXELS = 256
_EXAMPLES = 16
_LEAST = 1e-12
"""What every pixel's mean square is at least, since nothing can be said of how alike empty ones are."""
_DEEP = 4
"""Blocks for each channel, from which on a prediction is one of order: over 100 blocks of 16 channels tanh loses 0.72
decades, where 0.56 are predicted."""
_MOST_BLOCKS = 1_000
_TILT = 0.01


def predict_convnet(case: Case) -> Prediction:
    """Predict a convolutional network, whose norm is one of weights or of each pixel alone, if any.

    Raises:
        NoTheory: no theory covers it.
    """
    gaps, skip = case.depth - 1, Skip(1.0, 0.0) if case.skip.name == "fixup" else skip_of(case)
    model: Any = case.model
    if gaps == 0:
        return from_factors(np.empty(0), "exact", (), ("one hidden layer",))
    if skip and skip.branch == 0 and model.order in ("before_addition", "norm_after_activation", "pre_activation"):
        sources = ZERO_SOURCES.get(case.skip.name, ("Bachlechner et al. 2021",))
        return from_factors(np.full(gaps, skip.stream**2), "exact", sources, ("every branch starts at zero",))
    reason = _uncovered(case)
    if reason or skip is None:
        raise NoTheory(reason or f"skip {case.skip.name!r}: no theory of it is known here")
    notes = f"a width of {case.width} counts as large", "pixels as in some examples of the data"
    kind: Kind = "order" if case.depth > _DEEP * case.width else "asymptotic"
    return from_factors(_Walk(case, skip).factors(), kind, _SOURCES, notes)


def _uncovered(case: Case) -> str | None:
    model: Any = case.model
    if case.norm.name not in _NORMS:
        return f"norm {case.norm.name!r} of pixels: no theory of it is known here"
    if model.order not in _LAYERS or (model.order == "post_activation" and case.skip.name != "none"):
        return f"order {model.order!r}: no theory of it is known here for pixels"
    if case.skip.name in ("highway", "deep_norm"):
        return f"skip {case.skip.name!r}: no theory of it is known here for pixels"
    if _adds_up(case):
        return (
            f"activations of {case.activation.name!r} have a mean that adds up on the stream, along which the gradient"
            " outgrows what independent weights give"
        )
    if case.init.name == "identity":
        return "init 'identity': its weights are not random, so that every layer repeats the one before"
    if weight_variance(case.init, Signal(case.activation, 0.0, raw=False), case.width, case.width) is None:
        return f"init {case.init.name!r}: the variance of its weights is not known here"
    if case.depth > _MOST_BLOCKS:
        return f"depth {case.depth}: pairs of pixels are followed through {_MOST_BLOCKS:,} layers at most"
    return None


def _adds_up(case: Case) -> bool:
    """Whether the mean of activations decides their slopes: it does where E[phi] E[phi''] is not 0."""
    model: Any = case.model
    if case.skip.name == "none" or model.order == "pre_activation" or case.norm.name in (*SIZED, _STANDARDISED):
        return False
    at = moments(partial(ACTIVATIONS.build, case.activation), 1.0)
    return bool(abs(at.mean * at.curvature) > _TILT)


@dataclass(frozen=True)
class _Walk:
    """Forward and back through all blocks."""

    case: Case
    skip: Skip

    def factors(self) -> Float[np.ndarray, "gaps"]:
        """What every block multiplies the squared gradient by, the one nearest the input first."""
        steps = Steps(self._steps, self._forward, self._backward, self._answered)
        return factors(self._input_layer(), self.case.depth - 1, self.skip, steps)

    @property
    def _model(self) -> Any:
        return self.case.model

    @cached_property
    def _active(self) -> Kernels:
        return kernels_of(self.case.activation)

    @property
    def _steps(self) -> tuple[str, ...]:
        return _LAYERS[self._model.order] * self._model.layers_per_block

    def _input_layer(self) -> Signals:
        x = images(self.case, _EXAMPLES)
        pixels = x.reshape(len(x), -1, self._model.channels)
        if pixels.shape[1] > _MOST_PIXELS:
            raise NoTheory(f"{pixels.shape[1]:,} pixels: pairs of at most {_MOST_PIXELS} are followed")
        given = pixels @ pixels.swapaxes(1, 2) / self._model.channels
        signals = self._linear(Signals(given, pixels.mean(axis=2)), raw=True)
        for step in self._steps[1:] if self._steps[0] == "linear" else ():
            signals = self._forward(step, signals)
            if step == "activation":
                break
        return signals

    def _answered(self, signals: Signals) -> Gram:
        """The gradient behind the last block, through what the output layer does before its matrix."""
        before = []
        for step in ("norm", "activation") if self._steps[0] == "norm" else ():
            before.append((step, signals.gram))
            signals = self._forward(step, signals)
        gradient = answered(self.case, signals.gram)
        for step, read in reversed(before):
            gradient = self._backward(step, read, gradient)
        return gradient

    def _forward(self, step: str, at: Signals) -> Signals:
        if step == "linear":
            return self._linear(at)
        if step == "norm":
            sized = self.case.norm.name in SIZED
            return Signals(correlations(at.gram), np.zeros_like(at.mean)) if sized else at
        power, _ = self._narrow
        return Signals(power * self._active.value(at.gram), self._active.mean(at.gram))

    def _linear(self, at: Signals, *, raw: bool = False) -> Signals:
        gram = self._averaged(at.gram)
        if self.case.norm.name == _STANDARDISED:  # its weights add up to nothing, so that the mean is lost
            mean = np.diagonal(self._averaged(at.mean[:, :, None] * np.ones_like(gram)), axis1=1, axis2=2)
            gram = gram - mean[:, :, None] * mean[:, None, :]
        spread = self._variance(raw=raw) * gram + self._model.bias_std**2
        return Signals(spread + _LEAST * np.eye(gram.shape[-1]), np.zeros_like(at.mean))

    def _backward(self, step: str, read: Gram, gradient: Gram) -> Gram:
        if step == "linear":
            return self._variance() * self._averaged(gradient)
        if step == "norm":
            return self._narrow[1] * gradient / sizes(read) if self.case.norm.name in SIZED else gradient
        return gradient * self._active.slope(read)

    @cached_property
    def _narrow(self) -> tuple[float, float]:
        """What norms over few channels multiply the activations' mean square by, and the squared gradient."""
        if self.case.norm.name not in SIZED:
            return 1.0, 1.0
        unit, one = Layers(self.case).unit, np.ones((1, 1))
        return unit.power / float(self._active.value(one)[0, 0]), unit.kept / float(self._active.slope(one)[0, 0])

    def _variance(self, *, raw: bool = False) -> float:
        if self.case.norm.name == _STANDARDISED:
            gain = self.case.norm.options()["gain"]
            return gain**2 if gain else 1 / centred_variance(partial(ACTIVATIONS.build, self.case.activation))
        taps = 1 if self.case.init.name == _MIDDLE else self._model.kernel_size**2
        inputs = (self._model.channels if raw else self.case.width) * taps
        signal = Signal(self.case.activation, self._model.bias_std, raw)
        variance = weight_variance(self.case.init, signal, inputs, self.case.width * taps)
        assert variance is not None
        return variance

    def _averaged(self, gram: Gram) -> Gram:
        """Products of two pixels' neighbours, averaged over the kernel's places; the same matrix either way."""
        size = self._model.kernel_size
        if self.case.init.name == _MIDDLE or size == 1:
            return gram
        side = math.isqrt(gram.shape[-1])
        square = gram.reshape(-1, *(side,) * 4)
        for axes in ((1, 3), (2, 4)):
            shifts = range(-((size - 1) // 2), size // 2 + 1)
            square = sum(self._shifted(square, shift, axes) for shift in shifts) / size
        return np.reshape(square, gram.shape)

    def _shifted(self, square: Any, shift: int, axes: tuple[int, int]) -> Any:
        moved = np.roll(square, (shift, shift), axes)
        if self._model.padding == "same" and shift:
            for axis in axes:
                gone = [slice(None)] * moved.ndim
                gone[axis] = slice(0, shift) if shift > 0 else slice(shift, None)
                moved[tuple(gone)] = 0
        return moved
