"""Traces of timed steps: their size is bounded, and what goes wrong costs the trace alone."""

import errno
import os
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from helpers.made import BASE, ORIGIN, TIMES, cost
from pebble import ProcessExpired

from vgbench.harness.outcome import Outcome
from vgbench.harness.plan import Task
from vgbench.harness.workers import process
from vgbench.harness.workers import step_trace as traces
from vgbench.harness.workers.step_trace import step_trace
from vgbench.harness.workers.supervisor import Supervisor
from vgbench.measure.trace import KEPT
from vgbench.records.schema import CostRecord
from vgbench.spec.case import Case

TASK = Task("cost", "baseline, depth 2", BASE, BASE)
TIMED = Outcome(CostRecord(BASE, BASE, "ok", "", cost(1.0), **TIMES))


class Steps:
    """Takes the place of a compiled step, and counts how often it is taken."""

    taken = 0

    def __init__(self, case: Case) -> None:
        Steps.taken = 0

    def step(self) -> None:
        Steps.taken += 1


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that do nothing."""
    monkeypatch.setattr(traces, "Executable", Steps)


def test_five_steps_are_traced_after_the_first() -> None:
    files, why = step_trace("cpu", BASE)
    assert (list(files), why, Steps.taken) == (list(KEPT), "", 6)


def test_large_steps_are_traced_alone_and_larger_ones_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter((100, 20, 100, 20))
    monkeypatch.setattr(traces, "recorded", lambda run: {"file": bytes(next(sizes))})
    assert step_trace("cpu", BASE, largest=20) == ({"file": bytes(20)}, "")
    assert step_trace("cpu", BASE, largest=2) == ({}, "one step has more than 0 MiB")


def test_a_full_disk_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def recorded(run: object) -> dict[str, bytes]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/x")

    monkeypatch.setattr(traces, "recorded", recorded)
    files, why = step_trace("cpu", BASE)
    assert files == {}
    assert why.startswith("OSError: [Errno 28] No space left on device")


class Pool:
    """A worker that answers in this process, or dies of some questions."""

    def __init__(self, dies_of: Callable[..., Any] | None = None) -> None:
        self._dies_of = dies_of

    def schedule(self, function: Callable[..., Any], args: Any, timeout: float) -> Future[Any]:
        future: Future[Any] = Future()
        if function is self._dies_of:
            future.set_exception(ProcessExpired("died", code=-11))
        elif function is process.step_trace:
            future.set_result(step_trace("cpu", *args[1:]))
        else:
            future.set_result(TIMED)
        return future


@pytest.fixture
def supervised(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Has the task timed by a supervised worker of the kind."""
    monkeypatch.setattr(Supervisor, "close", lambda self: None)

    def timed(*, trace: bool, dies_of: Any = None) -> Outcome:
        monkeypatch.setattr(Supervisor, "_start", lambda self: setattr(self, "_pool", Pool(dies_of)))
        limits: Any = {"timeout": 9.0, "precision": 0.1, "compilations": 1, "memory_limit": None}
        return Supervisor("cpu", **limits, trace=trace).execute(TASK, ORIGIN, lambda: False)

    return timed


def test_record_of_a_timing_names_its_trace(supervised: Callable[..., Outcome]) -> None:
    outcome, place = supervised(trace=True), f"traces/{TASK.id}"
    assert isinstance(outcome.record, CostRecord)
    assert (outcome.record.trace, outcome.notes) == (place, ())
    assert list(outcome.traces) == [f"{place}/{name}" for name in KEPT]


def test_nothing_is_traced_unasked(supervised: Callable[..., Outcome]) -> None:
    outcome = supervised(trace=False)
    assert isinstance(outcome.record, CostRecord)
    assert (outcome.record.trace, outcome.traces, outcome.notes) == (None, {}, ())


def test_worker_that_dies_of_tracing_costs_the_trace_and_not_the_timing(supervised: Callable[..., Outcome]) -> None:
    outcome = supervised(trace=True, dies_of=process.step_trace)
    assert isinstance(outcome.record, CostRecord)
    assert (outcome.record.status, outcome.record.trace, outcome.traces) == ("ok", None, {})
    assert outcome.notes == ("no trace of baseline, depth 2: the worker ended (ProcessExpired)",)
