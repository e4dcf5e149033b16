"""The supervised worker's work done in this very process, for tests of what surrounds it."""

from collections.abc import Callable, Iterable
from typing import Any

from vgbench.case import Case
from vgbench.harness import worker
from vgbench.harness.tasks import Task
from vgbench.harness.worker import Ended
from vgbench.measure.pairs import PRECISION
from vgbench.records import Provenance


class Inline:
    """Takes the place of `Supervisor`."""

    def __init__(self, device: str | None, **_: Any) -> None:
        self._device = device

    def prepare(self, cases: Iterable[Case]) -> Provenance:
        return worker.prepare(self._device, [case.model_dump(mode="json") for case in cases])

    def execute(self, task: Task, stop: Callable[[], bool]) -> tuple[Ended, int]:
        if stop():
            raise KeyboardInterrupt
        return worker.execute(task.kind, self._device, PRECISION, task.case, task.reference), 1

    def __enter__(self) -> "Inline":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""
