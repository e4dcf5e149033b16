"""Inputs, targets, weights and losses that are far from unit scale at the start."""

from collections.abc import Iterator

import numpy as np

from vgbench.diagnosis import thresholds
from vgbench.diagnosis.findings import Confidence, Finding, Name
from vgbench.diagnosis.losses import LAST
from vgbench.diagnosis.reading import Reading

_RATE: tuple[Name, ...] = ("learning rate too large",)
"""What a large first loss cannot be distinguished from where the first steps are large, too: it may be a sum."""
_LARGE: tuple[Name, ...] = ("first loss too large", "learning rate too large")
"""What makes gradients grow from layer to layer as well."""
_LAYERS = 5
"""Arrays that it takes to see gradients grow from layer to layer: one that is large makes the next one's so."""


def exploding(run: Reading) -> Iterator[Finding]:
    """The signal grows towards the input at the start, or beyond all range, and the run learns little or breaks.

    Published cells whose signal gains up to three decades train all the same. Such a gain is named where the run breaks
    or its first loss is high.
    """
    progress = run.progress
    judged = run.trains and (progress.known or progress.broken)
    if not judged or not (progress.poor or progress.broken):
        return
    if run.overflows:
        yield run.finding("exploding", "certain", run.evidence.places)
        return
    shown = progress.broken or (first_loss_high(run) and not run.progress.came_down)
    least = thresholds.LOST_DECADES if shown else thresholds.LOST_FAR
    if run.first_lost is None:
        yield from _by_weights(run, least)
    elif run.first_lost <= -least:
        confidence: Confidence = "certain" if shown else "likely"
        yield run.finding(
            "exploding", confidence, run.evidence.places, decades_gained=-run.first_lost, progress=progress.gain
        )


def _by_weights(run: Reading, least: float) -> Iterator[Finding]:
    """Where no signal was recorded: gradients of biases, or of weights, grow from layer to layer."""
    steep = run.slopes is not None and bool(run.slopes[0] <= -least)
    if run.by_biases is not None:
        if run.by_biases <= -least - (0 if steep else thresholds.CANCELLED):
            gained = {"bias_gradient_decades_gained": -run.by_biases}
            yield run.finding("exploding", "possible", alternatives=_LARGE, numbers=gained)
        return
    if steep and run.slopes is not None and len(run.evidence.names) >= _LAYERS:
        gained = {"weight_gradient_decades_gained": -float(run.slopes[0])}
        yield run.finding("exploding", "possible", alternatives=_LARGE, numbers=gained)


def first_loss(run: Reading) -> Iterator[Finding]:
    """The first loss is many times that of the constant answer, and the run does not get over it."""
    progress = run.progress
    if not len(progress.losses) or not first_loss_high(run) or _got_over(run):
        return
    if run.zeroed[-1] and not (run.zeroed[0] or run.starts_far):
        return  # that no weight gets a gradient any more is why it does not
    chance = run.evidence.chance
    hurts = progress.broken or _grown(run) or (progress.plateau and _shifted(run)) or _stays_beyond(run)
    if chance is None and (run.at_rest or not hurts):
        return
    confidence: Confidence = "likely" if chance is not None and run.arrives is not None else "possible"
    yield run.finding(
        "first loss too large",
        confidence,
        last=0,
        alternatives=_may_also_be(run),
        first_loss=progress.start,
        constant_answer=chance,
    )


def _may_also_be(run: Reading) -> tuple[Name, ...]:
    """What a large first loss cannot be distinguished from: of an unknown level, one that the run came down to, or one
    that signals grew to, or whose first steps are large.
    """
    if run.slight:
        return "saturated loss", *run.unseen("saturation")  # large outputs make large gradients but on flat ends
    taken: tuple[Name, ...] = ("vanishing in training",) if run.decayed else ()
    both = *(_RATE if _shakes(run) else ()), *taken
    if run.evidence.chance is None:
        return "far from unit scale", *both, *run.unseen("exploding")
    if run.progress.came_down:
        return (
            "constant answer",
            *both,
            *(run.unseen("far from unit scale", "exploding") if run.arrives is None else ()),
        )
    if run.progress.start > thresholds.FIRST_LOSS**2 * run.evidence.chance:
        return *run.unseen("exploding", "far from unit scale"), *both
    return *both, *run.unseen("far from unit scale", "exploding")


def first_loss_high(run: Reading) -> bool:
    """Whether the first loss is many times the constant answer's: fewer where steps are large or nothing is learned."""
    if not len(run.progress.losses):
        return False
    chance = run.evidence.chance
    return run.starts_far or (
        chance is not None
        and (_shakes(run) or _of_scores(chance) or _still_comes_down(run))
        and run.progress.start > thresholds.FIRST_LOSS_SHAKING * abs(chance)
    )


