"""Executors: whoever has tasks measured, by one worker or by many."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from vgbench.harness.outcome import Outcome
from vgbench.harness.plan import Task
from vgbench.records.origin import Provenance
from vgbench.spec.case import Case


class WorkerLostError(Exception):
    """A worker went away with all that it was about to say, through no proven fault of its task."""


@runtime_checkable
class Executor(Protocol):
    """Has tasks measured, each by a worker that does nothing else meanwhile.

    Attributes:
        workers: how many tasks it can have measured at a time.
    """

    workers: int

    def prepare(self, cases: Sequence[Case]) -> Provenance:
        """Say what these cases are measured with.

        Raises:
            InputError: there are no such devices.
        """
        ...

    def check(self) -> None:
        """Check what only workers can check of the cases, before the first is measured.

        Raises:
            InputError: the workers cannot serve them.
        """

    def submit(self, task: Task) -> Future[Outcome] | None:
        """Have a task measured; None while no worker may take it.

        Returns:
            The outcome to be; raises `WorkerLostError` where another worker may try again.
        """
        ...

    def close(self) -> None:
        """End all workers at once, whatever they do."""


@dataclass(kw_only=True)
class WorkerSlot:
    """A worker's place, as an executor sees it.

    Attributes:
        host: what tells one host from another.
        origin: what the worker measures with.
        task: what it measures now.
    """

    host: str
    origin: Provenance
    task: Task | None = None


def may_take(slot: WorkerSlot, task: Task, slots: Sequence[WorkerSlot]) -> bool:
    """Whether a worker may begin a task now: it is free, and no timing is disturbed.

    A task has its worker's devices to itself. On a CPU the device is the host, so there a pair is timed alone: while
    nothing else runs on the host, and nothing else begins.
    """
    if slot.task is not None:
        return False
    if slot.origin.device.platform != "cpu":
        return True
    beside = [other.task.kind for other in slots if other.host == slot.host and other.task is not None]
    return not beside if task.kind == "cost" else "cost" not in beside
