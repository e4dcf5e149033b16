"""How long a run still takes: a rough prior of each task's duration, scaled by the durations that this run has seen.

The log of a task's seconds is taken as that of its prior, plus how much slower this machine is, plus how much more so
in tasks of its kind, plus how much more so with its components. Each of the three is the mean of what the coarser ones
leave unexplained, held to 0 as if it had been seen to be 0 some times before.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import exp, log

from vgbench.harness.plan import Task

HELD_MACHINE, HELD_KIND, HELD_SLOTS = 4.0, 1.0, 0.3
"""How many times each part of the sum is taken to have been 0 before. These numbers and those of `prior` were chosen by
the durations in the published runs, on two cores."""
_SHORTEST = 0.05
_FIRST = 4.0
"""Seconds by which the first task of a run is longer: data are loaded, and jax starts."""
_PAIR, _BLOCKS_TIMED = 1.3, 64
"""Seconds that timing a pair takes besides its blocks, and how many blocks count: more are scanned there."""
_BLOCK = {"mlp": (0.045, 0.0), "recurrent": (0.045, 0.0), "transformer": (0.4, 0.025)}
"""By model, seconds that a block adds to the timing of a step, and how many more for each block of that step: twice as
many blocks of a transformer take the compiler more than twice as long."""
_OTHER_BLOCK = 0.15, 0.0


@dataclass(frozen=True)
class _Expected:
    """What is expected of a task.

    Attributes:
        prior: seconds that it takes by `prior`.
        timing: whether a pair is timed.
        groups: those that it belongs to, from the coarsest: the machine's tasks, its kind's, and its slots'.
    """

    prior: float
    timing: bool
    groups: tuple[Hashable, ...]


class Estimate:
    """Predicts the seconds that are left of a run.

    Args:
        tasks: all that are to be done, in order.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._waiting: dict[str, _Expected] = {}
        self._ended: list[tuple[_Expected, float]] = []
        compiled: set[str] = set()
        for task in tasks:
            programs, kind, slots = _programs(task), _kind(task), _slots(task)
            extra = 0.0 if compiled else _FIRST
            seconds = extra + prior(task, compiles=programs not in compiled)
            self._waiting[task.id] = _Expected(seconds, task.kind == "cost", ((), kind, slots))
            compiled.add(programs)

    def ended(self, task: Task, seconds: float) -> None:
        """Learn how long a task took."""
        expected = self._waiting.pop(task.id)
        self._ended.append((expected, log(max(seconds, _SHORTEST) / expected.prior)))

    def seconds_left(self, workers: int = 1, timers: int = 1) -> float | None:
        """Seconds until all tasks are done; None before the first has ended.

        Args:
            workers: how many tasks are measured at a time.
            timers: how many pairs are timed at a time.
        """
        if not self._ended:
            return None
        slower = self._slower()
        seconds = {True: 0.0, False: 0.0}
        for task in self._waiting.values():
            seconds[task.timing] += task.prior * exp(sum(slower.get(group, 0.0) for group in task.groups))
        return seconds[True] / timers + seconds[False] / workers

    def _slower(self) -> dict[Hashable, float]:
        """For each group the log of how many times as long as expected its tasks take, beyond the coarser groups'."""
        found: dict[Hashable, float] = {}
        left = [log_ratio for _, log_ratio in self._ended]
        for level, held in enumerate((HELD_MACHINE, HELD_KIND, HELD_SLOTS)):
            members: dict[Hashable, list[float]] = {}
            for (task, _), residual in zip(self._ended, left, strict=True):
                members.setdefault(task.groups[level], []).append(residual)
            found |= {group: sum(residuals) / (len(residuals) + held) for group, residuals in members.items()}
            left = [each - found[task.groups[level]] for (task, _), each in zip(self._ended, left, strict=True)]
        return found


def prior(task: Task, *, compiles: bool) -> float:
    """Seconds that a task takes on two cores, roughly: compiling, then running its steps.

    Args:
        task: what is measured.
        compiles: whether no task before it has compiled its programs.
    """
    case = task.case
    family = 1.0 if case.model.name == "mlp" else 1.8
    if task.kind == "cost":
        (seconds, further), blocks = _BLOCK.get(case.model.name, _OTHER_BLOCK), min(case.depth, _BLOCKS_TIMED)
        return _PAIR + blocks * (seconds + further * blocks)
    if not case.steps:
        return family * (2 if compiles else 0.15)
    tuning = 0 if task.held else len(case.learning_rates) * len(case.tuning_seeds)
    layers = case.steps * (tuning + len(task.remaining.seeds)) * case.depth
    return family * ((4 if compiles else 1) + layers * (4e-5 + 2e-11 * case.width**2 * case.batch_size))


def _kind(task: Task) -> str:
    return "training" if task.kind == "cell" and task.case.steps else task.kind


def _slots(task: Task) -> tuple[str, ...]:
    case = task.case
    components = (case.model, case.activation, case.norm, case.skip, case.cell, case.gradient_transform, case.optimizer)
    return (_kind(task), *map(str, components))


def _programs(task: Task) -> str:
    """What the programs of a task depend on: weights and learning rates are their arguments."""
    case = task.case
    shapes = (case.depth, case.width, case.batch_size, case.dtype)
    slots = _slots(task)
    return repr((shapes, slots if case.steps else slots[:-2]))
