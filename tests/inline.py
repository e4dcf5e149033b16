"""The supervised worker's work done in this very process, for tests of what surrounds it."""

from collections.abc import Callable, Iterable
from typing import Any

from made import ORIGIN, cost, gradients, training

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


class Instant(Inline):
    """Hands out records made by hand, the same for every cell, in no time."""

    def prepare(self, cases: Iterable[Case]) -> Provenance:
        return ORIGIN

    def execute(self, task: Task, stop: Callable[[], bool]) -> tuple[Ended, int]:
        parts = {"gradients": gradients([-1.0, 0.0]), "training": training(0.5, 1.0), "cost": cost(1.5)}
        return Ended("ok", "", parts, "2026-01-01T00:00:00+00:00", 1.0), 1
