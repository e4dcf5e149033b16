"""The signs by which vanishing gradients are said to be recognised, and how many cells show them.

A cell shows a sign where at least half of its seeds do. Its exact profile alone decides whether its gradient vanishes.
"""

from collections.abc import Callable, Sequence

import numpy as np
import scipy
from jaxtyping import Bool

from vgbench.claims.statistics import Measured, ends_of_loss
from vgbench.diagnosis.thresholds import LOST_DECADES
from vgbench.measure.training import TrainingCurves
from vgbench.spec.registry import SIGNS
from vgbench.statistics import CONFIDENCE, Interval

Shown = Bool[np.ndarray, "seeds"]
Sign = Callable[[TrainingCurves], Shown]

_FLUSHED_BINS = 104
"""Bins of the gradient histogram whose entries are below 2**-23."""


def vanishes(curves: TrainingCurves) -> Shown:
    """Whether the signal loses 1.5 decades from the last layer to the first, in the median over training."""
    norms = curves.snapshots.log10_activation_norm
    with np.errstate(invalid="ignore"):
        kept = norms[..., 0] - norms[..., -1]
    return np.asarray(_median(kept) <= -LOST_DECADES)


@SIGNS.register(source="Glorot & Bengio 2010")
def weights_converge(curves: TrainingCurves) -> Shown:
    """The weights of the first layers stop moving.

    Over the second half of training those of the first third of the hidden layers move by less than 0.01 of their
    initial norm.
    """
    hidden = curves.snapshots.displacement[..., :-1]
    first = hidden[..., : max(1, hidden.shape[-1] // 3)]
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(first[:, -1] - first[:, _middle(curves)]).mean(axis=1) < 0.01)


@SIGNS.register(source="Glorot & Bengio 2010")
def plateau(curves: TrainingCurves) -> Shown:
    """Over the second half of training the validation metric improves by less than 0.01, in its unit."""
    score, middle = curves.metric.score(curves.validation_metric), _middle(curves)
    with np.errstate(invalid="ignore"):  # infinite throughout
        return np.asarray(~(score[:, middle:].max(axis=1) - score[:, middle] >= 0.01))


@SIGNS.register(source="Zhang, Zhai, Ma & Shen 2021")
def stagnant_loss(curves: TrainingCurves) -> Shown:
    """The training loss of the last tenth of steps is at least 0.9 of that of the first tenth."""
    first, last = ends_of_loss(curves)
    return np.asarray(last >= 0.9 * first)


@SIGNS.register(source="Zhang, Zhai, Ma & Shen 2021: oscillating loss")
def irregular_curves(curves: TrainingCurves) -> Shown:
    """The validation metric worsens by 0.03 or more, in its unit, from one record to the next.

    It does so at a fifth of the records or more.
    """
    if len(curves.step) < 2:
        return np.zeros(len(curves.loss), bool)
    with np.errstate(invalid="ignore"):
        gained = np.diff(curves.metric.score(curves.validation_metric), axis=1)
    return np.asarray((gained <= -0.03).mean(axis=1) >= 0.2)


@SIGNS.register(source="Zhang, Zhai, Ma & Shen 2021: vanishing gradient")
def small_gradient_ratio(curves: TrainingCurves) -> Shown:
    """||dL/dW|| of the first layer is below 1e-4, and below 1e-3 of the output layer's, in the median over training."""
    norms = curves.snapshots.log10_parameter_norm
    with np.errstate(invalid="ignore"):
        ratio = norms[..., 0] - norms[..., -1]
    return np.asarray((_median(norms[..., 0]) < -4) & (_median(ratio) < -3))


@SIGNS.register(source="DLCheck")
def small_gradient_norm(curves: TrainingCurves) -> Shown:
    """||dL/dW|| of some layer is above 0 and below 1e-7 in the median over training."""
    norms = np.median(curves.snapshots.log10_parameter_norm, axis=1)
    return np.asarray((np.isfinite(norms) & (norms < -7)).any(axis=1))


@SIGNS.register(source="Glorot & Bengio 2010")
def histogram_at_zero(curves: TrainingCurves) -> Shown:
    """The histogram of the first layer's gradient piles up at zero.

    Over half of the entries of its dL/dW are below 2**-23, about 1e-7, in the median over training.
    """
    counts = curves.snapshots.gradient_histogram[:, :, 0].astype(np.float64)
    share = counts[..., :_FLUSHED_BINS].sum(axis=-1) / np.maximum(counts.sum(axis=-1), 1)
    return np.asarray(_median(share) > 0.5)


def wilson(successes: int, trials: int) -> Interval:
    """A share with its 95 % score interval (Wilson 1927), which holds for few trials and near 0 and 1 as well."""
    if trials == 0:
        return Interval(*[float("nan")] * 3)
    low, high = scipy.stats.binomtest(successes, trials).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(successes / trials, float(low), float(high))


def split(measured: Sequence[Measured]) -> tuple[list[Measured], list[Measured]]:
    """The trained cells whose gradient vanishes, and those whose does not; of a cell half of its seeds decide."""
    trained = [each for each in measured if each.curves is not None]
    gone = [each for each in trained if _half(each, vanishes)]
    return gone, [each for each in trained if not _half(each, vanishes)]


def showing(sign: str, measured: Sequence[Measured]) -> int:
    """How many of these trained cells show a sign; cells are counted, not seeds, which are all but alike."""
    return sum(_half(each, SIGNS[sign].function) for each in measured)


def _half(measured: Measured, shows: Sign) -> bool:
    return measured.curves is not None and bool(shows(measured.curves).mean() >= 0.5)


def _middle(curves: TrainingCurves) -> int:
    """The index of the record at half of the steps."""
    return int(np.searchsorted(curves.step, curves.step[-1] / 2))


def _median(records: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.median(records, axis=1)
