"""Recurrent networks on the sequences that they read: units are drawn along their paths, at the width of the case.

Pre-activations of a wide network are Gaussian, with the covariance over time and examples that its inputs and the
outputs of other units give. The outputs are found by rounds, each with units and weights drawn anew, as if they were
layers: it is exact for as many steps as there are rounds, and converges as cells forget. The gradient goes back through
the units of the last round and through matrices that are drawn apart from them (gradient independence), but that
remain the same at all steps.

Units keep what their gates read on average, so that few of them carry the gradient over long times. How much arrives
differs by decades from network to network, and its mean square grows without limit with the width. So the networks are
as wide as the case's, and what is averaged is the logarithm of the norm.
"""

from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from vgbench.data import load_dataset
from vgbench.errors import InputError
from vgbench.mitigations.mean_field import with_slope
from vgbench.spec.case import Case
from vgbench.spec.registry import ACTIVATIONS
from vgbench.statistics import slope
from vgbench.theory.prediction import NoTheory, Prediction
from vgbench.theory.recurrent_units import GRU, LSTM, MGU, Matrix, Paths, Reading, Unit, Vanilla, WithSlope

_ROUNDS = 6
_OPERATIONS, _NUMBERS = 2**27, 2**21
"""Multiplications by the square matrices of one gate, and numbers in one array of paths, that are allowed."""
_NETWORKS, _EXAMPLES = 8, 16
"""Networks, of which there are more where examples leave room; and examples at most."""
_FEWEST_NETWORKS = 2
_UNSETTLED = 1.5
"""How many times larger outputs are after all rounds than after half of them, in mean square, that have not settled:
twice where every round adds as much."""
_SCATTERS = 2
"""Standard deviations of networks from 0 within which a mean names no rate: one in 40 goes the other way beyond."""
_AT_HAND = "adding", "copy_memory", "digits", "gaussian", "gaussian_stream", "temporal_order", "ucr"

UNITS: dict[str, Unit] = {"rnn": Vanilla(), "lstm": LSTM(), "chrono_lstm": LSTM(), "gru": GRU(), "mgu": MGU()}
_SOURCES = "Chen, Pennington & Schoenholz 2018", "Gilboa et al. 2019", "Can, Krishnamurthy & Schwab 2020"


def predict_drawn(case: Case, gain: float) -> Prediction:
    """Predict a recurrent network of one cell, of which `UNITS` has one.

    Args:
        case: whose depth is the number of time steps.
        gain: of the square matrices, the root of their variance times the width.

    Raises:
        NoTheory: its sequences are not at hand, or networks like it differ too much.
    """
    norms = log10_norms(case, gain)
    steps = np.arange(case.depth, dtype=np.float64)
    decays = np.asarray([-slope(steps, each) for each in norms])
    mean, scatter = float(decays.mean()), float(decays.std(ddof=1))
    if abs(mean) < _SCATTERS * scatter and scatter * case.depth > 1:
        raise NoTheory(
            f"networks of {case.width} such units differ by {scatter:.2g} decades a step, and their mean is"
            f" {mean:+.2g}: too close to 0 to say which way"
        )
    notes = ("Gaussian pre-activations", "gradient independence", f"mean logarithm of {len(norms)} drawn networks")
    return Prediction(norms.mean(axis=0), "order", _SOURCES, notes)


