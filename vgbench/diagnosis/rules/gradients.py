"""Gradients that shrink on their way: at the start, in training, or in all layers at once."""

from collections.abc import Iterator

import numpy as np

from vgbench.diagnosis import thresholds
from vgbench.diagnosis.findings import Confidence, Finding, Name
from vgbench.diagnosis.reading import Reading
from vgbench.diagnosis.rules.learning_rate import rises
from vgbench.diagnosis.rules.probabilities import may_be_probabilities

_OVER_TIME = (
    "the back-propagated gradient shrinks on its way back over the time steps, so that early inputs are not learned"
)
_DECAYED = "the weights have shrunk away, as by a weight decay that outweighs the gradient, and signals with them"
_CELLS = "a gated cell (LSTM or GRU) with forget gates that begin open, or orthogonal recurrent weights"


def vanishing(run: Reading) -> Iterator[Finding]:
    """The signal shrinks towards the input at the start, the first layers stand still, and little is learned."""
    if not _stuck(run) or _opens(run) or run.first_held:
        return  # layers that are held still do not tell whether a signal would move them
    if run.first_lost is None and not run.silent:
        yield from _by_weights(run)
        return
    lost = run.first_lost or 0.0
    if not run.silent and lost < thresholds.LOST_DECADES:
        return
    faded = run.faded is not None and run.faded >= thresholds.FADED_DECADES
    if run.still_lost and (run.evidence.timed or run.lags or faded):
        yield _vanishes(run, "certain" if run.lags or run.evidence.timed else "likely")


def vanishing_unexplained(run: Reading) -> Iterator[Finding]:
    """The signal loses decades at the start, an optimizer makes up for it, and nothing is learned all the same."""
    lost = float("inf") if run.silent else run.first_lost or 0.0
    held_up = _stuck(run) and not (_opens(run) or run.first_held)
    if held_up and lost >= thresholds.LOST_FAR and run.still_lost:
        yield _vanishes(run, "possible")


def _vanishes(run: Reading, confidence: Confidence) -> Finding:
    timed = run.evidence.timed
    return run.finding(
        "vanishing",
        confidence,
        run.first_places,
        meaning=_OVER_TIME if timed else "",
        hint=_CELLS if timed else "",
        alternatives=("learning rate too small",) if run.creeps and not run.lags else (),
        decades_lost=float("inf") if run.silent else run.first_lost,
        lag_in_decades=None if timed else run.lag,
        scale_lost_in_decades=run.faded,
        progress=run.progress.share,
    )


def _by_weights(run: Reading) -> Iterator[Finding]:
    """Where no signal was recorded: gradients of biases, or of weights, shrink from layer to layer.

    Signals that become one on their way up come with it, as a rule.
    """
    others = run.unseen("collapse", "saturation")
    for numbers in _lost_by_weights(run):
        numbers |= {"lag_in_decades": run.lag, "scale_lost_in_decades": run.faded}
        yield run.finding("vanishing", "likely", run.first_places, alternatives=others, numbers=numbers)


def _lost_by_weights(run: Reading) -> Iterator[dict[str, float | None]]:
    """The decades that gradients of biases, or without any those of weights, lose, if they are many."""
    slopes = run.slopes
    if run.by_biases is not None:
        faded = run.faded is not None and run.faded >= thresholds.FADED_DECADES
        least = thresholds.LOST_DECADES - thresholds.CANCELLED
        still = run.progress.unmoved or run.lost_at_last is None or run.lost_at_last >= least
        if still and run.by_biases >= least and (run.lags or faded or run.by_biases >= thresholds.LOST_FAR):
            yield {"bias_gradient_decades_lost": run.by_biases}
    elif slopes is not None and slopes[0] >= (thresholds.LOST_DECADES if run.lags else thresholds.LOST_FAR):
        yield {"weight_gradient_decades_lost": float(slopes[0])}
    elif slopes is None and run.progress.unmoved and (faint := run.faint) is not None:
        if faint >= thresholds.LOST_DECADES:
            yield {"decades_below_biases": faint}
    elif slopes is None and (behind := run.behind) is not None and behind >= thresholds.UNREACHED:
        yield {"decades_below_other_weights": behind}


def late(run: Reading) -> Iterator[Finding]:
    """The signal, or the weights' gradients, arrived at the start and have stopped doing so; or weights shrink away."""
    progress = run.progress
    if progress.broken or not _falls_short(run):
        return
    lost = run.lost if run.first_lost is not None else run.slopes
    if lost is not None and len(known := np.flatnonzero(~np.isnan(lost))) > 1:
        gone = lost[known] >= max(thresholds.LOST_DECADES, lost[known[0]] + thresholds.LOST_DECADES)
        if lost[known[0]] < thresholds.LOST_DECADES and gone[-1]:
            start = known[len(gone) - int(np.argmin(gone[::-1]))]
            numbers = {"decades_lost_at_first": float(lost[known[0]]), "decades_lost": float(lost[known[-1]])}
            if follows(run, numbers["decades_lost"]):
                return
            confidence: Confidence = "likely" if run.first_lost is not None else "possible"
            confidence = "likely" if numbers["decades_lost"] >= thresholds.LOST_FAR else confidence
            if run.first_lost is None and _never_moved(run):
                others = run.unseen("collapse", "saturation")
                yield run.finding("vanishing", "likely", run.first_places, alternatives=others, numbers=numbers)
                return
            others = ("collapse",) if run.merged else run.unseen("collapse", "saturation")
            yield run.finding(
                "vanishing in training",
                confidence,
                run.first_places,
                first=int(start),
                alternatives=others,
                numbers=numbers,
            )
            return
    path = len(run.evidence.names) > 1 and not (run.progress.rests_at_constant and run.straight)
    if path and run.decayed and run.shrunk is not None and progress.little is not False:
        confidence = "likely" if run.shrunk >= thresholds.GROWN_DECADES else "possible"
        yield run.finding(
            "vanishing in training",
            confidence,
            run.evidence.names,
            meaning=_DECAYED,
            hint="a weight decay ten times smaller, or none on norms and biases",
            weights_shrunk_by_decades=run.shrunk,
        )


