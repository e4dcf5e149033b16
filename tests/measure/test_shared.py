"""Programs are kept while there is room, over all kinds; a worker that nothing relieves is replaced."""

import dataclasses
import multiprocessing
import resource
import sys
from collections import OrderedDict
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import jax
import pytest
from helpers.inline import Instant
from helpers.made import ORIGIN
from helpers.tiny_suite import TINY, Log

from vgbench.harness import runner
from vgbench.harness.outcome import Outcome, Stopwatch, record_of
from vgbench.harness.plan import tasks_of
from vgbench.harness.runner import run
from vgbench.harness.workers.supervisor import Supervisor
from vgbench.measure import shared
from vgbench.measure.shared import GROWTH_BYTES, WORN_BYTES, Held, programs_made
from vgbench.records.schema import RESULTS
from vgbench.spec.suite import Protocol, Suite

FEW = Held(2000, 10**9)
MAPS = 65530


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[Held | None]:
    """What the process is taken to hold, one after the other, the last for good; no program is kept at first."""
    answers: list[Held | None] = [FEW]
    monkeypatch.setattr(shared, "_PROCESS", shared._Process(OrderedDict()))
    monkeypatch.setattr(shared, "_held", lambda: answers.pop(0) if len(answers) > 1 else answers[0])
    monkeypatch.setattr(shared, "_maps_allowed", lambda: MAPS)
    return answers


