"""What each finding asks of the evidence. A rule says nothing where what it needs was not recorded."""

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float

from vgbench.diagnosis import thresholds
from vgbench.diagnosis.findings import Confidence, Finding
from vgbench.diagnosis.reading import Reading, recorded_in

_SWINGS_OVER = 5
"""Records that it takes to see a loss swing."""
_FALLS = 0.9
"""Share of the first loss below which the loss falls, however high it began."""


Rule = Callable[[Reading], Iterator[Finding]]


def exploding(run: Reading) -> Iterator[Finding]:
    """The signal grows towards the input at the start, or beyond all range, and the run does not learn or breaks."""
    if run.overflows and not run.learned:
        yield run.finding("exploding", "certain", _all(run))
    elif run.lost is not None and run.lost[0] <= -thresholds.LOST_DECADES and not run.learned:
        confidence: Confidence = "certain" if run.broken else "likely" if run.trains else "possible"
        yield run.finding(
            "exploding", confidence, _all(run), decades_gained=-run.lost[0], progress=_if_known(run.progress)
        )


def vanishing(run: Reading) -> Iterator[Finding]:
    """The signal shrinks towards the input at the start, the first layers stand still, nothing is learned.

    Or little is learned, and the signal still shrinks at the end.
    """
    if run.lost is None:
        yield from _vanishing_by_weights(run)
        return
    shrinks = run.lost >= thresholds.LOST_DECADES
    stays = bool(shrinks[-1]) and run.progress < thresholds.LITTLE and not run.shared
    if not (shrinks[0] or run.silent) or (run.learned and not stays) or run.broken:
        return
    lags = run.lag is not None and run.lag >= thresholds.LAG_DECADES
    faded = run.faded is not None and run.faded >= thresholds.FADED_DECADES
    if run.trains and not (lags or faded or run.shared):
        return
    confidence: Confidence = "certain" if run.trains and lags else "likely" if run.trains else "possible"
    yield run.finding(
        "vanishing",
        confidence,
        _first_third(run),
        decades_lost=float("inf") if run.silent else run.lost[0],
        lag_in_decades=run.lag,
        scale_lost_in_decades=run.faded,
        progress=_if_known(run.progress),
    )


def _vanishing_by_weights(run: Reading) -> Iterator[Finding]:
    """Where no signal was recorded: relative updates and gradients that shrink towards the input, nothing learned."""
    gradient = run.evidence.gradient
    if gradient is None or gradient.shape[1] < 3 or not run.trains or run.learned or run.broken:
        return
    with np.errstate(invalid="ignore"):
        lost = gradient[0, -1] - gradient[0, 0]
    lags = run.lag is not None and run.lag >= thresholds.LAG_DECADES
    if np.isfinite(lost) and lost >= thresholds.LOST_DECADES and lags:
        numbers = {"weight_gradient_decades_lost": float(lost), "lag_in_decades": run.lag}
        yield run.finding("vanishing", "likely", _first_third(run), **numbers)


def collapse(run: Reading) -> Iterator[Finding]:
    """Different inputs' signals are one at the last layer, and nothing is learned."""
    distance = run.evidence.distance
    if distance is None or not distance[-1] <= thresholds.COLLAPSED or run.learned or run.broken:
        return
    first = int(np.argmax(distance <= thresholds.COLLAPSED))
    layers = range(first, len(distance))
    confidence: Confidence = "certain" if run.trains else "possible"
    yield run.finding(
        "collapse", confidence, layers, log10_distance=float(distance[-1]), progress=_if_known(run.progress)
    )


def late(run: Reading) -> Iterator[Finding]:
    """The signal arrived at the start and vanished on the way, short of the goal."""
    if run.lost is None or len(run.lost) < 3 or run.broken or run.progress >= thresholds.MASTERED:
        return
    lost = run.lost
    gone = (lost >= thresholds.LOST_DECADES) & (lost >= lost[0] + thresholds.LOST_DECADES)
    if not run.arrives or not gone[-1]:
        return
    start = len(gone) - int(np.argmin(gone[::-1])) if not gone.all() else 0
    yield run.finding(
        "vanishing in training",
        "likely",
        _first_third(run),
        first=start,
        decades_lost_at_first=lost[0],
        decades_lost=lost[-1],
    )


