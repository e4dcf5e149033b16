"""What is asked of every run, which fields each question needs, and how to record them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vgbench.diagnosis import thresholds
from vgbench.diagnosis.answer import Missing
from vgbench.diagnosis.findings import Name
from vgbench.diagnosis.reading import Reading

_RECORDER = "recorder = vg.Recorder(model, optimizer, loss=loss_fn, batch=batch) in the optimizer's place"
HOW: dict[str, tuple[str, str]] = {
    "loss": ("the training loss", "updates, state = optimizer.update(grads, state, params, value=loss)"),
    "chance": (
        "the loss of the best constant answer",
        "vg.Recorder(..., chance_loss=float(np.log(classes))), or float(np.var(targets)) for a squared error; as"
        ' "chance" in records of vg.watched',
    ),
    "layers": ("norms of gradients, weights and updates", "optimizer = vg.watch(optimizer, every=10)"),
    "signal": (
        "the gradient's norm at every layer or time step",
        f'{_RECORDER}; in plain JAX also h = vg.tap(h, "h", layer=i, of=n) in the model',
    ),
    "dead": ("the share of units without any output, by layer", _RECORDER),
    "saturated": ("the share of outputs on a flat end of the activation, by layer", _RECORDER),
    "accuracy": (
        "accuracy on data that are not trained on, with that of a constant answer",
        'recorder.note(step, accuracy=accuracy) and vg.Recorder(..., classes=classes); as "accuracy" and'
        ' "chance_accuracy" in records of vg.watched',
    ),
}
"""What each field is, and the line that records it."""


@dataclass(frozen=True)
class Question:
    """One thing that is asked of a run.

    Attributes:
        order: what is said where the answer is that it is in order.
        fields: that it needs, by their names in records.
        judged: whether the run has what it needs.
        against: findings that say it is not in order.
    """

    order: str
    fields: tuple[str, ...]
    judged: Callable[[Reading], bool]
    against: tuple[Name, ...]


def _has(name: str) -> Callable[[Reading], bool]:
    def judged(run: Reading) -> bool:
        values = getattr(run.evidence, name)
        return values is not None and not bool(np.isnan(values).all())

    return judged


def _alive(run: Reading) -> bool:
    dead = run.evidence.dead
    return dead is not None and bool(np.nan_to_num(dead[-1]).max(initial=0.0) < thresholds.ALIVE)


def _unsaturated(run: Reading) -> bool:
    saturated = run.evidence.saturated
    if saturated is None or np.isnan(saturated).all():
        return False
    bounded = [run.evidence.bounded_at(place) for place in range(saturated.shape[1])]
    return bool(np.nan_to_num(saturated[-1, bounded]).max(initial=0.0) < thresholds.SATURATED)


QUESTIONS: tuple[Question, ...] = (
    Question(
        "all numbers are finite",
        ("layers",),
        lambda run: _has("nonfinite")(run) and not run.progress.broken,
        ("not-a-number gradients", "not-a-number loss"),
    ),
    Question(
        "the loss falls below that of a constant answer",
        ("loss", "chance"),
        lambda run: bool(run.progress.learned) and run.progress.share is not None,
        (),
    ),
    Question(
        "weights get a gradient",
        ("layers",),
        lambda run: run.evidence.gradient is not None and not run.zeroed[-1],
        ("gradients exactly zero", "underflow", "frozen"),
    ),
    Question(
        "updates are of a useful size",
        ("layers",),
        _has("update"),
        ("learning rate too small", "learning rate too large", "updates lost to rounding", "updates not applied"),
    ),
    Question(
        "the signal reaches the first layers",
        ("signal",),
        lambda run: (run.lost is not None or run.silent or run.overflows) and not (run.cut_off or run.zeroed[-1]),
        ("vanishing", "vanishing in training", "exploding", "risk of vanishing", "risk of exploding"),
    ),
    Question("units are alive", ("dead",), _alive, ("dead units", "units that died")),
    Question("activations are not saturated", ("saturated",), _unsaturated, ("saturation",)),
    Question(
        "it holds for other data",
        ("accuracy",),
        lambda run: run.progress.validated is not None and run.progress.validated >= thresholds.LEARNED,
        ("learned by heart", "short of target", "learns the training data"),
    ),
)


def in_order(run: Reading, found: set[Name]) -> list[str]:
    """What could be judged and has no finding against it."""
    return [each.order for each in QUESTIONS if each.judged(run) and not found.intersection(each.against)]


def missing(run: Reading) -> list[Missing]:
    """The fields that questions need and the run does not have, the most telling first."""
    lacking: dict[str, None] = {}
    for question in QUESTIONS:
        for field in question.fields:
            if not question.judged(run) and not _recorded(run, field):
                lacking.setdefault(field)
    return [Missing(field, *HOW[field]) for field in lacking]


def decided(run: Reading) -> bool:
    """Whether it can be said that nothing is wrong: several records, and on other data half of all was learned.

    The training loss alone does not tell: what it fell by may hold for no other example.
    """
    progress = run.progress
    if not run.trains or not progress.looked or progress.little is not False:
        return False
    return progress.reached is True or (progress.share is not None and progress.share >= thresholds.SOUND)


def _recorded(run: Reading, field: str) -> bool:
    evidence = run.evidence
    if field == "loss":
        return run.progress.known
    if field == "chance":
        return evidence.chance is not None or run.progress.validated is not None
    if field == "layers":
        return evidence.gradient is not None
    if field == "accuracy":
        return run.progress.validated is not None
    return getattr(evidence, field) is not None
