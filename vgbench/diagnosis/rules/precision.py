"""Gradients and updates that are too small for their dtype, and weights that never change."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool

from vgbench.diagnosis import thresholds
from vgbench.diagnosis.findings import Confidence, Finding
from vgbench.diagnosis.reading import Reading

_FLOAT16_BIN = 15
"""The bin of the histogram from 1e-8 to 1e-6, which holds float16's smallest number, 6e-8."""


def underflow(run: Reading) -> Iterator[Finding]:
    """Most of a layer's gradient reads zero since the dtype does not hold it.

    It shows by an exact norm near the dtype's smallest number, or by numbers that pile up just above that of float16.
    """
    zero = run.evidence.zero
    if zero is None or run.progress.mastered:
        return
    flushed = zero >= thresholds.FLUSHED
    near, piled = _near(run), _piled(run)
    shown = (flushed & near) if near is not None else np.zeros_like(flushed)
    if piled is not None and piled.any():
        # A layer that reads zero wholly has no pile; its neighbours' tells.
        shown |= flushed if piled.any(axis=1).mean() > 0.5 else piled & flushed
    layers = np.flatnonzero(np.median(shown, axis=0) > 0)
    if not len(layers):
        return
    share = float(np.nanmax(np.median(zero, axis=0)[layers]))
    confidence: Confidence = "likely" if near is not None or run.evidence.smallest is not None else "possible"
    if piled is not None and piled.any() and (run.evidence.smallest is None or near is not None):
        confidence = "likely"
    yield run.finding("underflow", confidence, run.layers(layers), zero_share=share, smallest=run.evidence.smallest)


def _near(run: Reading) -> Bool[np.ndarray, "records layers"] | None:
    gradient, smallest = run.evidence.gradient, run.evidence.smallest
    if gradient is None or smallest is None:
        return None
    limit = np.log10(smallest) + thresholds.FLUSHED_WITHIN
    return np.isfinite(gradient) & (gradient <= limit)


def _piled(run: Reading) -> Bool[np.ndarray, "records layers"] | None:
    """Where nothing is below float16's smallest number, much reads zero, and much lies just above it."""
    histogram, zero, smallest = run.evidence.histogram, run.evidence.zero, run.evidence.smallest
    if histogram is None or zero is None or histogram.shape[-1] <= _FLOAT16_BIN:
        return None
    if smallest is not None and not 1e-8 <= smallest <= 1e-6:
        return None
    shares = np.nan_to_num(histogram)
    rest = 1 - shares[..., 0]
    none_below = shares[..., 1:_FLOAT16_BIN].sum(axis=-1) == 0
    with np.errstate(divide="ignore", invalid="ignore"):
        pile = np.where(rest > 0, shares[..., _FLOAT16_BIN] / rest, 0)
    return none_below & (pile >= thresholds.PILED) & (zero >= thresholds.PILED)


def lost_to_rounding(run: Reading) -> Iterator[Finding]:
    """Updates that are not zero leave the weights as they were."""
    swallowed = run.evidence.swallowed
    if run.progress.mastered:
        return
    if swallowed is not None:
        typical = np.nan_to_num(np.nanmedian(np.where(np.isnan(swallowed), 0, swallowed), axis=0))
        layers = np.flatnonzero(typical >= thresholds.SWALLOWED)
        if len(layers) * 2 >= len(typical) and len(layers):
            yield run.finding(
                "updates lost to rounding", "certain", run.layers(layers), swallowed_share=float(typical[layers].max())
            )
        return
    still = _still(run)
    if still is None or not still.any() or still.mean() < 0.5:
        return
    assert run.update is not None
    size = float(np.nanmedian(run.update[still]))
    if size < max(thresholds.ROUNDS_AT.values()):
        yield run.finding(
            "updates lost to rounding", "likely", run.layers(np.flatnonzero(still)), median_relative_update=size
        )
    else:
        yield run.finding(
            "updates not applied", "likely", run.layers(np.flatnonzero(still)), median_relative_update=size
        )


def _still(run: Reading) -> Bool[np.ndarray, "layers"] | None:
    """Layers whose weights have the same norm to the last digit at every record although updates are not zero."""
    weight, update = run.evidence.weight, run.evidence.update
    if weight is None or update is None or len(weight) < 3:
        return None
    same = np.isfinite(weight).all(axis=0) & (np.ptp(weight, axis=0) == 0)
    moves = (np.isfinite(update) & (update > 0)).mean(axis=0) > 0.5
    return np.asarray(same & moves)
