"""The executor of one host: a supervised worker for each device, which sees that device alone."""

import os
import pickle
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from vgbench.harness.outcome import Outcome
from vgbench.harness.plan import Task
from vgbench.harness.workers.executor import WorkerSlot, may_take
from vgbench.harness.workers.supervisor import Supervisor
from vgbench.harness.workers.visible_devices import shares
from vgbench.records.origin import Provenance
from vgbench.spec.case import Case


@dataclass(kw_only=True)
class _WorkerSlot(WorkerSlot):
    worker: Supervisor


class Local:
    """Measures on this host, in processes of its own; this process needs no device.

    Args:
        device: `cpu`, `gpu` or `tpu`, with `:i` for the i-th alone; the default backend's if None.
        size: devices a worker.
        limits: of each worker, as in `Supervisor`.
    """

    def __init__(self, device: str | None, *, size: int, **limits: Any) -> None:
        first = Supervisor(device, **limits)
        try:
            visible = first.visible()
            environments = shares(visible, size, os.environ)
        except BaseException:
            first.close()
            raise
        if environments == [{}]:
            workers = [first]
        else:
            first.close()  # it holds them all
            with ThreadPoolExecutor(len(environments)) as pool:
                workers = list(pool.map(lambda shown: Supervisor(visible.platform, shown, **limits), environments))
        self.workers = len(workers)
        self._workers = workers
        self._slots: list[_WorkerSlot] = []
        self._unchecked: bytes | None = None
        self._threads = ThreadPoolExecutor(self.workers)
        self._closing = threading.Event()

    def prepare(self, cases: Sequence[Case]) -> Provenance:
        """Say what the cases are measured with.

        Raises:
            InputError: there is no such device.
        """
        self._unchecked = pickle.dumps(cases)
        origins = list(self._threads.map(lambda worker: worker.origin(), self._workers))
        self._slots = [
            _WorkerSlot(host="", origin=replace(origin, workers=self.workers), worker=worker)
            for worker, origin in zip(self._workers, origins, strict=True)
        ]
        return self._slots[0].origin

    def check(self) -> None:
        """Have every worker check the cases.

        Raises:
            InputError: the workers cannot serve them.
        """
        pickled, self._unchecked = self._unchecked, None
        if pickled is not None:
            list(self._threads.map(lambda worker: worker.prepare(pickled), self._workers))

    def submit(self, task: Task) -> Future[Outcome] | None:
        """Have a task measured by a worker that may take it; None where there is none."""
        for slot in self._slots:
            if may_take(slot, task, self._slots):
                slot.task = task
                return self._threads.submit(self._measure, slot, task)
        return None

    def _measure(self, slot: _WorkerSlot, task: Task) -> Outcome:
        try:
            return slot.worker.execute(task, slot.origin, self._closing.is_set)
        finally:
            slot.task = None

    def close(self) -> None:
        """End all workers at once, whatever they do."""
        self._closing.set()
        self._threads.shutdown()
        for worker in self._workers:
            worker.close()
