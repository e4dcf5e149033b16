"""The supervised worker: what becomes of pairs that were timed together when their worker dies or hangs."""

from concurrent.futures import Future
from concurrent.futures import TimeoutError as OutOfTime
from dataclasses import replace
from typing import Any

import pytest
from helpers.made import ORIGIN
from helpers.tiny_suite import TINY
from pebble import ProcessExpired

from vgbench.harness.outcome import Outcome, Stopwatch, record_of
from vgbench.harness.plan import Task, tasks_of
from vgbench.harness.workers.supervisor import Supervisor

FIRST, SECOND = (task for task in tasks_of(TINY.cells()) if task.kind == "cost")
BOTH = replace(FIRST, beside=(SECOND,))


class Pool:
    """A worker that a group, and one pair even when it is alone, brings down with an error."""

    def __init__(self, error: Exception, alone: Task | None = None) -> None:
        self.error, self.alone = error, alone
        self.scheduled: list[Task] = []

    def schedule(self, *_: Any, args: Any, **__: Any) -> Future[Outcome]:
        task, future = args[0], Future()
        self.scheduled.append(task)
        if task.beside or task == self.alone:
            future.set_exception(self.error)
        else:
            future.set_result(Outcome(record_of(task, ORIGIN, Stopwatch(), "skipped", "measured")))
        return future


def executed(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The status and the attempts of both pairs."""
    monkeypatch.setattr(Supervisor, "_start", lambda self: setattr(self, "_pool", pool))
    monkeypatch.setattr(Supervisor, "close", lambda self: None)
    supervisor = Supervisor(None, timeout=9.0, precision=0.1, compilations=None, memory_limit=None)
    outcome = supervisor.execute(BOTH, ORIGIN, lambda: False)
    assert [record.case for record in outcome.records] == [FIRST.case, SECOND.case]
    return [(record.status, record.attempts) for record in outcome.records]


@pytest.mark.parametrize("error", [OutOfTime(), ProcessExpired("died", code=1)], ids=["hangs", "dies"])
def test_pairs_whose_worker_ended_are_timed_one_by_one(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool(error)
    assert executed(pool, monkeypatch) == [("skipped", 2)] * 2
    assert [(task, task.beside) for task in pool.scheduled] == [(BOTH, (SECOND,)), (FIRST, ()), (SECOND, ())]


@pytest.mark.parametrize(
    ("error", "ended"),
    [(OutOfTime(), ("timeout", 2)), (ProcessExpired("died", code=1), ("crashed", 3))],
    ids=["hangs", "dies"],
)
def test_pair_that_ends_its_worker_alone_costs_the_other_nothing(
    error: Exception, ended: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert executed(Pool(error, alone=FIRST), monkeypatch) == [ended, ("skipped", 2)]
