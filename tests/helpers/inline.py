"""The supervised worker's work done in this very process, for tests of what surrounds it."""

import pickle
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from helpers.made import ORIGIN, cost, gradients, training
from vgbench.harness.outcome import Outcome, Stopwatch, record_of
from vgbench.harness.plan import Task
from vgbench.harness.workers import worker
from vgbench.measure import executable
from vgbench.records.origin import Provenance
from vgbench.spec.case import Case

COARSE, SHORT = 1.0, 1e-3
"""Precision of timings that no test looks at, and the seconds of each of their parts.

Beside other tests, a finer one takes the whole four seconds a pair.
"""


class Inline:
    """Takes the place of `Local`."""

    workers = 1

    def __init__(self, device: str | None, **_: Any) -> None:
        self._device = device

    def prepare(self, cases: Sequence[Case]) -> Provenance:
        self.origin = worker.prepare(self._device, pickle.dumps(cases))
        return self.origin

    def check(self) -> None:
        """Nothing is left to check."""

    def submit(self, task: Task) -> Future[Outcome] | None:
        future: Future[Outcome] = Future()
        future.set_result(self.measure(task))
        return future

    def measure(self, task: Task) -> Outcome:
        with pytest.MonkeyPatch.context() as patched:
            for name in ("WARM_UP_SECONDS", "SAMPLE_SECONDS", "QUEUE_SECONDS"):
                patched.setattr(executable, name, SHORT)
            return worker.execute(task, self._device, COARSE, None, self.origin)

    def close(self) -> None:
        """Nothing to close."""


class Instant(Inline):
    """Hands out records made by hand, as like as cells allow, in no time."""

    def prepare(self, cases: Sequence[Case]) -> Provenance:
        self.origin = ORIGIN
        return ORIGIN

    def measure(self, task: Task) -> Outcome:
        case = task.case
        seeds = len(case.seeds)
        parts = {
            "gradients": gradients(*[list(np.linspace(-1, 0, case.depth))] * seeds),
            "training": training(*np.linspace(0.5, 1, seeds), case=case) if case.steps else None,
            "cost": cost(1.5, case),
        }
        record = record_of(task, self.origin, Stopwatch(), "ok", "", **parts)
        beside = tuple(self.measure(each).record for each in task.beside)
        return Outcome(replace(record, started="2026-01-01T00:00:00+00:00", seconds=1.0), beside=beside)
