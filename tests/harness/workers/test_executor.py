"""Many workers: what may run beside what, who sees which device, and what becomes of a lost worker's task."""

import dataclasses
import json
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest
from helpers.faulty import BASELINE, call
from helpers.inline import Instant
from helpers.made import ORIGIN
from helpers.small_runs import contents
from helpers.tiny_suite import TINY, Log
from hypothesis import given
from hypothesis import strategies as st

from vgbench.errors import InputError
from vgbench.harness import runner
from vgbench.harness.outcome import Outcome
from vgbench.harness.plan import Task, tasks_of
from vgbench.harness.runner import run
from vgbench.harness.workers.executor import WorkerLostError, WorkerSlot, may_take
from vgbench.harness.workers.visible_devices import Visible, shares
from vgbench.records.origin import Device
from vgbench.spec.suite import Suite

CELL, COST = tasks_of(TINY.cells())[::2]
GPU = dataclasses.replace(ORIGIN, device=Device("gpu", "H100", 1))
WIDE = TINY.select({"depth": [2, 3, 4, 5, 6]})


def slots(*held: str | None, hosts: str, origin: object = ORIGIN) -> list[WorkerSlot]:
    tasks = {None: None, "cell": CELL, "cost": COST}
    return [
        WorkerSlot(host=host, origin=origin, task=tasks[task])  # pyright: ignore[reportArgumentType]
        for task, host in zip(held, hosts, strict=True)
    ]


@pytest.mark.parametrize(
    ("held", "hosts", "cell", "cost"),
    [
        ((None,), "a", True, True),
        (("cell",), "a", False, False),
        ((None, "cell"), "aa", True, False),
        ((None, "cost"), "aa", False, False),
        ((None, "cell"), "ab", True, True),
        ((None, "cost"), "ab", True, True),
        ((None, None, "cell"), "aab", True, True),
    ],
)
def test_pair_is_timed_alone_on_the_host_where_the_device_is_its_cpu(
    held: Sequence[str | None], hosts: str, cell: bool, cost: bool
) -> None:
    there = slots(*held, hosts=hosts)
    assert (may_take(there[0], CELL, there), may_take(there[0], COST, there)) == (cell, cost)


@pytest.mark.parametrize("beside", ["cell", "cost", None])
def test_accelerators_of_a_host_work_side_by_side(beside: str | None) -> None:
    there = slots(None, beside, hosts="aa", origin=GPU)
    assert may_take(there[0], CELL, there)
    assert may_take(there[0], COST, there)


