"""Gradients and updates that are too small for their dtype, and weights that never change."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool

from vgbench.diagnosis import thresholds
from vgbench.diagnosis.findings import Confidence, Finding, Name
from vgbench.diagnosis.reading import Reading
from vgbench.diagnosis.rules.nonfinite import may_be_flushed

_NOTHING_ADDED = "the optimizer adds nothing to any weight, although they get gradients"
_WHY = "a learning rate or schedule of zero, a mask, or accumulation that never comes to a step"
_FLOAT16_BIN = 15
"""The bin of the histogram from 1e-8 to 1e-6, which holds float16's smallest number, 6e-8."""


def underflow(run: Reading) -> Iterator[Finding]:
    """Most of a layer's gradient reads zero since the dtype does not hold it.

    It shows by an exact norm near the dtype's smallest number, or by numbers that pile up just above that of float16.
    """
    zero = run.evidence.zero
    if zero is None or run.progress.mastered:
        return
    if run.zeroed[0]:
        return  # which has a name of its own
    flushed = zero >= thresholds.FLUSHED
    near, piled = _near(run), _piled(run)
    shown = (flushed & near) if near is not None else np.zeros_like(flushed)
    if piled is not None and piled.any():
        # A layer that reads zero wholly has no pile; its neighbours' tells.
        shown |= flushed if piled.any(axis=1).mean() > 0.5 else piled & flushed
    some = ~run.zeroed  # in the end nothing may be left to see
    layers = np.flatnonzero(np.median(shown[some], axis=0) > 0)
    if not len(layers):
        return
    share = float(np.nanmax(np.median(zero, axis=0)[layers]))
    confidence: Confidence = "likely" if near is not None or run.evidence.smallest is not None else "possible"
    if piled is not None and piled.any() and (run.evidence.smallest is None or near is not None):
        confidence = "likely"
    others: tuple[Name, ...] = () if run.arrives else ("vanishing",)  # of which small gradients come as well
    numbers = {"zero_share": share, "smallest": run.evidence.smallest}
    yield run.finding("underflow", confidence, run.layers(layers), alternatives=others, numbers=numbers)


def _near(run: Reading) -> Bool[np.ndarray, "records layers"] | None:
    """Where the gradient is near the smallest number; in 32 bits all layers are, or it vanishes on its way."""
    gradient, smallest = run.evidence.gradient, run.evidence.smallest
    if gradient is None or smallest is None:
        return None
    limit = np.log10(smallest) + thresholds.FLUSHED_WITHIN
    near = np.isfinite(gradient) & (gradient <= limit)
    far = smallest <= 10 * thresholds.SMALLEST
    return near & ~(gradient > limit).any(axis=1, keepdims=True) if far else near


def _piled(run: Reading) -> Bool[np.ndarray, "records layers"] | None:
    """Where nothing is below float16's smallest number, much reads zero, and much lies just above it."""
    histogram, zero, smallest = run.evidence.histogram, run.evidence.zero, run.evidence.smallest
    if histogram is None or zero is None or histogram.shape[-1] <= _FLOAT16_BIN:
        return None
    if smallest is not None and not 1e-8 <= smallest <= 1e-6:
        return None
    shares = np.nan_to_num(histogram)
    rest = 1 - shares[..., 0]
    below = shares[..., 1:_FLOAT16_BIN].sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        pile = np.where(rest > 0, shares[..., _FLOAT16_BIN] / rest, 0)
    piled = (below == 0) & (pile >= thresholds.PILED) & (zero >= thresholds.PILED)
    # Of gradients that float16 would flush, some in another dtype happen to look so, and most do not: they hold numbers
    # that float16 does not, or are as small and have no pile.
    low = (rest > 0) & (shares[..., _FLOAT16_BIN + 2 :].sum(axis=-1) == 0) & (zero >= thresholds.PILED)
    held = below > thresholds.HOLDS
    return piled & (2 * piled.sum(axis=1) > (low | held).sum(axis=1))[:, None]


def lost_to_rounding(run: Reading) -> Iterator[Finding]:
    """Updates that are not zero leave the weights as they were."""
    swallowed, update = _swallowed(run), run.update
    if run.progress.mastered or update is None:
        return
    if run.unmoving:
        others: tuple[Name, ...] = ("underflow",) if may_be_flushed(run) else ()
        yield run.finding(
            "updates not applied", "likely", run.evidence.names, meaning=_NOTHING_ADDED, hint=_WHY, alternatives=others
        )
        return
    rounded = None if swallowed is None else np.median(np.nan_to_num(swallowed), axis=0) >= thresholds.SWALLOWED
    lost = rounded if rounded is not None and rounded.mean() >= 0.5 else None if _fell(run) else _still(run)
    if lost is None or lost.mean() < 0.5 or np.isnan(update[lost]).all():
        return
    size = float(np.nanmedian(update[lost]))
    if size < thresholds.HELD and not run.heavy:
        return  # no dtype holds such a step: it is the step that is too small
    by_share = rounded is not None and lost is rounded
    if by_share and run.progress.little is False and run.progress.falls and not run.progress.settled:
        return  # a loss that falls on all the time shows that they arrive, as by rounding at random
    if swallowed is not None and not by_share and size < thresholds.APPLIED:
        return  # float32 holds most of such a step and may show the same norm
    name: Name = "updates lost to rounding" if by_share else "updates not applied"
    if swallowed is None and size < thresholds.LOSES:
        name = "updates lost to rounding"
    confidence: Confidence = "likely" if swallowed is None else "certain"
    share = None if swallowed is None else float(np.median(np.nan_to_num(swallowed), axis=0)[lost].max())
    layers = run.layers(np.flatnonzero(lost))
    yield run.finding(name, confidence, layers, median_relative_update=size, swallowed_share=share)


def _swallowed(run: Reading) -> np.ndarray | None:
    """The share that rounding swallows, of layers whose gradient is not zero in most numbers, and has not faded.

    What follows a momentum alone becomes as small as it likes, and so does what follows a gradient that is all but
    gone.
    """
    swallowed, zero = run.evidence.swallowed, run.evidence.zero
    if swallowed is None or zero is None:
        return swallowed
    without = np.nan_to_num(zero) >= thresholds.SWALLOWED
    faded = (run.let_go >= thresholds.LOST_FAR) & (np.nan_to_num(swallowed[0]) < thresholds.SWALLOWED)
    return np.where(without | faded, 0.0, swallowed)


def _fell(run: Reading) -> bool:
    """Whether the loss came down, as it does not without weights that change."""
    progress = run.progress
    return bool(progress.learned) or (
        progress.known and progress.start - progress.end > thresholds.UNMOVED * abs(progress.start)
    )


def _still(run: Reading) -> Bool[np.ndarray, "layers"] | None:
    """Layers whose weights have the same norm to the last digit at every record although updates are not zero."""
    weight, update = run.evidence.weight, run.evidence.update
    if weight is None or update is None or len(weight) < 3:
        return None
    same = np.isfinite(weight).all(axis=0) & (weight == weight[0]).all(axis=0)
    moves = (np.isfinite(update) & (update > 0)).mean(axis=0) > 0.5
    return np.asarray(same & moves)
