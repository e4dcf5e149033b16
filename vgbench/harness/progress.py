"""How a run stands: what is done, has failed and is left, and for how long."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from statistics import mean

import numpy as np

from vgbench.harness.plan import Record, Task
from vgbench.records.schema import RESULTS

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
    return " ".join(
        map(str, (case.model, case.activation, case.norm, case.skip, case.gradient_transform, case.optimizer))
    )


def _size(task: Task) -> int:
    """What the work grows with: layers, and in training the steps of all runs."""
    case = task.case
    tuning = 0 if task.held else len(case.learning_rates) * len(case.tuning_seeds)
    runs = tuning + len(task.remaining.seeds)
    return case.depth * (case.steps * runs if _kind(task) == "training" else 1)


@dataclass(frozen=True)
class Progress:
    """How a run stands at one moment.

    Attributes:
        done: measurements with a result.
        failed: measurements that failed.
        left: measurements to be made.
        seconds_left: how long those will take; None before the first of this run has ended.
        cells: measured in this run, costs apart.
        programs: compiled for those cells.
    """

    done: int
    failed: int
    left: int
    seconds_left: float | None
    cells: int = 0
    programs: int = 0

    @property
    def total(self) -> int:
        """All measurements of the run."""
        return self.done + self.failed + self.left

    def __str__(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        time = "" if self.seconds_left is None or not self.left else f", {in_words(self.seconds_left)} left"
        return f"{self.done} of {self.total} done{failed}{time}"


class Tally:
    """Counts along as a run goes on.

    Args:
        present: the records that were there already.
        missing: the tasks that are to be done.
        workers: how many of them are done at a time.
    """

    def __init__(self, present: Sequence[Record], missing: Sequence[Task], workers: int = 1) -> None:
        self._workers = workers
        self._failed = sum(record.status not in RESULTS for record in present)
        self._done = len(present) - self._failed
        self._left = len(missing)
        self._cells = self._programs = 0
        self._estimate = Estimate(missing)

    def ended(self, task: Task, record: Record, programs: int) -> None:
        """Count a task that has ended, and the programs that were compiled for it."""
        self._cells += task.kind == "cell"
        self._programs += programs
        self._estimate.ended(task, record.seconds)
        self._left -= 1
        if record.status in RESULTS:
            self._done += 1
        else:
            self._failed += 1

    @property
    def progress(self) -> Progress:
        """How the run stands now."""
        seconds = self._estimate.seconds_left()
        return Progress(
            self._done,
            self._failed,
            self._left,
            None if seconds is None else seconds / self._workers,
            self._cells,
            self._programs,
        )


def in_words(seconds: float) -> str:
    """A span of time as people say it: `45 s`, `12 min` or `3 h 20 min`."""
    if seconds < 59.5:
        return f"about {seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes < 60 else f"about {minutes // 60} h {minutes % 60:02d} min"
