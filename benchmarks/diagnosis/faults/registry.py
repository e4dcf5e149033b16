"""The registry of faults, and what each function of it returns."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypeAlias

import optax

Half: TypeAlias = Literal[
    "tuning",
    "held-out",
    "second held-out",
    "third held-out",
    "fourth held-out",
    "fifth held-out",
    "sixth held-out",
    "seventh held-out",
    "eighth held-out",
    "ninth held-out",
    "tenth held-out",
    "eleventh held-out",
    "twelfth held-out",
    "thirteenth held-out",
]
Hidden: TypeAlias = tuple[tuple[str, Any, Any], ...]
"""Points of the forward pass: the activation's name, what reaches it, and what it gives."""
Loss: TypeAlias = Callable[[Any, Any, Any], tuple[Any, Hidden]]


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A run to be made.

    Attributes:
        params: at the start.
        loss: (params, batch, offsets) -> training loss and hidden points; an offset is added to each point if not None.
        data: arrays whose leading axis counts examples; a batch is some of them.
        optimizer: the whole chain.
        chance: the training loss of the best constant answer, where there is one.
        error: share of a constant answer's error that these parameters make on data that were not trained on, or on
            all there are: what the label is borne out by.
        accuracy: on such data, if it is a classification.
        chance_accuracy: of a constant answer.
        steps: of training.
        batch: examples of a batch; all of them if None.
        apply: how an update is applied.
        timed: whether the points are one loop's steps.
    """

    params: Any
    loss: Loss
    data: tuple[Any, ...]
    optimizer: optax.GradientTransformation
    error: Callable[[Any], float]
    chance: float | None = None
    accuracy: Callable[[Any], float] | None = None
    chance_accuracy: float | None = None
    steps: int = 200
    batch: int | None = None
    apply: Callable[[Any, Any], Any] = optax.apply_updates
    timed: bool = False


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault that somebody reported.

    Attributes:
        name: of its function.
        family: of the model or the loss.
        source: where it was reported.
        cause: findings that name it, the first of which is the label; or the cause in words, where no finding names it.
        build: makes the broken run, or the fixed one.
        shown: whether it is one of the cases that the rules were written with.
        collected: the half that it was collected for, and labelled in before anything was asked about it; None if its
            source decides about the half.
        kind: of the mistake, in a half that was collected.
        title: of the report, in such a half.
        sound: whether nothing is wrong with the run that looks broken; the other one is the same run carried on, or
            made in the usual way.
    """

    name: str
    family: str
    source: str
    cause: tuple[str, ...]
    build: Callable[[bool], Setup] = field(repr=False)
    shown: bool = False
    collected: Half | None = None
    kind: str = ""
    title: str = ""
    sound: bool = False

    @property
    def half(self) -> Half:
        """By the source alone; what the rules were written with counts for tuning."""
        if self.collected is not None:
            return self.collected
        even = hashlib.sha256(self.source.encode()).digest()[0] % 2 == 0
        return "tuning" if self.shown or even else "held-out"


FAULTS: list[Fault] = []


def fault(
    *cause: str, family: str, source: str, shown: bool = False
) -> Callable[[Callable[[bool], Setup]], Callable[[bool], Setup]]:
    """Register a function from whether it is broken to the run."""

    def register(build: Callable[[bool], Setup]) -> Callable[[bool], Setup]:
        FAULTS.append(Fault(name=build.__name__, family=family, source=source, cause=cause, build=build, shown=shown))
        return build

    return register


def _collected(
    half: Half, *cause: str, kind: str, family: str, source: str, title: str, sound: bool = False
) -> Callable[[Callable[[bool], Setup]], Callable[[bool], Setup]]:
    """Register a fault of a half that was collected; `source` is the report's address without its scheme."""

    def register(build: Callable[[bool], Setup]) -> Callable[[bool], Setup]:
        own = Fault(
            name=build.__name__,
            family=family,
            source=source,
            cause=cause,
            build=build,
            collected=half,
            kind=kind,
            title=title,
            sound=sound,
        )
        FAULTS.append(own)
        return build

    return register


second = partial(_collected, "second held-out")
third = partial(_collected, "third held-out")
fourth = partial(_collected, "fourth held-out")
fifth = partial(_collected, "fifth held-out")
sixth = partial(_collected, "sixth held-out")
seventh = partial(_collected, "seventh held-out")
eighth = partial(_collected, "eighth held-out")
ninth = partial(_collected, "ninth held-out")
tenth = partial(_collected, "tenth held-out")
eleventh = partial(_collected, "eleventh held-out")
twelfth = partial(_collected, "twelfth held-out")
thirteenth = partial(_collected, "thirteenth held-out")