def _still_comes_down(run: Reading) -> bool:
    """Whether nothing is learned since the loss falls all the time from where it began, and does not rest yet."""
    progress = run.progress
    nothing = progress.gain is not None and progress.gain < thresholds.LEARNED
    return nothing and progress.poor and progress.falls and not progress.settled


def _of_scores(chance: float) -> bool:
    """Whether the constant answer's loss is the logarithm of a number of classes, near which their scores begin."""
    classes = round(float(np.exp(min(chance, np.log(thresholds.FEW_CLASSES)))))
    return classes >= 2 and bool(abs(chance - np.log(classes)) < 1e-3)


def _shakes(run: Reading) -> bool:
    return _grown(run) or (run.pace is not None and bool(run.pace[0] >= thresholds.QUICK))


def _grown(run: Reading) -> bool:
    return run.grown is not None and run.grown >= thresholds.GROWN_DECADES


def unit_scale(run: Reading) -> Iterator[Finding]:
    """Inputs, or the squared error of the constant answer, are far from one, and little, or only a part, is learned."""
    progress, chance, recorded = run.progress, run.evidence.chance, run.evidence.input_scale
    part = _got_over(run)
    if progress.mastered or (part and not progress.rests_halfway):
        return
    stuck = progress.poor or progress.broken
    seen = (_far(recorded) and not run.rescaled) or (not part and _flattens(run))
    large = run.outside is not None and run.outside >= np.log10(thresholds.UNIT) and not _shakes(run)
    inferred = ((stuck or part) and _far(run.input_scale)) or (stuck and recorded is None and large)
    high = stuck and chance is not None and chance > thresholds.UNIT and _shifted(run) and not run.at_rest
    starved = not part and recorded is None and _starved(run)
    if seen or inferred or high or starved or (not part and _stays_far(run)):
        inputs = recorded if seen else run.input_scale
        confidence: Confidence = "likely" if seen and not part else "possible"
        cut = run.unseen("saturation") if starved else ()
        others = (*cut, *(_RATE if _shakes(run) else ()))
        numbers = {"input_scale": inputs, "constant_answer": chance}
        yield run.finding("far from unit scale", confidence, last=0, alternatives=others, numbers=numbers)


def _flattens(run: Reading) -> bool:
    """Whether inputs that are large, if not far from one, lie on the flat ends of the first layer's units."""
    recorded, saturated = run.evidence.input_scale, run.evidence.saturated
    if recorded is None or saturated is None or recorded < 10**thresholds.ROUGHLY:
        return False
    return bool(run.evidence.bounded_at(0) and saturated[0, 0] >= thresholds.SATURATED)


def _starved(run: Reading) -> bool:
    """Whether the first layer's weights get next to nothing at the start beside its bias, and other layers' do not.

    Large inputs saturate its units but where they are next to zero, so that of the inputs those alone count.
    """
    return run.starved is not None and run.starved >= thresholds.STARVED


def _stays_far(run: Reading) -> bool:
    """Whether outputs lie far from what they are to be, of a loss without a known level that begins high and stays."""
    progress = run.progress
    if run.evidence.chance is not None or len(progress.losses) < LAST or progress.broken:
        return False
    high = progress.start > thresholds.FIRST_LOSS_ALONE and progress.end > 0.5 * progress.start
    return high and not progress.adversarial and run.error is not None and run.error > thresholds.UNIT_ALONE


def _got_over(run: Reading) -> bool:
    """Whether the run has learned, even if it has lost that again, or cannot have since two networks play."""
    progress = run.progress
    plays = progress.adversarial and progress.fell and not _stays_beyond(run)
    return progress.little is False or progress.once_learned or plays


def _stays_beyond(run: Reading) -> bool:
    """Whether a loss of no known level begins thousands of times too high and stays far too high to the end.

    As of two networks that play against each other, and of any loss that its own scale makes so.
    """
    progress = run.progress
    begins = progress.gain is None and run.starts_far and progress.start > thresholds.FIRST_LOSS_ALONE**2
    least = 0.0 if progress.adversarial else 0.1 * progress.start  # or it comes down
    return begins and progress.end > max(thresholds.FIRST_LOSS_ALONE, least)


def _shifted(run: Reading) -> bool:
    """Whether outputs lie far from all targets: of a loss that is merely a sum, so does the gradient of the biases."""
    if run.error is None:
        return False
    above = run.progress.start > thresholds.SHIFTED * (run.evidence.chance or 0.0) or run.error > thresholds.UNIT**2
    return above and run.error > (thresholds.UNIT if run.evidence.chance else thresholds.UNIT_ALONE)


def _far(scale: float | None) -> bool:
    return scale is not None and not 1 / thresholds.UNIT <= scale <= thresholds.UNIT
