"""Steps that are too large, too small, or in the wrong direction."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from vgbench.diagnosis import thresholds
from vgbench.diagnosis.findings import Confidence, Finding, Name
from vgbench.diagnosis.losses import LAST
from vgbench.diagnosis.reading import Reading
from vgbench.diagnosis.rules.nonfinite import grew_before
from vgbench.diagnosis.rules.probabilities import may_be_probabilities
from vgbench.diagnosis.rules.scale import first_loss_high

_SWINGS_OVER = 5
"""Records that it takes to see a loss swing, or rise at every one."""


BY_LOSS = {"peak of the loss over its start", "decades that the gradient once rose", "swing of the loss"}
"""Signs that a loss shows which has cliffs, whatever the steps are."""
OF_STEPS = {"relative update", "first relative update"}
"""Signs that the steps themselves are large beside the weights."""
_ADDED_UP = "whether gradients are set to zero before each step: those of earlier steps that are added do the same"


def too_large(run: Reading) -> Iterator[Finding]:
    """Weights grow by decades, steps are as large as weights, or the loss peaks, swings or breaks.

    One sign far beyond its threshold, or two that agree, are enough.
    """
    if _excused(run):
        return
    progress, shown = run.progress, signs(run)
    if shown.keys() <= BY_LOSS and (_over(run) or (progress.adversarial and run.severed)):
        return  # a loss that jumps, and comes down all the same; or one network wins since the other gets no gradient
    if shown.keys() <= BY_LOSS - {"swing of the loss"} and progress.little is None:
        return  # of a loss that nothing but itself is held against, and that may be made to grow
    points = sum(2 if far else 1 for _, far in shown.values())
    fell = (progress.little is None or progress.signed) and not progress.broken and progress.fell
    if points < (4 if fell else 2):  # a likelihood that has no least value peaks on its way down
        return
    orderly = not shown.keys() & OF_STEPS
    others = _may_also_be(run, orderly)
    sure = run.arrives and points > 4 and not (orderly or {"first loss too large", "loss spike"}.intersection(others))
    confidence: Confidence = "certain" if sure else "likely" if points > 2 else "possible"
    numbers: dict[str, float | None] = {name: value for name, (value, _) in shown.items()}
    others = () if sure else others
    hint = _ADDED_UP if orderly else ""
    yield run.finding(
        "learning rate too large", confidence, run.evidence.names, hint=hint, alternatives=others, numbers=numbers
    )


def _excused(run: Reading) -> bool:
    """Whether the run learns, or something else is why it does not, whatever its steps look like."""
    progress = run.progress
    right = progress.accuracy is not None and (progress.validated or 0.0) >= thresholds.SOUND and not progress.forgot
    if right and not progress.broken:
        return True  # whatever a few examples add to the loss
    away = run.arrives is False and not progress.rose
    if away or not run.trains or progress.little is False or _uphill_by_loss(run):
        return True
    if (run.decayed and not progress.broken) or run.starts_far:
        return True  # steps are large beside weights that have shrunk; or what is wrong was so before the first step
    # A loss that comes down and never rises is not thrown about, nor are two networks in balance, whatever first steps
    # are beside small weights.
    orderly = progress.learned or (progress.adversarial and not progress.broken)
    return bool(orderly) and progress.peak < thresholds.ROSE * abs(progress.start)


def _may_also_be(run: Reading, orderly: bool) -> tuple[Name, ...]:
    """What makes usual steps large as well: the scale of the loss, of inputs and of signals, where it is not known.

    A run that had learned before has none of them; its loss may have jumped for the sake of one batch. What runs away
    by steps that are in order may feed on itself, or follow a gradient of the wrong sign.

    Args:
        run: what is judged.
        orderly: whether no step is large beside the weights.
    """
    if run.progress.once_learned:
        return ("loss spike",)
    if run.progress.adversarial:  # whose losses rise where one network has won, too
        return "saturated loss", *run.unseen("exploding")
    start = run.progress.start if len(run.progress.losses) else 0.0
    sum_of_all = run.evidence.chance is None and run.summed and start > thresholds.FIRST_LOSS_ALONE
    scale: tuple[Name, ...] = ("first loss too large",) if sum_of_all or first_loss_high(run) else ()
    if run.evidence.chance is not None and run.evidence.chance > thresholds.UNIT:
        scale = (*scale, "far from unit scale")  # of the targets
    died = run.unseen("units that died") if run.zeroed[-1] and not run.zeroed[0] else ()
    if orderly:
        uphill: tuple[Name, ...] = ("updates point uphill",) if rises(run) else ()
        return *scale, *uphill, *died, "exploding", *run.unseen("far from unit scale")
    return *scale, *died, *run.unseen("far from unit scale", "exploding")


def rises(run: Reading) -> bool:
    """Whether the loss of one network rises from the first step on, and that step is in order."""
    first = run.progress.losses[:LAST]
    climbs = len(first) > 1 and bool((np.diff(first) > 0).all())
    return climbs and _begins_orderly(run) and not run.progress.adversarial


def _begins_orderly(run: Reading) -> bool:
    return run.pace is not None and not run.pace[0] >= thresholds.QUICK_FIRST


def _over(run: Reading) -> bool:
    """Whether the loss ends at its least, below that of a constant answer."""
    progress = run.progress
    fell = progress.gain is not None and progress.gain >= thresholds.LEARNED
    return fell and not progress.broken and progress.end <= float(np.min(progress.losses[:-LAST], initial=np.inf))


def signs(run: Reading) -> dict[str, tuple[float, bool]]:
    """What speaks for it, each with its number and whether that is far beyond its threshold."""
    progress, pace = run.progress, run.pace
    shown: dict[str, tuple[float, bool]] = {}

    def judge(name: str, value: float | None, threshold: float, far: float) -> None:
        if value is not None and value >= threshold:
            shown[name] = value, value >= far

    judge("decades that weights have grown", run.grown, thresholds.GROWN_DECADES / 2, 0.8 * thresholds.GROWN_DECADES)
    if progress.broken and grew_before(run, _first_bad(run)):
        shown["loss not finite from step"] = float(run.evidence.step[_first_bad(run)]), True
    if pace is not None and not np.isnan(pace).all():
        later = pace[1:][np.isfinite(pace[1:])]
        typical = float(np.median(later)) if len(later) else None
        judge("relative update", typical, thresholds.QUICK, thresholds.QUICK)
        judge("first relative update", float(pace[0]), 0.5 * thresholds.QUICK_FIRST, 0.7 * thresholds.QUICK_FIRST)
    if progress.known and not (progress.signed and run.evidence.chance is None):  # whose start has no size
        peak = progress.peak / progress.level if progress.level > 0 else None
        judge("peak of the loss over its start", peak, thresholds.PEAKED, np.inf)
    if shown:
        judge("decades that the gradient once rose", run.bursts, 1.0, np.inf)
    if shown and len(progress.losses) >= _SWINGS_OVER:
        judge("swing of the loss", _swing(progress.losses[1:]), thresholds.SWINGING, np.inf)
    return shown


def _first_bad(run: Reading) -> int:
    nonfinite = run.evidence.nonfinite_loss
    return 0 if nonfinite is None else int(np.argmax(nonfinite))


def _swing(loss: Float[np.ndarray, "records"]) -> float:
    """Typical change from record to record, as a share of the typical level."""
    level = float(np.median(np.abs(loss)))
    return float(np.median(np.abs(np.diff(loss)))) / level if level > 0 and (loss >= 0).all() else 0.0


def uphill(run: Reading) -> Iterator[Finding]:
    """Updates have the gradient's sign, or the loss rises at every record though steps are in order."""
    cosine = run.evidence.cosine
    if cosine is not None:
        typical = float(np.nanmedian(cosine)) if not np.isnan(cosine).all() else 1.0
        progress = run.progress
        higher = progress.known and progress.end > progress.start + thresholds.UNMOVED * abs(progress.start)
        rises = progress.broken or higher
        if typical < -thresholds.AGAINST and rises:  # decay of the weights goes against the gradient, too
            yield run.finding("updates point uphill", "certain", run.evidence.names, cosine=typical)
        elif progress.poor and not (progress.adversarial or run.decayed) and (climbing := run.climbing):
            numbers: dict[str, float | None] = {"layers_uphill": float(len(climbing))}
            yield run.finding("updates point uphill", "certain", run.layers(climbing), numbers=numbers)
    if _uphill_by_loss(run):
        yield run.finding(
            "updates point uphill",
            "possible",
            alternatives=("learning rate too large",),
            first_loss=run.progress.start,
            last_loss=run.progress.end,
        )


