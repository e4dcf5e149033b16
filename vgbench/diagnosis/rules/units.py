"""What units give: dead, died, saturated, one for all inputs, one-hot in attention."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from vgbench.diagnosis import thresholds
from vgbench.diagnosis.findings import Confidence, Finding, Name
from vgbench.diagnosis.reading import Reading
from vgbench.diagnosis.trend import first_of
from vgbench.diagnosis.weights import recorded_in


def dead_units(run: Reading) -> Iterator[Finding]:
    """Most units of a layer are flat for every example, from the start or later, and little is learned."""
    dead, flat = run.evidence.dead, run.evidence.flat
    if flat not in ("below", "unknown") or not run.trains:
        return
    if dead is None:
        yield from _dead_by_biases(run)
        yield from _died_by_gradients(run)
        return
    dead = np.where(run.finite[:, None], dead, np.nan)
    if not _hurts(run) or np.isnan(dead).all():
        return
    many = np.nan_to_num(dead) >= thresholds.DEAD
    layers = np.flatnonzero(many[_last_known(dead)])
    if not len(layers):
        return
    share = float(np.nanmax(dead[_last_known(dead)]))
    if many[0, layers].any():
        yield run.finding("dead units", "certain", run.places(layers), dead_share=share)
    elif not run.silent and (run.first_lost or 0.0) < thresholds.LOST_DECADES:  # else it follows from the signal's loss
        first = int(np.argmax(many[:, layers].any(axis=1)))
        at_first = float(np.nanmax(dead[0, layers]))
        yield run.finding(
            "units that died", "certain", run.places(layers), first=first, dead_share=share, dead_at_first=at_first
        )


def _dead_by_biases(run: Reading) -> Iterator[Finding]:
    """A layer's weights get no gradient and its bias does: the units before it give nothing for any example."""
    cut = run.without_input
    if not cut.size or run.empty or not _hurts(run):
        return
    inputs = np.arange(cut.shape[1]) == first_of(run.evidence.names)  # which are no units
    layers = np.flatnonzero(cut[-1] & (cut.mean(axis=0) >= 0.5) & ~inputs)
    if not len(layers) or run.input_scale == 0:
        return
    from_start = bool(cut[0, layers].any())
    first = 0 if from_start else int(np.argmax(cut[:, layers].any(axis=1)))
    name: Name = "dead units" if from_start else "units that died"
    yield run.finding(name, "likely", run.layers(layers), first=first, layers_without_input=float(len(layers)))


def _died_by_gradients(run: Reading) -> Iterator[Finding]:
    """The gradients of all layers were not zero at the start and have become so."""
    died = run.zeroed
    if not died[-1] or died[0] or _tiny(run):
        return
    if run.progress.known and (not run.progress.end > 1e-6 * abs(run.progress.start) or run.stranded):
        return  # nothing is left to learn, or the loss itself is flat
    yield _died_since(run, died, "likely")


def died_possibly(run: Reading) -> Iterator[Finding]:
    """Most numbers of most layers' gradients have become zero where nobody looked at the units."""
    zero, known = run.evidence.zero, run.evidence.dead is not None or run.evidence.flat not in ("below", "unknown")
    if zero is None or known or run.zeroed[0] or run.zeroed[-1] or not _hurts(run) or _tiny(run):
        return
    mostly = np.nan_to_num(zero) >= thresholds.ZEROED
    alive = np.nan_to_num(zero[0], nan=1.0) < thresholds.ALIVE
    died = (mostly & alive).sum(axis=1) * 2 > max(1, len(alive))
    if died[-1]:
        yield _died_since(run, died, "possible")


def _died_since(run: Reading, died: Bool[np.ndarray, "records"], confidence: Confidence) -> Finding:
    zero = run.evidence.zero
    first = len(died) - int(np.argmin(died[::-1])) if not died.all() else 0
    numbers = None if zero is None else float(np.nanmin(zero[-1]))
    return run.finding("units that died", confidence, run.evidence.names, first=first, zero_share_of_gradients=numbers)


def _tiny(run: Reading) -> bool:
    """Whether gradients were so small before that zeros may be flushed ones."""
    gradient = run.evidence.gradient
    if gradient is None:
        return False
    finite = gradient[np.isfinite(gradient)]
    return len(finite) > 0 and bool(np.median(finite) < np.log10(run.evidence.smallest or 1e-30) + 4)


def saturation(run: Reading) -> Iterator[Finding]:
    """Units of a saturating activation lie on its flat ends in half of the layers, and little is learned."""
    if (found := _saturated(run)) is not None and not _grew_into(run, found):
        yield found


def saturated_by_steps(run: Reading) -> Iterator[Finding]:
    """The same since weights grew by decades, so that what made them grow comes first."""
    if (found := _saturated(run)) is not None and _grew_into(run, found):
        yield found


def _grew_into(run: Reading, found: Finding) -> bool:
    later = found.steps[0] > int(run.evidence.step[0])
    return later and run.grown is not None and run.grown >= thresholds.GROWN_DECADES


def _saturated(run: Reading) -> Finding | None:
    saturated = run.evidence.saturated
    if saturated is None or run.evidence.flat not in ("both", "unknown") or not _hurts(run) or run.progress.broken:
        return None
    if run.evidence.flat == "unknown" and run.evidence.dead is not None:
        return None  # a rectifier's flat side is no saturation
    many = np.nan_to_num(saturated) >= thresholds.SATURATED
    last = _last_known(saturated)
    layers = np.flatnonzero(many[last])
    if not len(layers) or len(layers) * 2 < recorded_in(saturated).sum():
        return None
    first = 0 if many[0, layers].any() else int(np.argmax(many[:, layers].any(axis=1)))
    share = float(np.nanmedian(saturated[last]))
    return run.finding("saturation", "likely", run.places(layers), first=first, saturated_share=share)


def collapse(run: Reading) -> Iterator[Finding]:
    """Different inputs' signals are one at the last layer, still approach there, and little is learned."""
    gathered = run.gathered
    if gathered is None or not run.trains or not run.progress.poor or run.progress.broken:
        return
    layers = range(2 * len(run.evidence.places) // 3, len(run.evidence.places))
    yield run.finding(
        "collapse", "certain", run.places(layers), log10_distance_lost=-gathered, progress=run.progress.share
    )


def attention_logits(run: Reading) -> Iterator[Finding]:
    """The largest attention score has grown beyond what a softmax in single precision distinguishes."""
    logits = run.evidence.largest_logit
    if logits is None or run.progress.mastered:
        return
    known = logits[:, recorded_in(logits)]
    layers = np.flatnonzero(recorded_in(logits))[known[-1] >= thresholds.LOGITS]
    if len(layers):
        first, last = float(np.nanmax(known[0])), float(np.nanmax(known[-1]))
        confidence: Confidence = "likely" if last >= 2 * first else "possible"
        yield run.finding("attention logits grow", confidence, run.places(layers), at_first=first, largest_score=last)


def _hurts(run: Reading) -> bool:
    return run.trains and run.progress.known and (run.progress.poor or run.progress.broken)


def _last_known(values: Float[np.ndarray, "records places"]) -> int:
    """The last record that says something."""
    return int(np.flatnonzero(~np.isnan(values).all(axis=1))[-1])
