"""What became of a run where nothing else says why: learned, by heart, not at all, with a spike."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from vgbench.diagnosis import thresholds
from vgbench.diagnosis.findings import Finding, Name
from vgbench.diagnosis.reading import Reading
from vgbench.diagnosis.rules.gradients import follows
from vgbench.diagnosis.rules.learning_rate import signs
from vgbench.diagnosis.rules.probabilities import may_be_probabilities
from vgbench.diagnosis.rules.units import attends, idle
from vgbench.diagnosis.words import MEANINGS

_UNSEEN = "record the signal first: one that vanishes on its way, and signals that become one, look the same; then"
_ALONE = (
    "the loss falls on the data that are trained on, and other data are answered no better than by a constant: it was"
    " learned by heart, or inputs of training give the answer away, or other data are prepared or judged otherwise"
)
_OTHERS = (
    "whether other data are drawn, prepared and judged as those of training are, inputs of training hold what is to be"
    " found, and inputs and labels still belong together; then more data or regularisation"
)
_FLAT = "nothing that was recorded gets a gradient any more"


def by_heart(run: Reading) -> Iterator[Finding]:
    """Nothing is left of the training loss, and little of what was learned holds for other data.

    Where some of it is left, or they were answered better before, much else may be why they are answered worse. Where
    nothing holds for them, so it may: inputs that give the answer away in training alone, labels of other data.
    """
    progress = run.progress
    if progress.broken or progress.validated is None or progress.gain is None or progress.forgot:
        return
    if progress.gain >= thresholds.WHOLE and thresholds.LEARNED <= progress.validated < thresholds.SOUND:
        yield run.finding("learned by heart", "possible", progress=progress.gain, on_other_data=progress.validated)


def constant_answer(run: Reading) -> Iterator[Finding]:
    """The loss stays at the constant answer's level, or accuracy at chance, although the weights move as they should.

    A signal that vanishes looks the same, and so do signals that become one, where neither was recorded. Of labels that
    have nothing to do with the inputs a little is learned by heart while other data are answered by chance.
    """
    progress = run.progress
    by_accuracy = progress.validated == 0.0 and not progress.signed  # a negative loss counts more than answers
    alone = by_accuracy and _little_by_heart(run)
    if progress.broken or progress.adversarial or not (progress.settled or alone):
        return
    nothing = by_accuracy if progress.gain is None else progress.at_constant or alone
    moves = run.travel >= thresholds.SLOW_TRAVEL if run.furthest is None else run.furthest >= thresholds.MOVED
    if not nothing or not (progress.learned is False or _hardly_right(run)) or not moves or run.zeroed[0]:
        return
    seen, flat = run.arrives is True or run.cut_off, bool(run.zeroed[-1])
    heart: tuple[Name, ...] = ("learned by heart",) if alone and progress.a_little_known else ()
    others = (*heart, *_may_also_be(run, flat))
    yield run.finding(
        "constant answer",
        "likely" if seen and not others and not progress.a_little_known else "possible",
        meaning=f"{MEANINGS['constant answer']}; {_FLAT}" if flat else "",
        hint="" if seen or flat else _UNSEEN,
        alternatives=others,
        last_loss=progress.end,
        constant_answer=run.evidence.chance,
    )


def _hardly_right(run: Reading) -> bool:
    """Whether other data are answered a little better than by chance, as one answer or noise has it.

    After a long way of the weights their accuracies may differ by what noise makes of them.
    """
    progress = run.progress
    hardly = progress.validated is not None and progress.validated < thresholds.LITTLE
    most = thresholds.CHANCE_MARGIN / (1 if run.travel >= thresholds.TRAVELLED else 4)
    return progress.at_constant and hardly and progress.range_of_accuracy <= most


def _little_by_heart(run: Reading) -> bool:
    """Whether a little was learned of the training data, and weights went so far that it is not since they are slow."""
    gain, progress = run.progress.gain, run.progress
    if not progress.of_classes:
        return False  # whose accuracy says how many answers are close enough, and not how close
    far = run.went_far if run.furthest is not None else run.travel >= thresholds.TRAVELLED
    return gain is not None and thresholds.NEAR_CONSTANT <= gain < thresholds.LITTLE and far


def _may_also_be(run: Reading, flat: bool) -> Iterator[Name]:
    """The causes that leave a constant answer as well: those that the record speaks for, then those that it lacks."""
    yield from _spoken_for(run, flat)
    if run.evidence.input_scale is None and _seems_far(run):
        yield "far from unit scale"
    if flat:
        yield from run.unseen("collapse")
    elif not run.unseen("vanishing") or run.surely_level:
        if run.progress.validated != 0.0 and may_be_probabilities(run):
            yield "softmax applied twice"
        yield from run.unseen("collapse", *(("far from unit scale",) if run.unseen("vanishing") else ()))
    else:
        if may_be_probabilities(run):
            yield "softmax applied twice"
        yield from run.unseen("vanishing", "collapse")


def _spoken_for(run: Reading, flat: bool) -> Iterator[Name]:
    if run.held.any() and not _flushed(run, run.held):
        yield "gradients exactly zero" if run.severed else "frozen"
    elif run.last_lost is not None and follows(run, run.last_lost):
        yield "vanishing in training"
    if run.decayed:
        yield "vanishing in training"
    if run.draws_near:
        yield "collapse"
    if attends(run):
        yield from ("attention logits grow", "learning rate too large")
    if idle(run) or _cost_units(run, 0):
        yield "units that died"
    if flat or _fades(run):
        yield from run.unseen("units that died")
    swollen = run.swollen is not None and run.swollen >= 2 * thresholds.GROWN_DECADES
    rose = run.progress.peak >= thresholds.ROSE * max(run.progress.start, run.evidence.chance or 0.0)
    if swollen or rose or signs(run):
        yield "learning rate too large"


def _seems_far(run: Reading) -> bool:
    """Whether gradients make the inputs look far from unit scale, or those of some layer large."""
    off = abs(np.log10(run.input_scale)) if run.input_scale else 0.0
    return bool(max(off, run.largest_input or 0.0) >= thresholds.ROUGHLY)


def _fades(run: Reading) -> bool:
    """Whether most of the gradient of some layer has become exactly zero since the start."""
    zero = run.evidence.zero
    if zero is None or not zero.shape[1]:
        return False
    gone = (zero[-1] >= thresholds.FLUSHED) & (zero[0] < thresholds.FLUSHED / 2)
    return bool(gone.any())


def spike(run: Reading) -> Iterator[Finding]:
    """A loss jumps to several times what the records before it had reached."""
    loss, progress = run.evidence.loss, run.progress
    if loss is None or progress.broken or len(progress.losses) < 6:
        return
    peak = loss if run.evidence.peak is None else np.fmax(loss, run.evidence.peak)
    for k in range(3, len(loss)):
        base = _jumps_from(run, loss[:k], peak[: k + 1])
        if base is None:
            continue
        if progress.little is False and progress.end < base and not _cost_units(run, k - 1):
            return  # it was got over
        others: tuple[Name, ...] = ("learning rate too large",)
        if _cost_units(run, k - 1):
            others = ("units that died", *others)
        if run.evidence.input_scale is None and _seems_far(run):
            others = (*others, "far from unit scale")
        numbers = {"loss_before": base, "spike": float(peak[k])}
        yield run.finding("loss spike", "likely", first=k - 1, last=k, alternatives=others, numbers=numbers)
        return


def _jumps_from(run: Reading, loss: Float[np.ndarray, "before"], peak: Float[np.ndarray, "next"]) -> float | None:
    """The level of the loss up to a record, if the next one's peak is several times as large.

    A loss that may be negative has no level: it jumps by several times its range.
    """
    known = loss[-4:][np.isfinite(loss[-4:])]
    if not len(known):
        return None
    base, least = float(np.median(known)), float(np.nanmin(loss))
    jump = peak[-1] - base
    if run.progress.signed:
        jumps = jump >= thresholds.SPIKED**2 * (np.nanmax(peak[:-1]) - least) > 0
    else:
        fell = run.progress.start - least
        jumps = peak[-1] >= thresholds.SPIKED * base > 0 and fell > 0 and jump >= 0.25 * fell
    return base if jumps else None


def _cost_units(run: Reading, before: int) -> bool:
    """Whether half of a layer's units have died since a record."""
    dead = run.evidence.dead
    return dead is not None and bool(np.nan_to_num(dead[-1] - dead[before]).max(initial=0.0) >= thresholds.ALIVE)