def follows(run: Reading, lost: float) -> bool:
    """Whether a signal that vanishes in training may do so since the loss rests at the constant answer's level.

    Outputs that are to be constant need nothing of what comes before them, least of all of earlier time steps.
    """
    rests = run.progress.rests_at_constant and not run.decayed
    return rests and lost >= thresholds.LOST_DECADES and (run.evidence.timed or lost < thresholds.LOST_FAR)


def _never_moved(run: Reading) -> bool:
    """Whether the first layers stood still from the start: their gradient was small then, as all others were."""
    update = run.evidence.update
    if update is None:
        return False
    first = update[0, : max(1, update.shape[1] // 3)]
    first = first[np.isfinite(first)]
    return len(first) > 0 and bool(np.median(first) < thresholds.STANDS)


def saturated_loss(run: Reading) -> Iterator[Finding]:
    """The gradients of all layers shrink by decades together, or are small together, and the loss gets no better.

    Not at the constant answer's level, where gradients become small since the loss has its minimum there; so that level
    has to be known, or the loss is one that is flat just below zero. A negative loss that fell may be at its minimum.
    """
    gradient, progress = run.evidence.gradient, run.progress
    if gradient is None or len(gradient) < 3 or not progress.known or progress.broken or progress.mastered:
        return
    if run.starts_far:
        return  # a loss that comes down from far is steep at first
    flat = _sure(run) or (progress.losses.max() < 0 and progress.end > progress.start)
    unknown = progress.gain is None and (flat or (run.stranded and run.zeroed[-1]))
    elsewhere = unknown or (progress.gain is not None and not progress.at_constant)
    cut = progress.gain is not None and progress.poor and run.stranded and progress.gain < 0
    over = _beaten(run) or _gone(run) or cut
    if (not over and (not elsewhere or _better(run))) or run.zeroed[0]:
        return
    shrunk = run.let_go[~np.isnan(run.let_go)]
    if len(shrunk) and shrunk.min() >= thresholds.FADES:
        lost = float(np.median(shrunk))
        others = run.unseen("units that died")
        if cut:  # outputs may be units, too
            others = ("units that died" if run.zeroed[-1] else "saturation",)
        others = (*(("updates point uphill",) if rises(run) else ()), *others)
        numbers = {"gradient_decades_lost": lost}
        yield run.finding("saturated loss", "likely", run.evidence.names, alternatives=others, numbers=numbers)
    elif _gone(run) or (run.small and (progress.unmoved or _sure(run))):
        largest = float(np.max(gradient[-1][np.isfinite(gradient[-1])], initial=-np.inf))
        twice: tuple[Name, ...] = ("softmax applied twice",) if may_be_probabilities(run) else ()
        others: tuple[Name, ...] = (*twice, "learning rate too small", *run.unseen("vanishing"))
        numbers = {"largest_log10_gradient": largest}
        yield run.finding("saturated loss", "possible", run.evidence.names, alternatives=others, numbers=numbers)


def _beaten(run: Reading) -> bool:
    """Whether a critic's loss is all but gone: it is sure, and a generator learns nothing from it any more."""
    progress = run.progress
    beaten = progress.losses.min() >= 0 and progress.end < thresholds.BEATEN * progress.start
    return progress.adversarial and bool(beaten)


def _gone(run: Reading) -> bool:
    """Whether neither of two networks that play against each other gets more than a small gradient any more.

    Small beside the loss, whatever that is multiplied with.
    """
    gradient, progress = run.evidence.gradient, run.progress
    if gradient is None or not (progress.adversarial and progress.settled):
        return False
    known, level = gradient[-1][~np.isnan(gradient[-1])], max(abs(progress.start), abs(progress.end))
    return len(known) > 0 and level > 0 and bool(known.max() - np.log10(level) < thresholds.SMALL)


def _sure(run: Reading) -> bool:
    """Whether the loss lies just below zero, as log(1 - D) does where a critic is sure."""
    losses = run.progress.losses
    return bool(losses.max() <= 0 and losses.min() > -thresholds.SURE)


def _better(run: Reading) -> bool:
    return not _sure(run) and run.progress.start - run.progress.end > thresholds.UNMOVED * abs(run.progress.start)


def _opens(run: Reading) -> bool:
    """Whether a recurrent network has begun to learn: its gates, or its weights, let the signal pass more and more.

    Even if it has lost that again, as at a loss that swings.
    """
    gain = run.progress.gain
    begun = run.progress.learned is True or (gain is not None and gain >= thresholds.LEARNED)
    begun = begun or run.progress.once_learned
    return run.evidence.timed and begun


def _stuck(run: Reading) -> bool:
    progress = run.progress
    return run.trains and progress.known and progress.poor and not (progress.broken or progress.rose)


def _falls_short(run: Reading) -> bool:
    """Whether it learned less than a task that is all but done, or, where that is unknown, its loss stands still."""
    share = run.progress.share
    return run.progress.poor if share is None else share < 0.5 and not run.progress.reached