def dead_units(run: Reading) -> Iterator[Finding]:
    """Units of a rectifier are flat for every example from the start, in most of a layer."""
    yield from _dead(run, at_first=True)


def died(run: Reading) -> Iterator[Finding]:
    """They were alive at first: steps that throw the weights about kill units, too."""
    yield from _dead(run, at_first=False)


def _dead(run: Reading, *, at_first: bool) -> Iterator[Finding]:
    if run.evidence.dead is None or run.evidence.flat not in ("below", "unknown") or run.learned:
        return
    dead = run.evidence.dead >= thresholds.DEAD
    layers = np.flatnonzero(dead[-1])
    if len(layers) and bool(dead[0].any()) is at_first:
        first = int(np.argmax(dead[:, layers].any(axis=1)))
        share = float(np.nanmax(run.evidence.dead[-1]))
        yield run.finding("dead units", "certain", layers, first=first, dead_share=share)


def saturation(run: Reading) -> Iterator[Finding]:
    """Units of a saturating activation lie on its flat ends from the start, in half of the layers."""
    saturated = run.evidence.saturated
    if saturated is None or run.evidence.flat != "both" or run.learned or run.broken:
        return
    layers = np.flatnonzero((saturated[[0, -1]] >= thresholds.SATURATED).all(axis=0))
    if len(layers) and len(layers) * 2 >= recorded_in(saturated).sum():
        yield run.finding("saturation", "likely", layers, saturated_share=float(np.nanmedian(saturated[-1])))


def underflow(run: Reading) -> Iterator[Finding]:
    """The signal arrives, and from the start most of a layer's gradient reads zero.

    Exactly it is not, but about as small as the dtype's smallest number.
    """
    yield from _underflow(run, at_first=True)


def underflow_later(run: Reading) -> Iterator[Finding]:
    """The same of a signal that does not arrive, or only after the start: it may follow from what else is wrong."""
    yield from _underflow(run, at_first=False)


def _underflow(run: Reading, *, at_first: bool) -> Iterator[Finding]:
    zero, gradient = run.evidence.zero, run.evidence.gradient
    if zero is None or gradient is None or run.learned or run.broken:
        return
    limit = np.log10(run.evidence.smallest) + thresholds.FLUSHED_WITHIN
    flushed = (zero >= thresholds.FLUSHED) & np.isfinite(gradient) & (gradient <= limit)
    layers = np.flatnonzero(np.median(flushed, axis=0) > 0)
    if len(layers) and (run.arrives and bool(flushed[0].any())) is at_first:
        share = float(np.median(zero, axis=0).max())
        yield run.finding("underflow", "likely", layers, zero_share=share, smallest_number=run.evidence.smallest)


def rate_too_small(run: Reading) -> Iterator[Finding]:
    """The signal arrives, nothing is learned, and no layer moves."""
    if not run.trains or run.learned or run.broken or not run.arrives or run.update is None:
        return
    quickest = float(np.nanmax(run.update, initial=0))
    moved = run.evidence.moved
    far = moved is not None and float(np.nanmedian(moved[-1])) >= thresholds.MOVED
    if 0 < quickest < thresholds.SLOW and not far:
        yield run.finding(
            "learning rate too small", "likely", _all(run), largest_relative_update=quickest, progress=run.progress
        )


def rate_too_large(run: Reading) -> Iterator[Finding]:
    """The signal arrives at the start; the loss breaks, rises or swings, or weights are thrown about."""
    if not run.trains or run.learned or not run.arrives:
        return
    typical = None if run.update is None else float(np.nanmedian(run.update))
    swings = 0.0 if run.broken or len(run.loss) < _SWINGS_OVER else _swing(run.loss[1:])
    rises = run.broken or _rises(run)
    quick = typical is not None and typical >= thresholds.QUICK
    if run.broken or quick or rises or swings >= thresholds.SWINGING:
        confidence: Confidence = "certain" if run.broken else "likely"
        yield run.finding(
            "learning rate too large", confidence, _all(run), median_relative_update=typical, swing=swings
        )