def frozen(run: Reading) -> Iterator[Finding]:
    """Layers that never move, and others do; zero-valued weights that stay zero count as not moving."""
    still = run.held
    if not still.any() or _flushed(run, still):
        return
    cut = run.severed
    hint = "their gradient is exactly zero: what comes before them is cut off from the loss" if cut else ""
    others: tuple[Name, ...] = ("gradients exactly zero",) if cut else ()
    layers = run.layers(np.flatnonzero(still))
    yield run.finding("frozen", "certain", layers, hint=hint, alternatives=others, layers_frozen=float(still.sum()))


def _flushed(run: Reading, still: np.ndarray) -> bool:
    """Whether layers stand still because their gradients, not exactly zero, read zero."""
    zero, gradient = run.evidence.zero, run.evidence.gradient
    if zero is None or gradient is None or run.evidence.smallest is None:
        return False
    return bool((zero[:, still] >= 1).all()) and bool(np.isfinite(gradient[:, still]).all())


def zero_by_design(run: Reading) -> Iterator[Finding]:
    """Weights of the blocks have a gradient of exactly zero at the start while the signal arrives, and not after."""
    gradient, signal = run.evidence.gradient, run.evidence.signal
    if gradient is None or gradient.shape[1] < 3 or (signal is not None and not np.isfinite(signal[0]).all()):
        return
    blocks = np.isneginf(gradient[:, 1:-1])
    ends = np.isfinite(gradient[0, [0, -1]]).all()
    if ends and blocks[0].all() and (len(blocks) == 1 or not blocks[1:].all()):
        yield run.finding("zero by design", "certain", run.evidence.names[1:-1])


