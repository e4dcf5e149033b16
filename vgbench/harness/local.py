"""The executor of one host: a supervised worker for each device, which sees that device alone."""

import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from vgbench.case import Case
from vgbench.harness.executor import Outcome, Seat, may_take
from vgbench.harness.share import shares
from vgbench.harness.supervisor import Supervisor
from vgbench.harness.tasks import Task
from vgbench.records import Provenance


@dataclass(kw_only=True)
class _Seat(Seat):
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
        self._seats: list[_Seat] = []
        self._threads = ThreadPoolExecutor(self.workers)
        self._closing = threading.Event()

    def prepare(self, cases: Sequence[Case]) -> Provenance:
        """Check the devices and the cases, and say what they are measured with.

        Raises:
            InputError: the workers cannot serve them.
        """
        described = [case.model_dump(mode="json") for case in cases]
        origins = list(self._threads.map(lambda worker: worker.prepare(described), self._workers))
        self._seats = [
            _Seat(host="", origin=replace(origin, workers=self.workers), worker=worker)
            for worker, origin in zip(self._workers, origins, strict=True)
        ]
        return self._seats[0].origin

    def submit(self, task: Task) -> Future[Outcome] | None:
        """Have a task measured by a worker that may take it; None where there is none."""
        for seat in self._seats:
            if may_take(seat, task, self._seats):
                seat.task = task
                return self._threads.submit(self._measure, seat, task)
        return None

    def _measure(self, seat: _Seat, task: Task) -> Outcome:
        try:
            return Outcome(*seat.worker.execute(task, self._closing.is_set), seat.origin)
        finally:
            seat.task = None

    def close(self) -> None:
        """End all workers at once, whatever they do."""
        self._closing.set()
        self._threads.shutdown()
        for worker in self._workers:
            worker.close()
