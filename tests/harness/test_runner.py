"""The runner: every cell and pair gets its record, once, whatever happens to the others."""

import dataclasses
import os
import pickle
import re
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import jax
import numpy as np
import pytest
from helpers.inline import Inline
from helpers.made import ORIGIN, two_files
from helpers.tiny_suite import TINY, Log
from jax.extend.core import Primitive

from vgbench.data import load_dataset
from vgbench.errors import InputError
from vgbench.harness import runner
from vgbench.harness.interrupt import Interrupted
from vgbench.harness.plan import Record, Task, tasks_of
from vgbench.harness.progress import Progress
from vgbench.harness.run_lock import lock_run, read_note
from vgbench.harness.runner import run
from vgbench.harness.workers import worker
from vgbench.measure import PRECISION
from vgbench.measure.cost import cost_id
from vgbench.measure.gradients import GradientProfile
from vgbench.records.origin import Device
from vgbench.records.provenance import provenance
from vgbench.records.schema import CellRecord, CostRecord, Manifest
from vgbench.records.store import device_folders, read_record
from vgbench.report import load, write_report
from vgbench.spec.case import Case
from vgbench.spec.protocol import Protocol
from vgbench.spec.registry import ACTIVATIONS
from vgbench.spec.suite import Suite

HOST = "host-name-that-nothing-else-holds"
TASKS = tasks_of(TINY.cells())


def rerun(out: Path, suite: Suite = TINY, **options: Any) -> Log:
    log = Log()
    assert run(suite, out, observers=[log], **options) == out
    return log


def record_of(out: Path, task: Task) -> Path:
    (folder,) = device_folders(out)
    return folder.cell(task.id) if task.kind == "cell" else folder.cost(task.id)


def read_task(out: Path, task: Task) -> CellRecord | CostRecord:
    return read_record(record_of(out, task), CellRecord if task.kind == "cell" else CostRecord)


def read_cell(out: Path, task: Task) -> CellRecord:
    return read_record(record_of(out, task), CellRecord)


