"""How a run stands: what is done, has failed and is left, and for how long."""

from collections.abc import Sequence
from dataclasses import dataclass

from vgbench.harness.estimate import Estimate
from vgbench.harness.plan import Record, Task
from vgbench.records.schema import RESULTS


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
        timers: how many pairs are timed at a time.
    """

    def __init__(
        self, present: Sequence[Record], missing: Sequence[Task], workers: int = 1, timers: int | None = None
    ) -> None:
        self._workers, self._timers = workers, timers or workers
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
        seconds = self._estimate.seconds_left(self._workers, self._timers)
        return Progress(self._done, self._failed, self._left, seconds, self._cells, self._programs)


def in_words(seconds: float) -> str:
    """A span of time as people say it: `45 s`, `12 min` or `3 h 20 min`."""
    if seconds < 59.5:
        return f"about {seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes < 60 else f"about {minutes // 60} h {minutes % 60:02d} min"
