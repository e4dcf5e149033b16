"""Numbers that are not finite, and gradients that are exactly zero."""

from collections.abc import Iterator

import numpy as np

from vgbench.diagnosis import thresholds
from vgbench.diagnosis.findings import Confidence, Finding, Name
from vgbench.diagnosis.reading import Reading

_BY_OPTIMIZER = (
    "updates are not numbers although loss and gradients are, and nothing had grown before: the optimizer divides by"
    " zero, as by an epsilon that 16 bits round to zero"
)


def not_a_number(run: Reading) -> Iterator[Finding]:
    """Gradients, or the loss, are no numbers although nothing had grown before."""
    bad, loss_bad = _nonfinite_records(run)
    either = bad | loss_bad
    if not either.any() or run.overflows or run.progress.skipped:
        return
    k = int(np.argmax(either))
    since = run.evidence.nonfinite_since or {}
    if grew_before(run, k):
        return
    others = _may_have_grown(run, k)
    first = {kind: since[kind] for kind in ("loss", "gradients", "updates") if kind in since}
    from_gradients = bool(bad[k] and not loss_bad[k])
    if "loss" in first:
        from_gradients = min(first.values()) < first["loss"] or (from_gradients and k == 0)
    numbers: dict[str, float | None] = {f"{kind} no number since step": float(step) for kind, step in first.items()}
    if from_gradients or (bad[k] and k > 0 and not first):
        confidence: Confidence = "certain" if first or from_gradients else "possible"
        updates = "updates" in first and first["updates"] < first.get("gradients", np.inf)
        meaning, layers = _BY_OPTIMIZER if updates else "", _layers_of(run, k)
        yield run.finding(
            "not-a-number gradients", confidence, layers, first=k, meaning=meaning, alternatives=others, numbers=numbers
        )
    else:
        confidence = "certain" if k == 0 else "likely"
        yield run.finding("not-a-number loss", confidence, first=k, alternatives=others, numbers=numbers)


def grew_before(run: Reading, k: int) -> bool:
    """Whether the loss or weights had grown by decades up to record k, or the signal does: numbers then overflowed."""
    grown = run.grown is not None and run.grown >= thresholds.GROWN_DECADES
    steep = run.first_lost is not None and run.first_lost <= -thresholds.LOST_DECADES
    return bool(grown or steep or _peak(run, k) >= thresholds.BLOWN_UP)


def _may_have_grown(run: Reading, k: int) -> tuple[Name, ...]:
    """The causes that stay possible if steps up to record k were large, or the loss had risen, or nothing recorded
    shows whether it had.
    """
    if run.evidence.peak is None and k > 0:  # what the loss was between the records
        signal: tuple[Name, ...] = ("exploding",) if run.first_lost is None else ()
        return ("learning rate too large", *signal)
    quick = run.pace is not None and bool(
        run.pace[0] >= thresholds.QUICK_FIRST or (run.pace[1 : k + 1] >= thresholds.QUICK).any()
    )
    return ("learning rate too large",) if quick or _peak(run, k) > thresholds.PEAKED else ()


def gradients_zero(run: Reading) -> Iterator[Finding]:
    """No array of weights gets any gradient, from the start and at most records."""
    zeroed = run.zeroed
    if not zeroed[0] or zeroed.mean() < 0.5:
        return
    empty = "weights of some layers are all zero, so that no gradient passes them: draw them at random"
    hint, others = (empty, ()) if run.empty else ("", _may_also_be(run))
    confidence: Confidence = "likely" if {*others} - {"saturated loss"} else "certain"
    yield run.finding("gradients exactly zero", confidence, hint=hint, alternatives=others, records=float(zeroed.sum()))


def _may_also_be(run: Reading) -> tuple[Name, ...]:
    if may_be_flushed(run):
        return ("underflow",)
    dead: tuple[Name, ...] = ("dead units",) if run.evidence.dead is None else ()
    return dead if run.without_input[0].any() else (*dead, "saturated loss")


def may_be_flushed(run: Reading) -> bool:
    """Whether zeros may be numbers that 16 bits do not hold: by the dtype, or by a loss as small as they would be."""
    smallest, progress = run.evidence.smallest, run.progress
    level = run.evidence.chance or (progress.start if progress.known else None)
    half = smallest is not None and smallest >= thresholds.HALF
    return half or (level is not None and 0 < abs(level) < thresholds.TINY_LOSS)


def _nonfinite_records(run: Reading) -> tuple[np.ndarray, np.ndarray]:
    shares, losses = run.evidence.nonfinite, run.evidence.nonfinite_loss
    none = np.zeros(len(run.evidence.step), bool)
    bad = none if shares is None else np.nansum(shares, axis=1) > 0
    return bad, none if losses is None else losses


def _layers_of(run: Reading, k: int) -> tuple[str, ...]:
    shares = run.evidence.nonfinite
    return () if shares is None else run.layers(np.flatnonzero(np.nan_to_num(shares[k]) > 0))


def _peak(run: Reading, k: int) -> float:
    """How many times the first loss the largest one before the numbers broke was, which record k still has."""
    peak = run.evidence.peak
    known = np.empty(0) if peak is None else peak[: k + 1]
    known = known[np.isfinite(known)]
    start = abs(run.progress.start) if len(run.progress.losses) else 0.0
    return float(known.max()) / start if len(known) and start > 0 else 0.0
