"""Units of recurrent cells along their paths: what they make of given pre-activations, and of the gradient.

Given what its gates read, a cell is linear in its state, which is then followed through time as a sum. What it keeps of
the state and how much it feels each pre-activation, which is all that the gradient needs, is kept for every step.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from scipy.special import expit

Paths = Float[np.ndarray, "draws width steps examples"]
"""Of every unit of networks that are drawn side by side."""
Now = Float[np.ndarray, "draws width examples"]
Matrix = Float[np.ndarray, "draws width width"]
SideBySide = Float[np.ndarray, "draws width all"]
"""Transposed square matrices of all gates, one next to the other."""
WithSlope = Callable[[Paths], tuple[Paths, Paths]]
"""An activation and its derivative."""


@dataclass(frozen=True)
class Reading:
    """What the gates of a cell read.

    Attributes:
        inputs: numbers that a step reads, float64[inputs, steps, examples].
        input_weights: float64[gates, draws, width, inputs].
        biases: float64[gates, draws, width].
        weights: square matrices, one for each gate.
    """

    inputs: Float[np.ndarray, "inputs steps examples"]
    input_weights: Float[np.ndarray, "gates draws width inputs"]
    biases: Float[np.ndarray, "gates draws width"]
    weights: Sequence[Matrix]

    def driven(self, gate: int) -> Paths:
        """By the inputs and the bias."""
        return np.tensordot(self.input_weights[gate], self.inputs, 1) + self.biases[gate][..., None, None]

    def felt(self, gate: int, before: Paths) -> Paths:
        """Of the states of all units, one step before."""
        return (self.weights[gate] @ before.reshape(*before.shape[:2], -1)).reshape(before.shape)

    def gate(self, gate: int, before: Paths) -> Paths:
        """The sigmoid of both."""
        return expit(self.driven(gate) + self.felt(gate, before))


class Unit(ABC):
    """A kind of cell."""

    gates: ClassVar[int]
    """Pre-activations of a unit, each with a square matrix of its own, in the order of Flax's cells."""
    states: ClassVar[int] = 1
    """Arrays that a step hands to the next; h is the last of them."""

    @abstractmethod
    def forward(self, read: Reading, h: Paths, activation: WithSlope) -> tuple[Paths, tuple[Paths, ...]]:
        """The outputs of units that read the outputs `h`, and what `back` needs to know of each step."""

    @abstractmethod
    def back(self, at: tuple[Now, ...], gradient: tuple[Now, ...], weights: SideBySide) -> tuple[Now, ...]:
        """The gradient by the states before a step, of that by the states after it.

        Args:
            at: of `forward`, at this step; of the LSTM, what is known of the output belongs to the same step.
            gradient: one array for each state.
            weights: as they hand the gradient back.
        """


class Vanilla(Unit):
    """h' = act(W h + V x + b)."""

    gates = 1

    def forward(self, read: Reading, h: Paths, activation: WithSlope) -> tuple[Paths, tuple[Paths, ...]]:
        """As in `Unit`."""
        h, slope = activation(read.driven(0) + read.felt(0, before(h)))
        return h, (slope,)

    def back(self, at: tuple[Now, ...], gradient: tuple[Now, ...], weights: SideBySide) -> tuple[Now, ...]:
        """As in `Unit`."""
        return (weights @ (at[0] * gradient[0]),)


class LSTM(Unit):
    """c' = f c + i g and h' = o act(c')."""

    gates, states = 4, 2

    def forward(self, read: Reading, h: Paths, activation: WithSlope) -> tuple[Paths, tuple[Paths, ...]]:
        """As in `Unit`."""
        h = before(h)
        i, f, o = (read.gate(gate, h) for gate in (0, 1, 3))
        g, slope = activation(read.driven(2) + read.felt(2, h))
        c = _kept(f, i * g)
        shown, opened = activation(c)
        felt = i * (1 - i) * g, f * (1 - f) * before(c), i * slope
        return o * shown, (f, o * opened, *felt, o * (1 - o) * shown)

    def back(self, at: tuple[Now, ...], gradient: tuple[Now, ...], weights: SideBySide) -> tuple[Now, ...]:
        """As in `Unit`."""
        kept, opened, *felt, output = at
        by_c, by_h = gradient
        by_c = by_c + opened * by_h
        return kept * by_c, weights @ np.concatenate([*(each * by_c for each in felt), output * by_h], axis=1)


class GRU(Unit):
    """h' = (1 - z) act(V x + b + r (W h)) + z h."""

    gates = 3

    def forward(self, read: Reading, h: Paths, activation: WithSlope) -> tuple[Paths, tuple[Paths, ...]]:
        """As in `Unit`."""
        h = before(h)
        r, z, inner = read.gate(0, h), read.gate(1, h), read.felt(2, h)
        n, slope = activation(read.driven(2) + r * inner)
        slope *= 1 - z
        h = _kept(z, (1 - z) * n)
        return h, (z, r * (1 - r) * inner * slope, z * (1 - z) * (before(h) - n), r * slope)

    def back(self, at: tuple[Now, ...], gradient: tuple[Now, ...], weights: SideBySide) -> tuple[Now, ...]:
        """As in `Unit`."""
        kept, *felt = at
        return (kept * gradient[0] + weights @ np.concatenate([each * gradient[0] for each in felt], axis=1),)


class MGU(Unit):
    """h' = (1 - f) h + f act(V x + b + W (f h))."""

    gates = 2

    def forward(self, read: Reading, h: Paths, activation: WithSlope) -> tuple[Paths, tuple[Paths, ...]]:
        """As in `Unit`."""
        h = before(h)
        f = read.gate(0, h)
        n, slope = activation(read.driven(1) + read.felt(1, f * h))
        h = _kept(1 - f, f * n)
        slope_of_gate = f * (1 - f)
        return h, (f, f * slope, slope_of_gate * (n - before(h)), slope_of_gate * before(h))

    def back(self, at: tuple[Now, ...], gradient: tuple[Now, ...], weights: SideBySide) -> tuple[Now, ...]:
        """As in `Unit`."""
        f, candidate, by_gate, by_gated = at
        to_gate, to_candidate = np.split(weights, 2, axis=-1)
        inner = to_candidate @ (candidate * gradient[0])
        return ((1 - f) * gradient[0] + f * inner + to_gate @ (by_gate * gradient[0] + by_gated * inner),)


def before(paths: Paths) -> Paths:
    """One step before; zeros before the first."""
    return np.pad(paths[:, :, :-1], ((0, 0), (0, 0), (1, 0), (0, 0)))


def _kept(keep: Paths, write: Paths) -> Paths:
    """The states s' = keep s + write of all steps, from 0."""
    states, state = np.empty_like(keep), np.zeros_like(keep[:, :, 0])
    for t in range(keep.shape[2]):
        state = keep[:, :, t] * state + write[:, :, t]
        states[:, :, t] = state
    return states