def _uphill_by_loss(run: Reading) -> bool:
    losses = run.progress.losses
    if len(losses) < _SWINGS_OVER or losses[0] <= 0 or run.evidence.cosine is not None:
        return False
    climbs = bool((np.diff(losses) > 0).all())
    return climbs and _begins_orderly(run) and bool(losses[-1] - losses[0] > thresholds.LITTLE * abs(losses[0]))


def too_small(run: Reading) -> Iterator[Finding]:
    """A gradient arrives and no layer moves far enough to learn, from the start or since a record."""
    progress, quickest = run.progress, run.quickest
    if quickest is None or not progress.known or progress.broken or progress.mastered:
        return
    if run.unmoving and run.arrives is not False:
        yield run.finding(
            "learning rate too small", "possible", run.evidence.names, numbers={"largest relative update": 0.0}
        )
        return
    known = quickest[np.isfinite(quickest)]
    if len(known) < 2 or run.zeroed.any() or not (known > 0).any():
        return
    since = _held_down_since(run, known)
    stops = since is not None and known[-1] == 0  # which nothing else explains
    if not stops and (progress.little is False or run.arrives is False):
        return
    if run.small and not progress.at_constant:
        return  # of a loss that is flat where it is
    steps = float(run.evidence.step[-1] - run.evidence.step[0])
    travel, largest = float(known.mean()) * steps, float(known.max())
    slow = run.creeps and not _jumped(run)
    if slow or since is not None or _falls_slowly(run, steps):
        confidence: Confidence = "likely" if slow and run.arrives else "possible"
        flat: tuple[Name, ...] = ("saturated loss",) if run.strides else ()
        flat = ("softmax applied twice",) if may_be_probabilities(run) else flat
        leapt = progress.peak > thresholds.PEAKED * progress.level
        jump: tuple[Name, ...] = ("loss spike", "learning rate too large") if leapt else ()  # which slows Adam for long
        others = jump if since is not None else (*flat, *run.unseen("vanishing"))
        numbers = {"largest relative update": largest, "relative_travel": travel}
        yield run.finding(
            "learning rate too small",
            confidence,
            run.evidence.names,
            first=0 if slow or since is None else since,
            alternatives=others,
            numbers=numbers,
        )


