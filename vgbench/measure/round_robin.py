"""The plain steps of several cases and of their reference in one round-robin, as far as the memory allows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from vgbench.errors import InputError
from vgbench.measure.energy import Energy
from vgbench.measure.executable import Executable
from vgbench.measure.pairs import FAILURES, Rounds, time_beside
from vgbench.measure.room import NoRoomError, bytes_together, exhausted, let_go, room
from vgbench.spec.case import Case, content_id

T = TypeVar("T")


@dataclass(frozen=True)
class RoundRobin:
    """The cases of one round-robin.

    Attributes:
        id: of the reference and of all cases that were timed.
        reference: the reference's step, which all share.
    """

    id: str
    reference: Executable

    @property
    def seed(self) -> int:
        """Of the order within rounds."""
        return int(self.id, 16) % 2**32

    @cached_property
    def device_seconds(self) -> float | None:
        """As in `Executable`, measured once."""
        return self.reference.device_seconds()

    @cached_property
    def energy(self) -> Energy | None:
        """As in `Executable`, measured once."""
        return self.reference.energy()


Use = Callable[[RoundRobin, Executable, Rounds], T]
"""What is made of a case's step and its rounds while its round-robin's programs are still there."""


def comparable(case: Case, reference: Case) -> bool:
    """Whether the steps of two cases may be divided: in one form, or in two where nothing else differs.

    Scanning in place of unrolling changes a step's time by itself.
    """
    alike = case.model_copy(update={"block_execution": reference.block_execution})
    return case.timed_form == reference.timed_form or alike.cell_id == reference.cell_id


def timed_beside(
    cases: Sequence[Case], reference: Case, precision: float, use: Use[T]
) -> tuple[T | BaseException, ...]:
    """Time all together, and those that do not fit into the memory in smaller round-robins."""
    results: dict[int, T | BaseException]
    try:
        results = _together(cases, reference, precision, use)
    except FAILURES as error:  # the reference's own
        results = dict.fromkeys(range(len(cases)), error)
    for each in results.values():
        if isinstance(each, BaseException):
            let_go(each)
    left = [i for i, each in results.items() if isinstance(each, BaseException) and exhausted(each)]
    if left and len(cases) > 1:
        middle = len(left) if len(left) < len(cases) else len(left) // 2
        for part in filter(None, (left[:middle], left[middle:])):
            results |= zip(part, timed_beside([cases[i] for i in part], reference, precision, use), strict=True)
    return tuple(results[i] for i in range(len(cases)))


def _together(cases: Sequence[Case], reference: Case, precision: float, use: Use[T]) -> dict[int, T | BaseException]:
    """Time as many of the cases in one round-robin as fit; what each gave, or why it gave nothing, by its place."""
    other = Executable(reference)
    other.warm_up()
    most = room(other.device)
    timed: dict[int, Executable] = {}
    results: dict[int, T | BaseException] = {}
    for i, case in enumerate(cases):
        try:
            timed[i] = _beside(case, other, list(timed.values()), most)
        except FAILURES as error:
            let_go(error)
            results[i] = error
            if timed and exhausted(error):
                results |= dict.fromkeys(range(i + 1, len(cases)), NoRoomError())
                break
    group = RoundRobin(content_id([reference.cell_id, *(each.case.cell_id for each in timed.values())]), other)
    every = time_beside([each.sample for each in timed.values()], other.sample, precision, seed=group.seed)
    for (i, step), rounds in zip(timed.items(), every, strict=True):
        try:
            results[i] = rounds if isinstance(rounds, BaseException) else use(group, step, rounds)
        except FAILURES as error:
            results[i] = error
    return results


def _beside(case: Case, reference: Executable, others: Sequence[Executable], most: int | None) -> Executable:
    """The warm step of a case beside others; with them it may take `most` bytes of the memory."""
    if not comparable(case, reference.case):
        raise InputError(
            f"cost: {case.timed_form} and {reference.case.timed_form} blocks cannot be compared; scanning alone changes"
            f" a step's time (set block_execution of both to one form, or let nothing else differ)"
        )
    if case.cell_id == reference.case.cell_id:
        return reference
    step = Executable(case)
    programs = {reference, *others, step}
    if others and most is not None and bytes_together(each.memory for each in programs) > most:
        raise NoRoomError(f"{len(programs)} steps need more than {most} bytes together")
    step.warm_up()
    return step
