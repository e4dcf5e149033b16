"""Recurrent networks at their initial gates: what is left of the gradient t steps back.

A vanilla network with an isometric matrix keeps the length map of its feed-forward relative, driven by its inputs. Of
gated cells the first-order map at a small state and gates as their biases leave them is taken: each eigenvalue w of the
square matrix (on the circle of radius `gain`) is a two by two map of (c, h), or a number, and the squared gradient is
the mean over the circle. By Parseval's identity a Gaussian matrix has the same mean as long as its powers stay those of
independent draws, which at few hundred units they do not for long.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Complex, Float
from scipy.special import exp1

from vgbench.mitigations.initializers import Signal, weight_variance
from vgbench.spec.case import Case
from vgbench.theory.backbone import MEAN_FIELD
from vgbench.theory.layers import curves_of
from vgbench.theory.prediction import Kind, NoTheory, Prediction, from_factors

Step = Callable[[Complex[np.ndarray, "states modes"]], Complex[np.ndarray, "states modes"]]

_ISOMETRIC = "orthogonal", "identity"
_STEPS = 2_000
_APART = 3
"""Ratio of rates beyond which none is named. Gates that start open by half have 2.4 and come within a sixth of what is
measured on the adding problem; an LSTM of forget bias 1 has 16, and is off by a factor of 4."""
_ONE_HOT = {"copy_memory": 1 / 10, "temporal_order": 1 / 6}
"""Mean square of the numbers of a symbol, one of which is 1, by the data that have so many kinds of them."""
_AT_BIASES = "gates as their biases leave them, a small state"


def predict_recurrent(case: Case) -> Prediction:
    """Predict a recurrent network of one cell; its depth is the number of time steps.

    Raises:
        NoTheory: no theory covers it.
    """
    model: Any = case.model
    if model.layers > 1:
        raise NoTheory("several cells one above the other: the gradient takes many ways back through time")
    if case.depth == 1:
        return from_factors(np.empty(0), "exact", (), ("one time step",))
    if case.cell.name not in _RULES:
        raise NoTheory(f"cell {case.cell.name!r}: no theory of it is known here")
    return _RULES[case.cell.name](case)


def _gain(case: Case) -> float:
    variance = weight_variance(case.init, Signal(case.activation, 0.0, raw=False), case.width, case.width)
    if variance is None:
        raise NoTheory(f"init {case.init.name!r}: the variance of its weights is not known here")
    return variance**0.5


def _vanilla(case: Case) -> Prediction:
    if case.init.name not in _ISOMETRIC:
        raise NoTheory(
            f"init {case.init.name!r}: a random matrix shared over time breaks mean field, whose layers are independent"
        )
    gain, gaps = _gain(case), case.depth - 1
    if case.activation.name == "linear":
        sources = ("Saxe, McClelland & Ganguli 2014",)
        return from_factors(np.full(gaps, gain**2), "exact", sources, ("an isometry at every step",))
    if case.init.name == "identity":
        raise NoTheory("init 'identity': its weights are not random, so that every step repeats the one before")
    curves = curves_of(case.activation)
    drive = case.cell.options()["input_scale"] ** 2 * _input_power(case)
    factors, square = np.empty(gaps), float(curves(drive).square)
    for t in range(gaps):
        at = curves(gain**2 * square + drive)
        square, factors[t] = float(at.square), gain**2 * float(at.slope)
    notes = ("the shared orthogonal matrix acts like a fresh one", f"inputs of mean square {_input_power(case):.3g}")
    return from_factors(factors, "asymptotic", (*MEAN_FIELD, "Chen, Pennington & Schoenholz 2018"), notes)


def _input_power(case: Case) -> float:
    """Mean square of the numbers read at a step; standardised data have 1."""
    if case.data.name == "adding":
        return (1 / 3 + 2 / case.depth) / 2  # a number from U[0, 1], and one of two marks
    return _ONE_HOT.get(case.data.name, 1.0)


def _lstm(case: Case) -> Prediction:
    forget = _sigmoid(case.cell.options()["forget_bias"])
    gate, gain = 0.5, _gain(case)
    _refuse_unsettled(forget, forget + gate**2 * gain)

    def back(at: np.ndarray) -> np.ndarray:
        # Forward, c' = forget c + gate W h and h' = gate c'.
        to_c = at[0] + gate * at[1]
        return np.stack([forget * to_c, gate * gain * _circle(case) * to_c])

    sources = ("Hochreiter & Schmidhuber 1997", "Jozefowicz, Zaremba & Sutskever 2015")
    return _order(case, back, np.asarray([0.0, 1.0]), sources)


def _gru(case: Case) -> Prediction:
    update = _sigmoid(case.cell.options()["update_bias"])
    mode = update + (1 - update) * 0.5 * _gain(case) * _circle(case)
    return _one_state(case, update, mode, ("Cho et al. 2014",))


def _mgu(case: Case) -> Prediction:
    gate = _sigmoid(-case.cell.options()["forget_bias"])
    mode = 1 - gate + gate**2 * _gain(case) * _circle(case)
    return _one_state(case, 1 - gate, mode, ("Zhou et al. 2016",))


def _one_state(case: Case, kept: float, mode: Complex[np.ndarray, "modes"], sources: tuple[str, ...]) -> Prediction:
    _refuse_unsettled(kept, float(np.abs(mode).max()))
    return _order(case, lambda at: at * mode, np.ones(1), sources)


def _chrono(case: Case) -> Prediction:
    # The cell's own path alone: b_f = ln u with u ~ U[1, steps - 1], so that forget = u / (1 + u).
    nodes, weights = np.polynomial.legendre.leggauss(400)
    low, high = 1.0, max(case.depth - 1.0, 1.0)
    u = low + (high - low) * (nodes + 1) / 2
    log_forget = np.log(u / (1 + u))
    steps = np.arange(case.depth)
    squares = np.exp(2 * np.multiply.outer(steps, log_forget)) @ (weights / 2)
    return _from_squares(squares, "order", ("Tallec & Ollivier 2018",), (_AT_BIASES, "the cell's own path alone"))


def _lru(case: Case) -> Prediction:
    cell: Any = case.cell
    low, high, t = cell.r_min, cell.r_max, np.arange(case.depth)
    # |lambda|^2 is uniform between the squared radii.
    squares = (high ** (2 * t + 2) - low ** (2 * t + 2)) / ((t + 1) * (high**2 - low**2))
    notes = (f"a width of {case.width} counts as large",)
    return _from_squares(squares, "asymptotic", ("Orvieto et al. 2023",), notes)


def _s5(case: Case) -> Prediction:
    cell: Any = case.cell
    low, high, t = cell.dt_min, cell.dt_max, np.arange(1, case.depth)
    # |lambda|^2 = exp(-dt) with ln dt uniform: the mean of exp(-dt t) is a difference of exponential integrals.
    squares = np.append(1.0, (exp1(low * t) - exp1(high * t)) / np.log(high / low))
    notes = (f"a width of {case.width} counts as large",)
    return _from_squares(squares, "asymptotic", ("Smith, Warrington & Linderman 2023",), notes)


def _order(case: Case, back: Step, start: Float[np.ndarray, "states"], sources: tuple[str, ...]) -> Prediction:
    """Follow the modes back from the last step's gradient, which is of h alone; takes time as the square of depth."""
    if case.depth > _STEPS:
        raise NoTheory(f"depth {case.depth}: gates are followed through {_STEPS:,} time steps at most")
    at = np.multiply.outer(start, np.ones(len(_circle(case)), np.complex128))
    factors = np.empty(case.depth - 1)
    for t in range(case.depth - 1):
        at = back(at)
        factors[-1 - t] = np.mean(np.sum(np.abs(at) ** 2, axis=0))
        at = at / factors[-1 - t] ** 0.5
    notes = (_AT_BIASES, "a small drive", "eigenvalues evenly on a circle")
    return from_factors(factors, "order", sources, notes)


