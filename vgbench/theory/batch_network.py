"""The layers of a perceptron with batch norm, by Gram matrices of whole batches of the data."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.special import softmax

from vgbench.spec.case import Case
from vgbench.spec.registry import DATA, Choice
from vgbench.theory.batch_unit import BatchUnit, roots_of
from vgbench.theory.kernels import Gram
from vgbench.theory.layers import Layers, hidden_variance
from vgbench.theory.skip import Skip
from vgbench.theory.walk import Signals, Steps, factors

STEPS = {
    "before_addition": ("linear", "unit"),
    "norm_after_activation": ("linear", "unit"),
    "pre_activation": ("unit", "linear"),
}
"""The steps of a layer, by the model's order; a unit is batch norm and an activation."""
_EXAMPLES, _MOST_BATCHES = 2**14, 32
"""Examples of all layers and batches together. Shallow networks need many batches, which differ in the first layers."""
_DRAWS, _ANSWERS = 256, 16
"""Units of a layer, and output layers, that are drawn."""


@dataclass(frozen=True)
class BatchNetwork:
    """The steps of a perceptron: a matrix of weights, and batch norm with the activation before or after it."""

    layers: Layers

    def factors(self, skip: Skip) -> Float[np.ndarray, "gaps"]:
        """What every block multiplies the squared gradient by, the one nearest the input first."""
        steps = Steps(self._steps, self._forward, self._backward, self._answered)
        return factors(self._input_layer(), self._case.depth - 1, skip, steps)

    @property
    def _case(self) -> Case:
        return self.layers.case

    @property
    def _model(self) -> Any:
        return self._case.model

    @property
    def _steps(self) -> tuple[str, ...]:
        return STEPS[self._model.order] * self._model.layers_per_block

    @cached_property
    def _unit(self) -> BatchUnit:
        norm_first = self._model.order != "norm_after_activation"
        return BatchUnit(self._case.activation, norm_first, _DRAWS, np.random.default_rng(0))

    @cached_property
    def _batches(self) -> tuple[Float[np.ndarray, "batches batch features"], Int[np.ndarray, "batches batch"]]:
        x, y = _training(self._case.data)  # pyright: ignore[reportArgumentType]  # frozen, so hashable
        count = min(max(_EXAMPLES // (self._case.depth * self._case.batch_size), 1), _MOST_BATCHES)
        random = np.random.default_rng(1)
        chosen = np.stack([random.permutation(len(x))[: self._case.batch_size] for _ in range(count)])
        return x[chosen], y[chosen]

    def _input_layer(self) -> Signals:
        x, _ = self._batches
        given = Signals(x @ x.swapaxes(1, 2) / x.shape[-1], x.mean(axis=2))
        signals = self._linear(given, raw=True)
        return signals if self._steps[0] == "unit" else self._forward("unit", signals)

    def _forward(self, step: str, at: Signals) -> Signals:
        if step == "linear":
            return self._linear(at)
        return Signals(*map(np.stack, zip(*map(self._unit.forward, at.gram), strict=True)))

    def _backward(self, step: str, read: Gram, gradient: Gram) -> Gram:
        if step == "linear":
            return self._variance(raw=False) * gradient
        return np.stack(list(map(self._unit.backward, read, gradient)))

    def _answered(self, signals: Signals) -> Gram:
        if self._steps[0] == "linear":
            return self._errors(signals.gram)
        return self._backward("unit", signals.gram, self._errors(self._forward("unit", signals).gram))

    def _errors(self, read: Gram) -> Gram:
        """Products of p - y, where p is the softmax of logits that a random output layer makes."""
        roots = np.stack([roots_of(self.layers.logits(1.0) * each).root for each in read])
        random = np.random.default_rng(2)
        classes = int(self._batches[1].max()) + 1
        drawn = roots[:, None] @ random.normal(size=(len(read), _ANSWERS, read.shape[-1], classes))
        error = softmax(drawn, axis=-1) - (np.arange(classes) == self._batches[1][:, None, :, None])
        return (error @ error.swapaxes(-1, -2)).mean(axis=1)

    def _linear(self, at: Signals, *, raw: bool = False) -> Signals:
        gram = self._variance(raw=raw) * at.gram + self._model.bias_std**2
        return Signals(gram, np.zeros_like(at.mean))

    def _variance(self, *, raw: bool) -> float:
        inputs = self.layers.inputs.features if raw else self._case.width
        variance = hidden_variance(self._case, inputs, self._case.width, raw=raw)
        assert variance is not None
        return variance


@lru_cache(maxsize=4)
def _training(data: Choice) -> tuple[Float[np.ndarray, "examples features"], Int[np.ndarray, "examples"]]:
    split: Any = DATA.build(data).train
    return np.asarray(split.x, np.float64), np.asarray(split.y)
