"""The time left of a run, from the measured durations of like tasks."""

from collections.abc import Sequence
from statistics import mean

from vgbench.harness.worker import Task


class Estimate:
    """Predicts a task by the finished ones of its kind that are nearest in size, growing with the root of the size.

    Between compiling, which does not grow, and computing, which does, the root is a fair middle.

    Args:
        tasks: all that are to be done.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._waiting = list(tasks)
        self._seconds: dict[str, dict[int, list[float]]] = {}

    def ended(self, task: Task, seconds: float) -> None:
        """Learn how long a task took."""
        self._waiting.remove(task)
        self._seconds.setdefault(_kind(task), {}).setdefault(_size(task), []).append(seconds)

    def seconds_left(self) -> float | None:
        """Seconds until all tasks are done; None before the first has ended."""
        if not self._seconds:
            return None
        return sum(map(self._predict, self._waiting), 0.0)

    def _predict(self, task: Task) -> float:
        known, size = self._seconds.get(_kind(task)), _size(task)
        if known is None:  # no task of its kind yet: those that train take longest
            return min(mean(seconds) for sizes in self._seconds.values() for seconds in sizes.values())
        nearest = min(known, key=lambda other: abs(other - size))
        return mean(known[nearest]) * (size / nearest) ** 0.5


def _kind(task: Task) -> str:
    return "training" if task.kind == "cell" and task.case.steps else task.kind


def _size(task: Task) -> int:
    """What the work grows with: layers, and in training the steps of all runs."""
    case = task.case
    runs = len(case.rates) * len(case.tuning_seeds) + len(case.seeds)
    return case.depth * (case.steps * runs if _kind(task) == "training" else 1)