def _rises(run: Reading) -> bool:
    """Whether the loss went far beyond the constant answer's; where it began there, weights have to have moved."""
    late = float(np.median(run.loss[len(run.loss) // 2 :]))
    still = run.furthest is not None and run.furthest < thresholds.MOVED
    return not still and late > max(2 * run.chance, _FALLS * float(run.loss[0]))


def _swing(loss: Float[np.ndarray, "records"]) -> float:
    """Typical change from record to record, as a share of the typical level."""
    level = float(np.median(loss))
    return float(np.median(np.abs(np.diff(loss)))) / level if level > 0 else 0.0


def unlearnable(run: Reading) -> Iterator[Finding]:
    """The signal arrives, weights move as they should, and nothing is learned that holds for other examples."""
    if not run.trains or run.broken or not run.arrives or run.update is None:
        return
    accuracy, chance, stands = run.evidence.accuracy, run.evidence.chance_accuracy, not run.learned
    if accuracy is not None and chance is not None:  # what was learned by heart alone does not count
        stands = float(np.max(accuracy[-3:])) <= chance + thresholds.CHANCE_MARGIN
    typical = float(np.nanmedian(run.update))
    far = run.furthest is None or run.furthest >= thresholds.MOVED
    if stands and far and float(np.nanmax(run.update)) >= thresholds.SLOW and typical < thresholds.QUICK:
        yield run.finding("unlearnable", "likely", (), median_relative_update=typical, progress=run.progress)


def frozen(run: Reading) -> Iterator[Finding]:
    """Layers that never move although the signal passes them, and others do."""
    update = run.evidence.update
    if update is None or len(update) < 2:
        return
    still = (update == 0).all(axis=0)
    if still.any() and not still.all() and not (run.evidence.zero is not None and _flushed(run, still)):
        yield run.finding("frozen", "certain", np.flatnonzero(still), layers_frozen=float(still.sum()))


def _flushed(run: Reading, still: np.ndarray) -> bool:
    """Whether layers stand still because their gradients, not exactly zero, read zero."""
    zero, gradient = run.evidence.zero, run.evidence.gradient
    assert zero is not None
    reads_zero = bool((zero[:, still] >= 1).all())
    return reads_zero and gradient is not None and bool(np.isfinite(gradient[:, still]).all())


def zero_by_design(run: Reading) -> Iterator[Finding]:
    """Weights of the blocks have a gradient of exactly zero at the start while the signal arrives, and not after."""
    if _opens(run):
        yield run.finding("zero by design", "certain", _all(run)[1:-1])


def _opens(run: Reading) -> bool:
    gradient, signal = run.evidence.gradient, run.evidence.signal
    if gradient is None or gradient.shape[1] < 3 or (signal is not None and not np.isfinite(signal[0]).all()):
        return False
    blocks = np.isneginf(gradient[:, 1:-1])
    ends = np.isfinite(gradient[0, [0, -1]]).all()
    return bool(ends and blocks[0].all() and (len(blocks) == 1 or not blocks[1:].all()))


def converged(run: Reading) -> Iterator[Finding]:
    """The loss is all but gone, and other examples are answered, too."""
    if run.trains and run.progress >= thresholds.MASTERED and not any(unlearnable(run)):
        yield run.finding("converged", "certain", (), progress=run.progress)


RULES: tuple[Rule, ...] = (
    exploding,
    dead_units,
    saturation,
    collapse,
    underflow,
    rate_too_large,
    vanishing,
    late,
    died,
    underflow_later,
    rate_too_small,
    unlearnable,
    frozen,
    zero_by_design,
    converged,
)
"""In the order in which a run's first finding is its verdict: causes before what may follow from them."""


def _all(run: Reading) -> range:
    return range(len(run.evidence.names))


def _first_third(run: Reading) -> range:
    return range(max(1, len(run.evidence.names) // 3))


def _if_known(progress: float) -> float | None:
    return progress if np.isfinite(progress) else None
