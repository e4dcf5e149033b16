"""Traces of timed steps: their size is bounded, and what goes wrong costs the trace alone."""

import errno
import os

import pytest
from helpers.made import ORIGIN, cost

from vgbench.harness.plan import Task
from vgbench.harness.workers import step_trace, worker
from vgbench.measure.trace import KEPT
from vgbench.spec.case import Case

CASE = Case(depth=2, width=4, steps=0, seeds=(0,), optimizer="sgd", data="gaussian", batch_size=8)
TASK = Task("cost", "baseline, depth 2", CASE, CASE)


class Steps:
    """Takes the place of a compiled step, and counts how often it is taken."""

    def __init__(self, case: Case) -> None:
        self.taken = 0

    def step(self) -> None:
        self.taken += 1


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timings made by hand, and steps that do nothing."""
    monkeypatch.setattr(step_trace, "Executable", Steps)
    monkeypatch.setattr(worker, "measure_cost", lambda case, reference, precision: cost(1.0, case))


def test_five_steps_are_traced_and_the_record_names_the_place() -> None:
    outcome = worker.execute(TASK, "cpu", 0.1, None, ORIGIN, trace=True)
    assert (list(outcome.trace), outcome.note) == (list(KEPT), "")
    assert outcome.record.trace == f"traces/{TASK.id}"  # pyright: ignore[reportAttributeAccessIssue]


def test_nothing_is_traced_unasked() -> None:
    outcome = worker.execute(TASK, "cpu", 0.1, None, ORIGIN)
    assert (outcome.trace, outcome.note, outcome.record.trace) == ({}, "", None)  # pyright: ignore[reportAttributeAccessIssue]


def test_large_steps_are_traced_alone_and_larger_ones_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter((100, 20, 100, 20))
    monkeypatch.setattr(step_trace, "recorded", lambda run: {"file": bytes(next(sizes))})
    assert step_trace.step_trace(CASE, largest=20) == ({"file": bytes(20)}, "")
    assert step_trace.step_trace(CASE, largest=2) == ({}, "one step has more than 0 MiB")


def test_disk_that_is_full_costs_the_trace_and_not_the_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    def recorded(run: object) -> dict[str, bytes]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/x")

    monkeypatch.setattr(step_trace, "recorded", recorded)
    outcome = worker.execute(TASK, "cpu", 0.1, None, ORIGIN, trace=True)
    assert (outcome.record.status, outcome.trace) == ("ok", {})
    assert outcome.record.trace is None  # pyright: ignore[reportAttributeAccessIssue]
    assert outcome.note.startswith("no trace of baseline, depth 2: OSError: [Errno 28] No space left")