@pytest.fixture
def clears(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """An entry for each time that jax's own programs are dropped."""
    done: list[bool] = []
    monkeypatch.setattr(jax, "clear_caches", lambda: done.append(True))
    return done


@shared.shared
def one(name: str) -> list[str]:
    return ["one", name]


@shared.shared
def other(name: str) -> list[str]:
    return ["other", name]


def kept() -> list[tuple[str, str]]:
    return [(program[0], program[1]) for program in shared._PROCESS.programs.values()]


def test_program_is_made_once_for_its_kind_and_arguments(held: list[Held | None]) -> None:
    first = one("a")
    assert one("a") is first
    assert other("a") == ["other", "a"]
    assert programs_made() == 2


@pytest.mark.parametrize("much", [Held(MAPS // 2 + 1, FEW.bytes), Held(FEW.maps, FEW.bytes + GROWTH_BYTES + 1)])
def test_half_that_was_used_least_recently_is_dropped_whatever_its_kind(
    held: list[Held | None], clears: list[bool], much: Held
) -> None:
    for name in ("a", "b"):
        one(name)
        other(name)
    one("a")
    held[:] = [much, FEW]
    one("c")
    assert kept() == [("other", "b"), ("one", "a"), ("one", "c")]
    assert not clears
    assert programs_made() == 5


def test_all_programs_are_dropped_where_half_is_not_enough(held: list[Held | None], clears: list[bool]) -> None:
    for name in ("a", "b"):
        one(name)
    held[:] = [Held(MAPS, FEW.bytes), Held(MAPS // 2 + 1, FEW.bytes), FEW]
    one("c")
    assert kept() == [("one", "c")]
    assert clears == [True]


def test_as_much_as_is_allowed_is_kept(held: list[Held | None], clears: list[bool]) -> None:
    for name in "abc":
        one(name)
    held[:] = [Held(MAPS // 2, FEW.bytes + GROWTH_BYTES)]
    one("d")
    assert [name for _, name in kept()] == ["a", "b", "c", "d"]


def test_room_is_reckoned_from_the_least_that_was_ever_held(held: list[Held | None], clears: list[bool]) -> None:
    one("a")
    held[:] = [Held(FEW.maps, FEW.bytes - 10**8)]
    one("b")
    held[:] = [Held(FEW.maps, FEW.bytes + GROWTH_BYTES - 10**8 + 1)]
    one("c")
    assert kept() == [("one", "c")]


def test_programs_are_counted_where_the_system_says_nothing(held: list[Held | None]) -> None:
    held[:] = [None]
    for number in range(70):
        one(str(number))
        assert len(kept()) <= shared.PROGRAMS_KEPT
    assert kept()[-1] == ("one", "69")
    assert not shared.worn()


@pytest.mark.parametrize(
    ("after", "worn"),
    [
        (Held(FEW.maps, FEW.bytes + GROWTH_BYTES + WORN_BYTES), False),
        (Held(FEW.maps, FEW.bytes + GROWTH_BYTES + WORN_BYTES + 1), True),
        (Held(int(0.75 * MAPS), FEW.bytes), False),
        (Held(int(0.75 * MAPS) + 1, FEW.bytes), True),
    ],
)
def test_process_is_worn_by_what_it_holds_although_it_dropped_its_programs(
    held: list[Held | None], clears: list[bool], after: Held, worn: bool
) -> None:
    assert not shared.worn()
    assert not shared.worn()
    assert not clears
    one("a")
    held[:] = [after]
    assert shared.worn() == worn
    assert not kept()
    assert clears == [True]


def test_process_is_not_worn_by_data_that_its_first_task_loads(held: list[Held | None], clears: list[bool]) -> None:
    one("a")
    held[:] = [Held(FEW.maps, 10 * FEW.bytes)]
    assert [shared.worn() for _ in range(3)] == [False] * 3
    one("b")
    one("c")
    assert kept() == [("one", "b"), ("one", "c")]  # nor dropped time and again for their sake


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process holds")
def test_what_this_process_holds_is_read_and_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    before = shared._held()
    assert before is not None
    assert 100 < before.maps < MAPS
    assert before.bytes > 10**7
    monkeypatch.setattr(resource, "getrlimit", lambda which: (2**30, 2**30))
    assert shared._growth_allowed() == 2**28
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY, 2**30))
    assert shared._growth_allowed() == GROWTH_BYTES


def test_dropped_programs_give_back_their_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "_PROCESS", shared._Process(OrderedDict()))
    if shared._held() is None:
        pytest.skip("only Linux says what a process holds")

    @shared.shared
    def program(number: int) -> Any:
        return jax.jit(lambda x: x * number + number).lower(jax.ShapeDtypeStruct((number,), "float32")).compile()

    def maps() -> int:
        held = shared._held()
        assert held is not None
        return held.maps

    shared.forget()
    empty = maps()
    for number in range(2, 22):
        program(number)
    full = maps()
    assert full > empty + 20
    shared.forget()
    assert maps() < full - 20


class Pool:
    """Takes the place of a worker process that is worn by every task."""

    def schedule(self, *_: Any, args: Any, **__: Any) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        future.set_result(Outcome(record_of(args[0], ORIGIN, Stopwatch(), "ok", ""), worn=True))
        return future


def test_worn_worker_is_replaced_before_the_next_task(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []

    def start(self: Supervisor) -> None:
        events.append("start")
        self._pool: Any = Pool()

    monkeypatch.setattr(Supervisor, "_start", start)
    monkeypatch.setattr(Supervisor, "close", lambda self: events.append("close"))
    task = tasks_of(TINY.cells())[0]
    worker = Supervisor(None, timeout=9.0, precision=0.1, compilations=None, memory_limit=None)
    for _ in range(2):
        outcome = worker.execute(task, ORIGIN, lambda: False)
        assert (outcome.worn, outcome.record.attempts) == (True, 1)
    assert events == ["start", "close", "start"]


def test_replacement_of_a_worker_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Worn(Instant):
        def measure(self, task: Any) -> Outcome:
            return dataclasses.replace(super().measure(task), worn=True)

    monkeypatch.setattr(runner, "Local", Worn)
    log = Log()
    run(TINY, tmp_path, observers=[log])
    assert set(log.notes) == {
        "the worker process has come to hold much memory or many memory maps; another one goes on in its place"
    }
    assert (len(log.notes), len(log.done)) == (3, 4)  # both pairs are timed by one


def differing(cells: int) -> Suite:
    """A suite of so many cells, none of which shares a program with another; each compiles in seconds."""
    data = {"name": "gaussian", "features": 4, "examples": 16}
    seeds = {"seeds": [0], "tuning_seeds": [], "learning_rates": [0.1]}
    return Suite(
        name="differing",
        title="Differing",
        question="Does a long run end?",
        baseline={"width": 4, "data": data, "batch_size": 8, "steps": 2, "activation": "tanh", **seeds},
        mitigations={
            "relu": {"activation": "relu"},
            "transformer": {"model": "transformer", "width": 8, "data": "digits"},
        },
        sweep={"depth": [1 + 3 * place for place in range(cells // 3)]},
        protocol=Protocol(time_to_depth=0),
    )


class Watch(Log):
    """Notes the most that worker processes have held."""

    maps, bytes = 0, 0

    def ended(self, *reported: Any) -> None:
        super().ended(*reported)
        for child in multiprocessing.active_children():
            self.maps = max(self.maps, Path(f"/proc/{child.pid}/maps").read_bytes().count(b"\n"))
            lines = Path(f"/proc/{child.pid}/status").read_text().splitlines()
            peak = next(line for line in lines if line.startswith("VmHWM:"))
            self.bytes = max(self.bytes, int(peak.split()[1]) * 1024)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process holds")
def test_long_suite_of_differing_cells_runs_in_3_gb(tmp_path: Path) -> None:
    watch = Watch()
    run(differing(150), tmp_path, observers=[watch])  # a quarter of an hour on two cores
    assert {record.status for record in watch.records} <= {*RESULTS}  # the signal of the deepest ones underflows
    assert len(watch.records) == 150
    assert watch.maps < 0.7 * MAPS
    assert watch.bytes < 3 * 10**9