def log10_norms(case: Case, gain: float) -> Float[np.ndarray, "draws depth"]:
    """log10 of ||dL/dh_l|| / ||dL/dh_depth|| of drawn networks, over all examples."""
    x = _sequences(case)
    size = case.width * case.depth
    room = min(_NUMBERS, _OPERATIONS // case.width) / size
    if room < _FEWEST_NETWORKS / 2:
        raise NoTheory(f"{case.depth} steps of {case.width} units: networks of that size are too large to draw here")
    examples = int(np.clip(room / _NETWORKS, 1, min(len(x), case.batch_size, _EXAMPLES)))
    draws = max(int(room / examples), _FEWEST_NETWORKS)
    network = _Networks(case, gain, draws, np.random.default_rng(0))
    return network.back(network.paths(np.moveaxis(x[:examples], 0, -1).swapaxes(0, 1)))


class _Networks:
    """Networks drawn side by side."""

    def __init__(self, case: Case, gain: float, draws: int, random: np.random.Generator) -> None:
        self.case, self.gain, self.draws, self.random = case, gain, draws, random
        self.unit = UNITS[case.cell.name]

    def paths(self, inputs: Float[np.ndarray, "inputs steps examples"]) -> tuple[Paths, ...]:
        """What the gradient needs to know of units that read these sequences."""
        h = np.zeros((self.draws, self.case.width, *inputs.shape[1:]))
        known: tuple[Paths, ...] = ()
        squares: list[float] = []
        for _ in range(_ROUNDS):
            h, known = self.unit.forward(self._reading(inputs), h, _function(self.case))
            squares.append(float(np.square(h).mean()))
        if not squares[-1] < squares[_ROUNDS // 2 - 1] * _UNSETTLED:
            raise NoTheory("its outputs add up over the steps: what a unit reads depends on all of them")
        return known

    def back(self, known: tuple[Paths, ...]) -> Float[np.ndarray, "draws depth"]:
        """The gradient's norms, as `log10_norms` has them."""
        by_step = [np.ascontiguousarray(np.moveaxis(each, 2, 0)) for each in known]
        weights = np.concatenate(self._matrices(), axis=-1)
        start = np.broadcast_to(self.random.normal(size=(self.draws, self.case.width, 1)), by_step[0].shape[1:])
        gradient = (*[np.zeros_like(start)] * (self.unit.states - 1), start)
        norms = np.zeros((self.draws, self.case.depth))
        for t in range(self.case.depth - 1, -1, -1):
            norm = np.sqrt(sum(np.square(each).sum(axis=(1, 2)) for each in gradient))
            norms[:, t] = np.log10(norm)
            gradient = tuple(each / norm[:, None, None] for each in gradient)
            if t:
                gradient = self.unit.back(tuple(each[t] for each in by_step), gradient, weights)
        return np.cumsum(norms[:, ::-1], axis=1)[:, ::-1] - norms[:, -1:]

    def _reading(self, inputs: Float[np.ndarray, "inputs steps examples"]) -> Reading:
        shape = self.unit.gates, self.draws, self.case.width
        scale = self.case.cell.options().get("input_scale", 1.0) / len(inputs) ** 0.5
        drawn = scale * self.random.normal(size=(*shape, len(inputs)))
        return Reading(inputs, drawn, self._biases(shape), self._matrices())

    def _biases(self, shape: tuple[int, int, int]) -> Float[np.ndarray, "gates draws width"]:
        biases, options = np.zeros(shape), self.case.cell.options()
        match self.case.cell.name:
            case "lstm":
                biases[1] = options["forget_bias"]
            case "chrono_lstm":
                biases[1] = np.log(self.random.uniform(1, max(self.case.depth - 1, 1), size=shape[1:]))
                biases[0] = -biases[1]
            case "gru":
                biases[1] = options["update_bias"]
            case "mgu":
                biases[0] = -options["forget_bias"]
        return biases

    def _matrices(self) -> list[Matrix]:
        return [self._matrix() for _ in range(self.unit.gates)]

    def _matrix(self) -> Matrix:
        width = self.case.width
        drawn = self.random.normal(size=(self.draws, width, width))
        if self.case.init.name not in ("orthogonal", "delta_orthogonal"):
            return self.gain / width**0.5 * drawn
        q, r = np.linalg.qr(drawn)
        # With these signs it is uniform, and the same for every way to factorise.
        return self.gain * q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]


def _function(case: Case) -> WithSlope:
    return _tanh if case.activation.name == "tanh" else partial(with_slope, partial(ACTIVATIONS.build, case.activation))


def _tanh(z: Paths) -> tuple[Paths, Paths]:
    """As `with_slope` has it, but 20 times faster: nearly all cells use it, and on millions of numbers."""
    values = np.tanh(z)
    return values, 1 - values * values


def _sequences(case: Case) -> Float[np.ndarray, "examples steps inputs"]:
    """Sequences that are held out to validate, which are like those of the batch."""
    data: Any = case.data
    if data.name not in _AT_HAND or data.options().get("path"):
        raise NoTheory(f"data {data.name!r}: lie in a user's files, which theory does not read")
    try:
        x = load_dataset(case).validation.x
    except InputError as error:
        raise NoTheory(str(error)) from None
    if x.shape[1] % case.depth:
        raise NoTheory(f"the {x.shape[1]} numbers of an example do not divide into {case.depth} steps")
    return np.asarray(x[:_EXAMPLES], np.float64).reshape(-1, case.depth, x.shape[1] // case.depth)