def contents(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Log]:
    """A run on a machine with a telling name that really measures, and what its observer saw."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runner, "Local", Inline)
        for name in ("gethostname", "getfqdn"):
            patched.setattr(socket, name, lambda: HOST)
        patched.setattr("platform.node", lambda: HOST)
        patched.setenv("HOSTNAME", HOST)
        out = tmp_path_factory.mktemp("runs") / "not" / "there" / "yet"
        return out, rerun(out)


@pytest.fixture
def copy(first: tuple[Path, Log], tmp_path: Path) -> Path:
    """A finished run that a test may change."""
    return shutil.copytree(first[0], tmp_path / "run")


@pytest.fixture
def instant(first: tuple[Path, Log], monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """Measurements in this process that hand out what the real run measured; returns the cases that were measured."""
    monkeypatch.setattr(runner, "Local", Inline)
    cell, cost = (read_task(first[0], task) for task in (TASKS[0], TASKS[2]))
    assert isinstance(cell, CellRecord)
    assert isinstance(cost, CostRecord)
    measured: list[Case] = []

    def profiles(case: Case) -> Any:
        measured.append(case)
        return cell.gradients, cell.forward

    monkeypatch.setattr(worker, "measure_profiles", profiles)
    monkeypatch.setattr(worker, "train_and_profile", lambda case, tuned: (cell.training, None))
    monkeypatch.setattr(worker, "measure_costs", lambda cases, reference, precision: (cost.cost,) * len(cases))
    return measured


def executed(task: Task) -> Record:
    return worker.execute(task, None, PRECISION, None, ORIGIN).record


def crash_on(activation: str) -> Callable[[Case], Any]:
    measure = worker.measure_profiles

    def profiles(case: Case) -> Any:
        if case.activation.name == activation:
            raise RuntimeError("out of memory\nand a second line")
        return measure(case)

    return profiles


def changed(**fields: Any) -> Callable[[Any], Any]:
    """What produces records, with some fields changed."""
    return lambda device: dataclasses.replace(provenance(device), **fields)


def other_source(device: Any) -> Any:
    return dataclasses.replace(provenance(device), source={"cell": "0" * 16, "cost": "0" * 16})


def test_plan_measures_the_cells_of_a_place_and_then_times_each_beside_its_baseline() -> None:
    baseline, relu = TINY.cells()
    expected = (
        Task("cell", "baseline, depth 2", baseline.case, baseline.case),
        Task("cell", "relu, depth 2", relu.case, baseline.case),
        Task("cost", "baseline, depth 2", baseline.case, baseline.case),
        Task("cost", "relu, depth 2", relu.case, baseline.case),
    )
    assert expected == TASKS
    assert [task.id for task in TASKS[1::2]] == [relu.case.cell_id, cost_id(relu.case, baseline.case)]


def test_first_place_is_the_shallowest_at_which_networks_train_and_is_complete_before_the_next() -> None:
    swept = TINY.select({"depth": [5, 4, 2, 3]}).model_copy(update={"protocol": Protocol(train_to_depth=4)})
    tasks = tasks_of(swept.cells())
    assert [(task.kind, task.label) for task in tasks[:5]] == [
        ("cell", "baseline, depth 2"),
        ("cell", "relu, depth 2"),
        ("cost", "baseline, depth 2"),
        ("cost", "relu, depth 2"),
        ("cell", "baseline, depth 3"),
    ]
    assert [task.case.depth for task in tasks[::4]] == [2, 3, 4, 5]
    untrained = swept.model_copy(update={"mitigations": {}}).select({"activation": ["tanh", "relu"], "steps": [0]})
    assert [task.label for task in tasks_of(untrained.cells())[::2]][:2] == [
        "baseline, depth 2, activation tanh",
        "baseline, depth 2, activation relu",
    ]


def test_first_run_measures_every_task_in_order(first: tuple[Path, Log]) -> None:
    log = first[1]
    assert log.begun == log.missing == list(TASKS)
    assert (log.finished, log.notes) == (0, [])
    assert [record.status for record in log.records] == ["ok"] * 4


def test_every_cell_has_a_record_of_what_was_measured(first: tuple[Path, Log]) -> None:
    for task in TASKS[:2]:
        record = read_cell(first[0], task)
        assert (record.case, record.status, record.reason) == (task.case, "ok", "")
        assert record.gradients is not None
        assert record.gradients.log10_activation_norm.shape == (2, 2)
        assert np.isfinite(record.gradients.log10_activation_norm).all()
        assert record.provenance == provenance(jax.devices()[0])
        assert record.seconds > 0
        assert record.attempts == 1
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", record.started)


def test_only_a_case_with_steps_has_curves(first: tuple[Path, Log]) -> None:
    trained, untrained = (read_cell(first[0], task).training for task in TASKS[:2])
    assert untrained is None
    assert trained is not None
    assert trained.loss.shape == (2, 4)
    assert np.isfinite(trained.loss).all()


def test_every_pair_has_a_record_of_its_cost(first: tuple[Path, Log]) -> None:
    for task in TASKS[2:]:
        record = read_task(first[0], task)
        assert isinstance(record, CostRecord)
        assert (record.case, record.reference, record.status) == (task.case, task.reference, "ok")
        assert record.cost is not None
        assert record.cost.form == "unroll"
        assert len(record.cost.step_seconds) == len(record.cost.reference_seconds) >= 30


def test_observer_is_given_the_records_that_are_on_disk(first: tuple[Path, Log]) -> None:
    out, log = first
    assert [task for task, _ in log.done] == list(TASKS)
    for task, record in log.done:
        stored = read_task(out, task)
        assert (stored.case, stored.started, stored.seconds) == (record.case, record.started, record.seconds)


def test_manifest_says_what_the_run_set_out_to_measure(first: tuple[Path, Log]) -> None:
    (folder,) = device_folders(first[0])
    manifest = read_record(folder.manifest, Manifest)
    assert (manifest.suite, manifest.title, manifest.question) == ("tiny", "Tiny", "Does it run?")
    assert [(row.mitigation, row.axes) for row in manifest.rows] == [("baseline", {"depth": 2}), ("relu", {"depth": 2})]
    assert [row.cell_id for row in manifest.rows] == [task.id for task in TASKS[:2]]
    assert [row.cost_id for row in manifest.rows] == [task.id for task in TASKS[2:]]
    assert {row.reference_id for row in manifest.rows} == {TASKS[0].id}
    assert folder.path.name == manifest.provenance.device.slug


def test_no_file_names_the_host(first: tuple[Path, Log]) -> None:
    files = {name: content for name, content in contents(first[0]).items() if name != ".lock"}
    assert len(files) == 5
    for name, content in files.items():
        assert HOST.encode() not in content, name
        if name.endswith(".json"):
            assert not re.search(rf"\b{re.escape(socket.gethostname())}\b", content.decode()), name


def test_second_run_measures_nothing_and_changes_no_file(copy: Path, instant: list[Case]) -> None:
    before = contents(copy)
    log = rerun(copy)
    assert (log.missing, log.finished, log.notes, log.begun, instant) == ([], 4, [], [], [])
    assert contents(copy) == before


def test_new_mitigation_measures_only_itself(copy: Path, instant: list[Case]) -> None:
    wider = TINY.model_copy(update={"mitigations": {"res": {"skip": "residual"}, **TINY.mitigations}})
    log = rerun(copy, wider)
    assert (log.labels, log.finished) == (["cell res, depth 2", "cost res, depth 2"], 4)


def test_new_depth_measures_only_that_depth(copy: Path, instant: list[Case]) -> None:
    log = rerun(copy, settings={"depth": [2, 3]})
    assert log.labels == [f"{kind} {name}, depth 3" for kind in ("cell", "cost") for name in ("baseline", "relu")]


def test_only_narrows_the_run_and_keeps_other_records(copy: Path, instant: list[Case]) -> None:
    log = rerun(copy, only=["baseline"])
    assert (log.begun, log.finished) == ([], 2)
    assert rerun(copy).finished == 4


def test_missing_record_alone_is_measured_again(copy: Path, instant: list[Case]) -> None:
    record_of(copy, TASKS[3]).unlink()
    log = rerun(copy)
    assert (log.begun, log.finished, log.notes) == ([TASKS[3]], 3, [])


def test_pairs_of_a_place_are_timed_together_and_one_that_lacks_alone(first: tuple[Path, Log], copy: Path) -> None:
    together, own = ([group_of(out, task) for task in TASKS[2:]] for out in (first[0], copy))
    assert together == own == [together[0]] * 2
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runner, "Local", Inline)
        record_of(copy, TASKS[3]).unlink()
        assert rerun(copy).begun == [TASKS[3]]
    kept, alone = (group_of(copy, task) for task in TASKS[2:])
    assert kept == together[0] != alone


def group_of(out: Path, task: Task) -> tuple[str | None, int | None]:
    """The round-robin that a pair was timed in, and the seed of its order."""
    record = read_task(out, task)
    assert isinstance(record, CostRecord)
    assert record.cost is not None
    assert record.cost.order_seed == int(record.cost.group or "", 16) % 2**32
    return record.cost.group, record.cost.order_seed


def test_stale_records_are_measured_again_and_said_so(
    copy: Path, instant: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "provenance", other_source)
    log = rerun(copy)
    assert log.begun == list(TASKS)
    assert log.notes == ["stale: 4 records are older than a change of vgbench's own source; measured again"]
    assert {read_task(copy, task).provenance.source["cell"] for task in TASKS} == {"0" * 16}
    assert rerun(copy).begun == []


@pytest.mark.parametrize(("kind", "places"), [("cell", (0, 1)), ("cost", (2, 3))])
def test_changed_source_of_one_kind_makes_exactly_its_records_stale(
    copy: Path, instant: list[Case], monkeypatch: pytest.MonkeyPatch, kind: str, places: tuple[int, int]
) -> None:
    now = provenance(jax.devices()[0]).source
    monkeypatch.setattr(worker, "provenance", changed(source={**now, kind: "0" * 16}))
    assert rerun(copy).begun == [TASKS[place] for place in places]


@pytest.mark.parametrize(
    ("fields", "reported"),
    [
        ({"packages": {"jax": "99"}}, "jax .* -> 99"),
        ({"xla_flags": "--x"}, "XLA_FLAGS '.*' -> '--x'"),
    ],
)
def test_other_versions_and_flags_make_records_stale(
    copy: Path, instant: list[Case], monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], reported: str
) -> None:
    monkeypatch.setattr(worker, "provenance", changed(**fields))
    log = rerun(copy)
    assert log.begun == list(TASKS)
    assert any(
        re.fullmatch(f"stale: 4 records are older than a change of {reported}; measured again", n) for n in log.notes
    )


def test_stale_records_are_kept_where_that_is_asked_for(
    copy: Path, instant: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "provenance", other_source)
    log = rerun(copy, keep_stale=True)
    assert (log.begun, log.finished) == ([], 4)
    assert log.notes == ["stale: 4 records are older than a change of vgbench's own source; kept"]
    page = write_report(copy).table
    assert list(page["mitigation"]) == ["baseline (mixed)", "relu (mixed)"]


def test_reordered_and_renamed_suite_measures_nothing(copy: Path, instant: list[Case]) -> None:
    more = TINY.model_copy(update={"mitigations": {"res": {"skip": "residual"}, **TINY.mitigations}})
    assert len(rerun(copy, more).begun) == 2
    reordered = dict(reversed(more.mitigations.items()))
    log = rerun(copy, more.model_copy(update={"name": "other", "mitigations": reordered}))
    assert (log.begun, log.finished) == ([], 6)


def test_other_device_has_a_folder_of_its_own(copy: Path, instant: list[Case], monkeypatch: pytest.MonkeyPatch) -> None:
    fast = Device("gpu", "Fast One (2)", 8)
    monkeypatch.setattr(worker, "provenance", changed(device=fast))
    before = contents(copy)
    assert len(rerun(copy).begun) == 4
    after = contents(copy)
    assert before.items() <= after.items()
    assert {name.split("/")[0] for name in after.keys() - before.keys()} == {"gpu-fast-one-2-8"}


def test_records_that_do_not_say_their_model_are_left_alone_and_named(
    copy: Path, instant: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder,) = device_folders(copy)
    device = read_record(folder.manifest, Manifest).provenance.device
    known = dataclasses.replace(device, model="family 6 model 85")
    monkeypatch.setattr(worker, "provenance", changed(device=known))
    older = folder.path.rename(copy / dataclasses.replace(device, model=None, instructions=()).slug)
    before = contents(copy)
    log = rerun(copy)
    assert log.begun == list(TASKS)
    (note,) = log.notes
    assert note == f"{older}: these records do not say which model of {device} they are of, so none of them is used"
    after = contents(copy)
    assert before.items() <= after.items()
    assert {name.split("/")[0] for name in after.keys() - before.keys()} == {known.slug}
    monkeypatch.setattr(worker, "provenance", changed(device=dataclasses.replace(known, model="family 6 model 86")))
    assert rerun(copy).begun == list(TASKS)


@pytest.mark.parametrize(("suffix", "old"), [(".json", False), (".json", True), (".npz", True)])
def test_damaged_record_is_named_and_measured_again(copy: Path, instant: list[Case], suffix: str, old: bool) -> None:
    path = record_of(copy, TASKS[1])
    if old:
        two_files(path)
    damaged = path.with_suffix(suffix)
    damaged.write_bytes(damaged.read_bytes()[:-40])
    log = rerun(copy)
    assert log.begun == [TASKS[1]]
    (note,) = log.notes
    assert note.startswith(f"{path}: damaged record (")
    assert note.endswith(f"; set aside as {path.name}.damaged and measured again")
    assert Path(f"{damaged}.damaged").exists()
    assert read_cell(copy, TASKS[1]).status == "ok"
    assert rerun(copy).begun == []


def test_crashing_cell_is_an_outcome_and_the_others_go_on(
    tmp_path: Path, instant: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "measure_profiles", crash_on("tanh"))
    log = rerun(tmp_path)
    assert [record.status for record in log.records] == ["crashed", "ok", "skipped", "skipped"]
    assert log.records[3].reason == "its baseline could not be measured (crashed)"
    record = read_cell(tmp_path, TASKS[0])
    assert (record.status, record.reason) == ("crashed", "RuntimeError: out of memory")
    assert record.gradients is None


def test_failed_cell_and_the_cost_skipped_for_it_are_repeated_only_where_that_is_asked_for(
    tmp_path: Path, instant: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(worker, "measure_profiles", crash_on("relu"))
        log = rerun(tmp_path)
        assert [record.status for record in log.records] == ["ok", "crashed", "skipped", "ok"]
        assert log.records[2].reason == "it could not be measured (crashed)"
        again = rerun(tmp_path)
        assert (again.begun, again.finished, again.progresses[0].failed) == ([], 4, 2)
        assert rerun(tmp_path, retry_failed=True).begun == list(TASKS[1::2])
    log = rerun(tmp_path, retry_failed=True)
    assert (log.begun, [record.status for record in log.records]) == (list(TASKS[1::2]), ["ok", "ok"])
    assert [record.attempts for record in log.records] == [3, 1]
    assert rerun(tmp_path, retry_failed=True).begun == []


def test_results_that_are_not_ok_are_never_repeated(
    tmp_path: Path, instant: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = profile([np.nan, np.nan], [0.0, 0.0])
    monkeypatch.setattr(worker, "measure_profiles", lambda case: (broken, None))
    assert {record.status for record in rerun(tmp_path).records} == {"nonfinite", "ok"}
    assert rerun(tmp_path, retry_failed=True).begun == []


def test_cell_that_crashes_after_it_once_succeeded_is_on_record_as_crashed(
    copy: Path, instant: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "provenance", other_source)
    monkeypatch.setattr(worker, "measure_profiles", crash_on("relu"))
    rerun(copy)
    assert read_cell(copy, TASKS[1]).status == "crashed"


def test_cell_that_crashes_in_training_keeps_its_gradients(
    tmp_path: Path, instant: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(case: Case, tuned: object) -> NoReturn:
        raise FloatingPointError("bad luck")

    monkeypatch.setattr(worker, "train_and_profile", fail)
    rerun(tmp_path)
    record = read_cell(tmp_path, TASKS[0])
    assert (record.status, record.reason, record.training) == ("crashed", "FloatingPointError: bad luck", None)
    assert record.gradients is not None
    assert record.gradients is not None


def test_crashing_cost_is_an_outcome(tmp_path: Path, instant: list[Case], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise ZeroDivisionError

    monkeypatch.setattr(worker, "measure_costs", fail)
    log = rerun(tmp_path)
    assert [record.status for record in log.records] == ["ok", "ok", "crashed", "crashed"]
    record = read_task(tmp_path, TASKS[2])
    assert isinstance(record, CostRecord)
    assert (record.cost, record.reason) == (None, "ZeroDivisionError")


class Signals(Log):
    """Sends signals to its own process when a task begins."""

    def __init__(self, at: int, *signals: signal.Signals) -> None:
        super().__init__()
        self.at, self.signals = at, signals

    def started(self, task: Task, progress: Progress) -> None:
        super().started(task, progress)
        if len(self.done) == self.at:
            for each in self.signals:
                signal.raise_signal(each)


def test_first_ctrl_c_lets_what_runs_finish_and_the_same_command_goes_on(tmp_path: Path, instant: list[Case]) -> None:
    impatient = Signals(1, signal.SIGINT)
    with pytest.raises(Interrupted, match=r"^stopped with 2 of 4 done, .* left; the same command goes on from here$"):
        run(TINY, tmp_path, observers=[impatient])
    assert (len(impatient.done), impatient.stops) == (2, 1)
    assert (log := rerun(tmp_path)).begun == list(TASKS[2:])
    assert log.finished == 2


@pytest.mark.parametrize("signals", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM,)])
def test_second_ctrl_c_and_sigterm_end_at_once(
    tmp_path: Path, instant: list[Case], signals: tuple[signal.Signals, ...]
) -> None:
    with pytest.raises(Interrupted, match=r"^stopped with 1 of 4 done") as caught:
        run(TINY, tmp_path, observers=[Signals(1, *signals)])
    assert caught.value.signal == signals[-1]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert rerun(tmp_path).finished == 1


def test_resumed_tables_are_those_of_the_uninterrupted_run_but_for_timings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "Local", Inline)
    rerun(tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(TINY, tmp_path / "parts", observers=[Signals(2, signal.SIGINT)])
    rerun(tmp_path / "parts")
    timings = [
        "step ratio",
        "step verdict",
        "latency ms",
        "examples/s",
        "compile s",
        "of matmul",
        "of roof",
        "s to target",
        "front",
    ]
    whole, parts = (write_report(tmp_path / name) for name in ("whole", "parts"))
    assert whole.table.drop(columns=timings).to_csv() == parts.table.drop(columns=timings).to_csv()
    assert (whole.footer, whole.failures) == (parts.footer, parts.failures)
    timed = [
        *("step_ratio", "step_ratio_low", "step_ratio_high", "step_verdict", "rounds", "outlying_rounds", "latency"),
        *("examples_per_second", "compile_seconds", "flops_per_second", "utilisation", "roof_share"),
        *("seconds_to_target", "on_front"),
    ]
    frames = [load(tmp_path / name).drop(columns=timed).to_csv() for name in ("whole", "parts")]
    assert frames[0] == frames[1]


def test_manifest_is_written_before_anything_is_measured(tmp_path: Path, instant: list[Case]) -> None:
    class Curious(Log):
        def planned(self, *_: object) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(TINY, tmp_path, observers=[Curious()])
    assert [path.name for path in tmp_path.rglob("*.json")] == ["manifest.json"]


def test_run_leaves_word_of_what_it_does_until_it_ends(tmp_path: Path, instant: list[Case]) -> None:
    notes = []

    class Reader(Log):
        def started(self, task: Task, progress: Progress) -> None:
            note = read_note(tmp_path)
            assert note is not None
            notes.append((note.pid, note.now, note.progress.left))

    run(TINY, tmp_path, observers=[Reader()])
    cell, other, *pairs = (task.action for task in TASKS)
    assert notes == [(os.getpid(), *each) for each in ((cell, 4), (other, 3), *[(", ".join(pairs), 2)] * 2)]
    assert not (tmp_path / "running.json").exists()


def test_second_run_in_one_folder_is_refused(tmp_path: Path, instant: list[Case]) -> None:
    with lock_run(tmp_path) as lock:
        lock.note("measuring it", Progress(1, 0, 3, None))
        with pytest.raises(InputError, match=rf": another run is at work here \(process {os.getpid()}, since "):
            run(TINY, tmp_path)
    assert len(rerun(tmp_path).begun) == 4


def gone(out: Path) -> None:
    shutil.rmtree(out)


def moved(out: Path) -> None:
    out.rename(out.with_name("moved"))


def replaced(out: Path) -> None:
    moved(out)
    shutil.copytree(out.with_name("moved"), out)


def emptied(out: Path) -> None:
    for path in out.glob("[!.]*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize("remove", [gone, moved, replaced, emptied])
@pytest.mark.parametrize("when", ["started", "ended"])
def test_run_whose_folder_is_taken_away_stops_at_once_and_writes_nothing_more(
    tmp_path: Path, instant: list[Case], remove: Callable[[Path], None], when: str
) -> None:
    out = tmp_path / "out"

    class Remover(Log):
        def started(self, task: Task, progress: Progress) -> None:
            super().started(task, progress)
            self.act("started")

        def ended(self, task: Task, record: CellRecord | CostRecord, progress: Progress) -> None:
            super().ended(task, record, progress)
            self.act("ended")

        def act(self, now: str) -> None:
            if now == when and len(self.begun) == 2:
                remove(out)
                self.left = contents(tmp_path)

    log = Remover()
    with pytest.raises(InputError, match=rf"^{out}: was deleted, moved or replaced while the run was at work, "):
        run(TINY, out, observers=[log])
    assert len(log.begun) == 2
    assert contents(tmp_path) == log.left


def test_folder_that_holds_other_things_is_not_run_in(tmp_path: Path, instant: list[Case]) -> None:
    (tmp_path / ".film.mkv.part").write_text("half a film")
    (tmp_path / "thesis.tex").write_text("years of work")
    before = contents(tmp_path)
    expected = rf"^{tmp_path}: holds other things than a run \(.film.mkv.part, thesis.tex\); a run has a folder"
    with pytest.raises(InputError, match=expected):
        run(TINY, tmp_path)
    assert (contents(tmp_path), instant) == (before, [])


def test_folder_of_a_device_that_is_a_link_is_not_run_in(copy: Path, instant: list[Case], tmp_path: Path) -> None:
    (folder,) = device_folders(copy)
    elsewhere = folder.path.rename(tmp_path / "elsewhere")
    folder.path.symlink_to(elsewhere)
    before = contents(elsewhere)
    with pytest.raises(InputError, match=r"holds other things than a run|leads out of"):
        run(TINY, copy, retry_failed=True)
    assert contents(elsewhere) == before


def test_record_under_another_cells_name_is_set_aside_and_measured_again(copy: Path, instant: list[Case]) -> None:
    path = record_of(copy, TASKS[1])
    shutil.copy(record_of(copy, TASKS[0]), path)
    log = rerun(copy)
    assert log.begun == [TASKS[1]]
    assert log.notes == [
        f"{path}: damaged record (it is the record of {TASKS[0].id}, under another name);"
        f" set aside as {path.name}.damaged and measured again"
    ]
    assert read_cell(copy, TASKS[1]).case == TASKS[1].case


def test_half_written_files_of_a_killed_run_are_swept_away(copy: Path, instant: list[Case]) -> None:
    (folder,) = device_folders(copy)
    left = folder.path / "cells" / ".0123456789abcdef.npz.4711.part", copy / ".running.json.4711.part"
    for each in left:
        each.write_bytes(b"half")
    rerun(copy)
    assert not any(each.exists() for each in left)


def test_data_that_cannot_serve_a_case_is_bad_input_before_anything_is_measured(
    tmp_path: Path, instant: list[Case]
) -> None:
    expected = r"^batch_size: 17 is more than the 16 training examples of gaussian\(features=4, examples=16\)$"
    with pytest.raises(InputError, match=expected):
        run(TINY, tmp_path, settings={"batch_size": [17]})


def test_out_below_a_file_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"/file/.*: cannot write records here: Not a directory; every finished "):
        run(TINY, tmp_path / "file" / "out")


def test_out_that_is_a_file_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"/file: cannot write records here: File exists; every finished "):
        run(TINY, tmp_path / "file")


def test_full_disk_is_bad_input_that_names_the_folder(
    tmp_path: Path, instant: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=f"^{re.escape(str(tmp_path))}: cannot write records here: No space left on d"):
        run(TINY, tmp_path)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"device": "abacus"}, r"^device: 'abacus' is not one of cpu, gpu, tpu"),
        ({"only": ["rleu"]}, r"^unknown mitigation 'rleu'; did you mean 'relu'\?"),
        ({"settings": {"dpeth": [3]}}, r"^unknown field 'dpeth'; did you mean 'depth'\?"),
        ({"settings": {"depth": [0]}}, r"^suite 'tiny', baseline: depth: Input should be greater than or equal to 1$"),
    ],
)
def test_bad_input_leaves_no_record(
    tmp_path: Path, instant: list[Case], options: dict[str, Any], expected: str
) -> None:
    with pytest.raises(InputError, match=expected):
        run(TINY, tmp_path / "out", **options)
    assert not list(tmp_path.rglob("*.json"))


def test_suite_is_read_from_a_file_and_written_to_runs(
    tmp_path: Path, instant: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text("title = 'T'\nquestion = 'Q'\nbaseline = {steps = 0}\n")
    assert run("mine.toml") == Path("runs/mine")
    (folder,) = device_folders(Path("runs/mine"))
    assert read_record(folder.manifest, Manifest).suite == "mine"
    assert [case.steps for case in instant] == [0]


def profile(norms: list[float], largest: list[float]) -> GradientProfile:
    """A profile of two seeds alike."""
    tiny = float(np.finfo(np.float32).smallest_normal)
    return GradientProfile(
        log10_activation_norm=np.asarray([norms] * 2),
        log10_parameter_norm=np.asarray([[*norms, 0.0]] * 2),
        log10_largest_activation=np.asarray([largest] * 2),
        states=(),
        log10_state_norm=np.zeros((2, len(norms), 0)),
        kinds=(),
        log10_kind_norm=np.zeros((2, len(norms), 0)),
        reads_zero=np.zeros((2, len(norms)), bool),
        smallest_normal=tiny,
        epsilon=2.0**-23,
    )


@pytest.mark.parametrize(
    ("gradients", "status", "reason"),
    [
        (profile([-2.0, -1.0], [0.0, 0.0]), "ok", ""),
        (profile([-2.0, -1.0], [0.0, -50.0]), "forward_underflow", "activations flush to zero from layer 2"),
        (profile([-2.0, -1.0], [np.inf, 0.0]), "nonfinite", "activations are not finite from layer 1"),
        (profile([np.nan, np.nan], [0.0, 0.0]), "nonfinite", "the gradient is not finite"),
    ],
)
def test_status_of_a_cell_says_how_its_gradients_ended(
    instant: list[Case], monkeypatch: pytest.MonkeyPatch, gradients: GradientProfile, status: str, reason: str
) -> None:
    monkeypatch.setattr(worker, "measure_profiles", lambda case: (gradients, None))
    record = executed(TASKS[0])
    assert (record.status, record.reason) == (status, reason)


def test_cell_whose_every_loss_is_not_finite_has_diverged(
    first: tuple[Path, Log], instant: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    curves = read_cell(first[0], TASKS[0]).training
    assert curves is not None
    diverged = dataclasses.replace(curves, loss=np.full_like(curves.loss, np.nan))
    monkeypatch.setattr(worker, "train_and_profile", lambda case, tuned: (diverged, None))
    record = executed(TASKS[0])
    assert (record.status, record.reason) == (
        "diverged",
        "the loss became non-finite at every learning rate, for every seed",
    )


primitive = Primitive("nowhere")
primitive.def_abstract_eval(lambda x: x)


@pytest.mark.parametrize(
    ("fail", "status", "reason"),
    [
        (lambda: jax.jit(primitive.bind)(1.0), "compile_error", "NotImplementedError: .*nowhere.*"),
        (lambda: np.ones(10**15), "out_of_memory", ".*MemoryError: .*"),
        (lambda: jax.numpy.ones(10**13).block_until_ready(), "out_of_memory", "JaxRuntimeError: .*"),
        (lambda: sys.exit("good bye"), "crashed", "SystemExit: good bye"),
        (lambda: jax.jit(lambda x: x @ x)(np.ones((2, 3))), "crashed", "TypeError: dot_general.*"),
        (lambda: int("seven\nlines"), "crashed", r"ValueError: .*seven\\nlines.*"),
        (lambda: load_dataset(Case(batch_size=5000)), "skipped", "batch_size: 5000 is more than .*"),
    ],
)
def test_exception_while_measuring_is_an_outcome_with_one_line_of_reason(
    instant: list[Case], monkeypatch: pytest.MonkeyPatch, fail: Callable[[], Any], status: str, reason: str
) -> None:
    monkeypatch.setattr(worker, "measure_profiles", lambda case: fail())
    jax.config.update("jax_traceback_filtering", "off")  # as `worker.begin` does
    record = executed(TASKS[0])
    assert record.status == status, record.reason
    assert re.fullmatch(reason, record.reason), record.reason


def test_case_survives_its_way_to_the_worker_and_is_not_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(init={"name": "orthogonal", "gain": "critical"}, model={"name": "mlp", "order": "pre_activation"})
    sent = pickle.dumps(case)
    monkeypatch.setattr(Case, "__init__", None)
    monkeypatch.setattr(Case, "model_validate", None)
    arrived = pickle.loads(sent)
    assert arrived == case
    assert (arrived.cell_id, hash(arrived)) == (case.cell_id, hash(case))
    assert arrived.init.options() == case.init.options()


def test_member_that_the_worker_does_not_know_is_bad_input() -> None:
    @ACTIVATIONS.register(source="None 2026")
    def of_a_notebook(z: Any) -> Any:
        """Known here alone."""
        return z

    try:
        sent = pickle.dumps([Case(activation="of_a_notebook")])
    finally:
        del ACTIVATIONS._members["of_a_notebook"]
    with pytest.raises(InputError, match=r"(?s)unknown activation 'of_a_notebook'.*not those of an interactive"):
        worker.prepare(None, sent)