def short_of_target(run: Reading) -> Iterator[Finding]:
    """It learns, and misses the target on other data."""
    if run.progress.reached is False and run.progress.learned and not run.progress.broken:
        what = "validation_loss" if run.evidence.accuracy is None else "accuracy"
        numbers = {what: run.progress.best_held_out, "target": run.evidence.target}
        yield run.finding("short of target", "certain", numbers=numbers)


def learned(run: Reading) -> Iterator[Finding]:
    """The loss is all but gone, on other data, too; or it falls, and other data were not looked at, or show nothing.

    Of examples that are learned by heart nothing is left, as a rule, whatever cannot be known of others.
    """
    progress = run.progress
    if run.trains and progress.looked and progress.mastered:
        whole = progress.gain is None or progress.gain >= thresholds.WHOLE
        yield run.finding("converged", "certain" if whole else "likely", progress=progress.share)
    elif run.trains and not progress.looked and progress.little is False and not progress.unmoved:
        whole = progress.gain is not None and progress.gain >= thresholds.WHOLE and not progress.signed
        others: tuple[Name, ...] = ("learned by heart",) if whole else ()
        yield run.finding("learns the training data", "certain", alternatives=others, progress=progress.gain)
    elif run.trains and _holds_nowhere(run):
        yield run.finding(
            "learns the training data",
            "certain",
            meaning=_ALONE,
            hint=_OTHERS,
            alternatives=("learned by heart",),
            progress=progress.gain,
            on_other_data=progress.validated,
        )


def _holds_nowhere(run: Reading) -> bool:
    """Whether the training loss has fallen, and other data are answered no better than by a constant."""
    progress = run.progress
    if progress.broken or progress.unmoved or progress.gain is None or progress.validated is None:
        return False
    return progress.gain >= thresholds.LITTLE and progress.validated < thresholds.LEARNED
