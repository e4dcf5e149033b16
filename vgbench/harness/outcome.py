"""What becomes of a task: its record, made where the task ends, whether a worker or its supervisor sees that."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from vgbench.harness.plan import Record, Task
from vgbench.records.origin import Provenance
from vgbench.records.schema import CellRecord, CostRecord, Status
from vgbench.records.seeds import PARTS


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes:
        record: of it; `attempts` counts those of this run of the task alone.
        programs: compiled for it, those of costs apart; others it shared with tasks before it.
        worn: whether its process holds so much that another one should go on.
        beside: the records of the pairs that were timed beside it.
        traces: the files of traces, by their paths in the folder of the device.
        notes: what is worth saying and changes no measurement.
    """

    record: Record
    programs: int = 0
    worn: bool = False
    beside: tuple[Record, ...] = ()
    traces: Mapping[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def records(self) -> tuple[Record, ...]:
        """Of all tasks that were measured together."""
        return self.record, *self.beside


class Stopwatch:
    """Takes the time of a task from now on.

    Args:
        tasks: that are measured together, and share the time equally.

    Attributes:
        started: when, ISO 8601, UTC.
    """

    def __init__(self, tasks: int = 1) -> None:
        self.started = datetime.now(UTC).isoformat(timespec="seconds")
        self._start, self._tasks = time.perf_counter(), tasks

    @property
    def seconds(self) -> float:
        """Seconds since then for each task."""
        return (time.perf_counter() - self._start) / self._tasks


def record_of(
    task: Task,
    origin: Provenance,
    stopwatch: Stopwatch,
    status: Status,
    reason: str,
    attempts: int = 1,
    **measured: Any,
) -> Record:
    """The record of a task that has just ended.

    Args:
        task: what was to be measured.
        origin: what measured it.
        stopwatch: that was started with it.
        status: how it ended.
        reason: in words, as in `CellRecord`.
        attempts: how often it was begun.
        measured: what was measured before it ended, by the record's field.
    """
    common: dict[str, Any] = {
        "case": task.remaining,
        "status": status,
        "reason": reason,
        "provenance": origin,
        "started": stopwatch.started,
        "seconds": stopwatch.seconds,
        "attempts": attempts,
    }
    if task.kind == "cell":
        return CellRecord(**{name: measured.get(name) for name in PARTS}, **common)
    return CostRecord(reference=task.reference, cost=measured.get("cost"), **common)
