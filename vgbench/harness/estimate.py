"""The time left of a run, from the measured durations of like tasks."""

from collections.abc import Sequence
from math import log
from statistics import mean

import numpy as np

from vgbench.harness.tasks import Task

GROWTH = 0.6
"""The power of its size that a task's duration grows with, as long as nothing else is known: between compiling, which
does not grow, and computing, which does."""
_HOLD_SLOPE, _HOLD_EFFECTS = 1.0, 0.3
"""How strongly the fit is held to that power, and the slots' effects to none; the level is free."""


class Estimate:
    """Predicts each kind of task by log seconds = level + slope log size + effect of the slots, a ridge regression.

    Args:
        tasks: all that are to be done.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._waiting = list(tasks)
        self._ended: dict[str, list[tuple[Task, float]]] = {}

    def ended(self, task: Task, seconds: float) -> None:
        """Learn how long a task took."""
        self._waiting.remove(task)
        self._ended.setdefault(_kind(task), []).append((task, max(seconds, 1e-3)))

    def seconds_left(self) -> float | None:
        """Seconds until all tasks are done; None before the first has ended."""
        if not self._ended:
            return None
        by_kind: dict[str, list[Task]] = {}
        for task in self._waiting:
            by_kind.setdefault(_kind(task), []).append(task)
        return sum((self._predict(kind, tasks) for kind, tasks in by_kind.items()), 0.0)

    def _predict(self, kind: str, waiting: Sequence[Task]) -> float:
        known = self._ended.get(kind)
        if known is None:  # no task of its kind yet: those that train take longest
            return len(waiting) * min(mean(seconds for _, seconds in ended) for ended in self._ended.values())
        slots = sorted({_slots(task) for task, _ in known})
        middle = mean(log(_size(task)) for task, _ in known)

        def row(task: Task) -> list[float]:
            return [1.0, log(_size(task)) - middle, *(float(_slots(task) == each) for each in slots)]

        design = np.asarray([row(task) for task, _ in known])
        target = np.log([seconds for _, seconds in known]) - GROWTH * design[:, 1]
        penalty = np.diag([1e-9, _HOLD_SLOPE, *[_HOLD_EFFECTS] * len(slots)])
        weights = np.linalg.solve(design.T @ design + penalty, design.T @ target)
        spread = float(np.mean(np.exp(target - design @ weights)))  # the mean of seconds is above exp of the mean log
        rows = np.asarray([row(task) for task in waiting])
        return spread * float(np.exp(rows @ weights + GROWTH * rows[:, 1]).sum())


def _kind(task: Task) -> str:
    return "training" if task.kind == "cell" and task.case.steps else task.kind


def _slots(task: Task) -> str:
    case = task.case
    return " ".join(map(str, (case.model, case.activation, case.norm, case.skip, case.transform, case.optimizer)))


def _size(task: Task) -> int:
    """What the work grows with: layers, and in training the steps of all runs."""
    case = task.case
    runs = len(case.rates) * len(case.tuning_seeds) + len(case.seeds)
    return case.depth * (case.steps * runs if _kind(task) == "training" else 1)
