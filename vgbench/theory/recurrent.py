"""Recurrent networks at initialisation: what is left of the gradient t steps back.

An isometric matrix keeps the length map of its feed-forward relative where all steps read inputs of one size, and
diagonal state spaces forget by their radii. Of the other cells, networks are drawn.
"""

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import exp1

from vgbench.mitigations.initializers import Signal, weight_variance
from vgbench.spec.case import Case
from vgbench.theory.backbone import MEAN_FIELD
from vgbench.theory.layers import curves_of
from vgbench.theory.prediction import Kind, NoTheory, Prediction, from_factors
from vgbench.theory.recurrent_draws import UNITS, predict_drawn

_ISOMETRIC = "orthogonal", "identity"
_UNEVEN = "digits", "ucr"
"""Data whose inputs differ in size from step to step."""
_ONE_HOT = {"copy_memory": 1 / 10, "temporal_order": 1 / 6}
"""Mean square of the numbers of a symbol, one of which is 1, by the data that have so many kinds of them."""


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
        return _drawn(case)
    gain, gaps = _gain(case), case.depth - 1
    if case.activation.name == "linear":
        sources = ("Saxe, McClelland & Ganguli 2014",)
        return from_factors(np.full(gaps, gain**2), "exact", sources, ("an isometry at every step",))
    if case.init.name == "identity" or case.data.name in _UNEVEN:
        return _drawn(case)
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


def _drawn(case: Case) -> Prediction:
    if case.init.name == "identity":
        raise NoTheory("init 'identity': its weights are not random, so that every step repeats the one before")
    return predict_drawn(case, _gain(case))


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


def _from_squares(
    squares: Float[np.ndarray, "depth"], kind: Kind, sources: tuple[str, ...], assumptions: tuple[str, ...]
) -> Prediction:
    """From the squared norm t steps back, t = 0 to depth - 1."""
    with np.errstate(invalid="ignore", divide="ignore"):
        factors = (squares[1:] / squares[:-1])[::-1]
    return from_factors(factors, kind, sources, assumptions)


_RULES = {"rnn": _vanilla, "lru": _lru, "s5": _s5} | {name: _drawn for name in UNITS if name != "rnn"}