def _circle(case: Case) -> Complex[np.ndarray, "modes"]:
    """Points on the unit circle, enough for the powers up to the number of steps."""
    count = 2 * case.depth + 1
    return np.exp(2j * np.pi * np.arange(count) / count)


def _from_squares(
    squares: Float[np.ndarray, "depth"], kind: Kind, sources: tuple[str, ...], assumptions: tuple[str, ...]
) -> Prediction:
    """From the squared norm t steps back, t = 0 to depth - 1."""
    with np.errstate(invalid="ignore", divide="ignore"):
        factors = (squares[1:] / squares[:-1])[::-1]
    return from_factors(factors, kind, sources, assumptions)


def _refuse_unsettled(kept: float, radius: float) -> None:
    """Refuse where the rate depends on how far the inputs saturate the cell.

    Saturation closes the way through h, so that a step keeps between `kept`, the gates' own path, and `radius`, the
    small state's map. Where these two rates are far apart, only the stationary distribution of the gates would tell
    the true one, and that differs from unit to unit with the weights that all steps share.
    """
    if radius > 1:
        raise NoTheory(f"a state that grows by {radius:.3g} a step at first, until its activations saturate")
    if np.log(kept) < _APART * np.log(radius):
        raise NoTheory(
            f"a step keeps between {kept:.3g} and {radius:.3g} of the gradient, by how far the inputs saturate the"
            " cell: too wide a range to name a rate"
        )


def _sigmoid(bias: float) -> float:
    return float(1 / (1 + np.exp(-bias)))


_RULES = {
    "rnn": _vanilla,
    "lstm": _lstm,
    "chrono_lstm": _chrono,
    "gru": _gru,
    "mgu": _mgu,
    "lru": _lru,
    "s5": _s5,
}
