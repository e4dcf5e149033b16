"""How long a run still takes: a rough prior of each task's duration, scaled by the durations that this run has seen.

The log of a task's seconds is taken as that of its prior, plus how much slower this machine is, plus how much more so
in tasks of its kind, plus how much more so with its components. Each of the three is the mean of what the coarser ones
leave unexplained, held to 0 as if it had been seen to be 0 some times before.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from math import exp, log

from vgbench.harness.plan import Task

HELD_MACHINE, HELD_KIND, HELD_SLOTS = 4.0, 1.0, 0.3
"""How many times each part of the sum is taken to have been 0 before. These numbers and those of `prior` were chosen by
the durations in the published runs, on two cores."""
_SHORTEST = 0.05
_FIRST = 4.0
"""Seconds by which the first task of a run is longer: data are loaded, and jax starts."""

_Key = tuple[str, str]


class Estimate:
    """Predicts the seconds that are left of a run.

    Args:
        tasks: all that are to be done, in order.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = tasks
        self._waiting = set(map(_key, tasks))
        self._priors: dict[_Key, float] = {}
        self._ended: list[tuple[Task, float]] = []
        compiled: set[str] = set()
        for task in tasks:
            programs = _programs(task)
            extra = 0.0 if compiled else _FIRST
            self._priors[_key(task)] = extra + prior(task, compiles=programs not in compiled)
            compiled.add(programs)

    def ended(self, task: Task, seconds: float) -> None:
        """Learn how long a task took."""
        self._waiting.remove(_key(task))
        self._ended.append((task, log(max(seconds, _SHORTEST) / self._priors[_key(task)])))

    def seconds_left(self, workers: int = 1, timers: int = 1) -> float | None:
        """Seconds until all tasks are done; None before the first has ended.

        Args:
            workers: how many tasks are measured at a time.
            timers: how many pairs are timed at a time.
        """
        if not self._ended:
            return None
        slower = dict.fromkeys(self._priors, 0.0)
        for group, held in ((_machine, HELD_MACHINE), (_kind, HELD_KIND), (_slots, HELD_SLOTS)):
            means = _means(((group(task), log_ratio - slower[_key(task)]) for task, log_ratio in self._ended), held)
            for task in self._tasks:
                slower[_key(task)] += means[group(task)]
        seconds = {key: self._priors[key] * exp(slower[key]) for key in self._waiting}
        timing = sum(each for (kind, _), each in seconds.items() if kind == "cost")
        return timing / timers + (sum(seconds.values()) - timing) / workers


def prior(task: Task, *, compiles: bool) -> float:
    """Seconds that a task takes on two cores, roughly: compiling, then running its steps.

    Args:
        task: what is measured.
        compiles: whether no task before it has compiled its programs.
    """
    case = task.case
    family = 1.0 if case.model.name == "mlp" else 1.8
    if task.kind == "cost":
        return family * (2 + 0.12 * min(case.depth, 32))  # of deeper networks the scanned step is timed
    if not case.steps:
        return family * (2 if compiles else 0.15)
    tuning = 0 if task.held else len(case.learning_rates) * len(case.tuning_seeds)
    layers = case.steps * (tuning + len(task.remaining.seeds)) * case.depth
    return family * ((4 if compiles else 1) + layers * (4e-5 + 2e-11 * case.width**2 * case.batch_size))


def _means(observed: Iterable[tuple[Hashable, float]], held: float) -> defaultdict[Hashable, float]:
    """The mean of each group, held to 0, which it is of all others."""
    groups: dict[Hashable, list[float]] = {}
    for group, value in observed:
        groups.setdefault(group, []).append(value)
    return defaultdict(float, {group: sum(values) / (len(values) + held) for group, values in groups.items()})


def _key(task: Task) -> _Key:
    return task.kind, task.id


def _machine(task: Task) -> None:
    """All tasks run on the same one."""


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