@given(st.integers(1, 16), st.integers(1, 16), st.booleans())
def test_workers_see_devices_that_no_other_sees(total: int, size: int, named: bool) -> None:
    environment = {"CUDA_VISIBLE_DEVICES": ",".join(f"GPU-{i}" for i in range(total))} if named else {}
    shown = shares(Visible("gpu", tuple(range(total)), total), size, environment)
    if size >= total:
        assert shown == [{}]
        return
    groups = [each["CUDA_VISIBLE_DEVICES"].split(",") for each in shown]
    assert [len(group) for group in groups] == [size] * (total // size)
    names = [name for group in groups for name in group]
    assert names == [f"GPU-{i}" if named else str(i) for i in range(len(names))]


@pytest.mark.parametrize(
    ("visible", "size", "expected"),
    [
        (Visible("cpu", (0,), 1), 1, [{}]),
        (Visible("gpu", (0,), 1), 1, [{}]),
        (Visible("gpu", (3,), 4), 1, [{"CUDA_VISIBLE_DEVICES": "3"}]),
        (Visible("gpu", (3,), 4), 2, [{}]),
        (Visible("cpu", (0, 1), 2), 1, [{"XLA_FLAGS": "--a --xla_force_host_platform_device_count=1 --b"}] * 2),
        (
            Visible("tpu", (0, 1, 2, 3), 4),
            2,
            [
                {
                    "TPU_VISIBLE_CHIPS": chips,
                    "TPU_CHIPS_PER_PROCESS_BOUNDS": "1,2,1",
                    "TPU_PROCESS_BOUNDS": "1,1,1",
                }
                for chips in ("0,1", "2,3")
            ],
        ),
    ],
)
def test_environment_that_shows_a_worker_its_devices(
    visible: Visible, size: int, expected: list[dict[str, str]]
) -> None:
    forced = {"XLA_FLAGS": "--a --xla_force_host_platform_device_count=2 --b"}
    assert shares(visible, size, forced) == expected


class Crew(Instant):
    """Several workers, of which the last that began ends first; keeps what ran at a time."""

    workers = 3

    def __init__(self, device: str | None, **options: object) -> None:
        super().__init__(device)
        self.slots = [WorkerSlot(host="here", origin=ORIGIN) for _ in range(self.workers)]
        self.running: list[tuple[WorkerSlot, Task, Future[Outcome]]] = []
        self.together: list[list[Task]] = []
        self.full = threading.Event()
        crews.append(self)

    def submit(self, task: Task) -> Future[Outcome] | None:
        for slot in self.slots:
            if may_take(slot, task, self.slots):
                slot.task = task
                future: Future[Outcome] = Future()
                self.running.append((slot, task, future))
                self.together.append([each for _, each, _ in self.running])
                if len(self.running) == self.workers:
                    self.full.set()
                threading.Thread(target=self.end_one).start()
                return future
        return None

    def end_one(self) -> None:
        assert self.full.wait(60)  # nobody ends before all have been at work at a time
        slot, task, future = self.running.pop()
        slot.task = None
        self.end(task, future)

    def end(self, task: Task, future: Future[Outcome]) -> None:
        try:
            future.set_result(self.measure(task))
        except Exception as error:  # or the run would wait for ever
            future.set_exception(error)


crews: list[Crew] = []


class Losing(Crew):
    """Loses the worker of every cell once, and that of the first cell of all twice."""

    def end(self, task: Task, future: Future[Outcome]) -> None:
        self.lost = [*getattr(self, "lost", []), task]
        if task.kind == "cell" and self.lost.count(task) <= 1 + (task == CELL):
            future.set_exception(WorkerLostError("its worker was lost: the node died"))
        else:
            super().end(task, future)


def crew_run(suite: Suite, out: Path, crew: type[Instant], monkeypatch: pytest.MonkeyPatch) -> Log:
    monkeypatch.setattr(runner, "Local", crew)
    log = Log()
    run(suite, out, observers=[log])
    return log


def test_many_workers_leave_the_records_that_one_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = crew_run(WIDE, tmp_path / "many", Crew, monkeypatch)
    assert max(map(len, crews[-1].together)) == 3
    assert sorted(task.id for task in log.begun) == sorted(task.id for task in tasks_of(WIDE.cells()))
    crew_run(WIDE, tmp_path / "one", Instant, monkeypatch)
    assert contents(tmp_path / "many") == contents(tmp_path / "one")


def test_pair_waits_for_its_cells_and_is_timed_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = crew_run(WIDE, tmp_path, Crew, monkeypatch)
    ended = [task.id for task, _ in log.done]
    for place, (task, _) in enumerate(log.done):
        if task.kind == "cost":
            assert {task.case.cell_id, task.reference.cell_id} <= set(ended[:place])
    assert all(len(tasks) == 1 for tasks in crews[-1].together if any(task.kind == "cost" for task in tasks))


def test_lost_worker_is_a_further_attempt_and_two_are_the_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = crew_run(WIDE, tmp_path, Losing, monkeypatch)
    assert len(log.done) == len({task.id for task, _ in log.done}) == 20
    reported = {task.id: record for task, record in log.done if task.kind == "cell"}
    first = reported.pop(CELL.id)
    assert (first.status, first.reason, first.attempts) == ("crashed", "its worker was lost: the node died", 2)
    assert {(record.status, record.attempts) for record in reported.values()} == {("ok", 2)}
    assert [record.reason for record in log.records if record.status == "skipped"] == [
        f"{who} could not be measured (crashed)" for who in ("it", "its baseline")
    ]


MEETS = '''
import os
import time
from multiprocessing import parent_process
from pathlib import Path

import jax

from vgbench.spec.registry import ACTIVATIONS


@ACTIVATIONS.register(source="None 2026")
def meets(z):
    """Waits for a second worker that comes here, and says what it sees."""
    if parent_process() is None:  # the report looks at the activation, too
        return jax.numpy.tanh(z)
    place = Path("met")
    place.mkdir(exist_ok=True)
    (place / str(os.getpid())).write_text(str(jax.device_count()))
    deadline = time.monotonic() + 120
    while len(list(place.iterdir())) < 2:
        if time.monotonic() > deadline:
            raise RuntimeError("nobody came")
        time.sleep(0.02)
    return jax.numpy.tanh(z)
'''


@pytest.mark.slow
def test_two_devices_have_a_worker_each_that_sees_its_own_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced = "--xla_force_host_platform_device_count"
    monkeypatch.setenv("XLA_FLAGS", f"{os.environ.get('XLA_FLAGS', '')} {forced}=2")
    information = tmp_path / "meets-1.0.dist-info"
    information.mkdir()
    (tmp_path / "meets.py").write_text(MEETS)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: meets\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[vgbench.plugins]\nmeets = meets\n")
    mitigations = "".join(f'm{i} = {{ activation = "meets", target = 0.{i} }}\n' for i in (1, 2))
    (tmp_path / "pair.toml").write_text(f"{BASELINE}[mitigations]\n{mitigations}[protocol]\ntime_to_depth = 0\n")
    done = call(tmp_path, "run", "pair.toml", "--out", "out", "--strict")
    assert done.returncode == 0, done.stderr
    assert [path.read_text() for path in (tmp_path / "met").iterdir()] == ["1", "1"]
    for path in tmp_path.glob("out/*/cells/*.json"):
        origin = json.loads(path.read_text())["record"]["provenance"]
        assert (origin["workers"], origin["xla_flags"].split()[-1]) == (2, f"{forced}=1")
    assert "; 2 workers a host, pairs timed one at a time; " in (tmp_path / "out" / "table.md").read_text()


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        ({"executor": "rya"}, r"^unknown executor 'rya'; did you mean 'ray'\? \(choose from: local, ray\)$"),
        ({"address": "auto"}, r"^address: is a Ray cluster's, so it needs executor 'ray'$"),
    ],
)
def test_executor_that_there_is_not_is_reported(tmp_path: Path, options: dict[str, str], reported: str) -> None:
    with pytest.raises(InputError, match=reported):
        run(TINY, tmp_path, **options)  # pyright: ignore[reportArgumentType]