def _falls_slowly(run: Reading, steps: float) -> bool:
    """Whether the loss falls all the time, and most layers have hardly moved or it has not slowed: too few steps."""
    losses, update = run.progress.losses, run.update
    behind = not (run.arrives or run.level) and (run.lag or 0.0) >= thresholds.LAG_DECADES
    if len(losses) < _SWINGS_OVER or update is None or behind or run.progress.little is not True:
        return False
    moving = update[update > 0]
    typical = float(np.median(moving)) if len(moving) else np.inf
    slow = typical < thresholds.SLOW and typical * steps < thresholds.SLOW_TRAVEL
    progress = run.progress
    if progress.validated == 0.0 and run.went_far:
        return False  # what it learned of the training data holds for no other
    return progress.falls and (slow or (progress.steady and typical < 3 * thresholds.SLOW)) and not run.at_rest


def _jumped(run: Reading) -> bool:
    """Whether the loss came down at once and then stood still, as no small steps make it do, but for another batch."""
    losses = run.progress.losses
    return run.progress.settled and bool(losses[0] - losses[1] > thresholds.UNMOVED * abs(losses[0]))


def _held_down_since(run: Reading, quickest: np.ndarray) -> int | None:
    """The record since when updates are a thousand times smaller than the first although the gradient is as large."""
    gradient = run.evidence.gradient
    small = quickest < 1e-3 * quickest[0]
    if gradient is None or len(quickest) != len(gradient) or small.mean() < 0.5 or not small[-1]:
        return None
    finite = np.where(np.isfinite(gradient), gradient, np.nan)
    if np.isnan(finite[[0, -1]]).all(axis=1).any():
        return None
    shrunk = np.nanmedian(finite[0]) - np.nanmedian(finite[-1])
    return int(np.argmax(small)) if shrunk < 1 and quickest[-1] < thresholds.SLOW else None
