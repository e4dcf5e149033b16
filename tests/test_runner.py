"""The runner: every cell and pair gets its record, once, whatever happens to the others."""

import dataclasses
import json
import os
import re
import shutil
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import jax
import numpy as np
import pytest

from vgbench.case import Case
from vgbench.errors import InputError
from vgbench.harness import runner, worker
from vgbench.harness.provenance import provenance, source_digest
from vgbench.harness.runner import plan, run
from vgbench.harness.worker import Task, execute
from vgbench.measure.cost import cost_id
from vgbench.measure.gradients import GradientProfile
from vgbench.records import CellRecord, CostRecord, Device, Manifest
from vgbench.store import Folder, device_folders, read_record
from vgbench.suite import Suite

HOST = "host-name-that-nothing-else-holds"
TINY = Suite(
    name="tiny",
    title="Tiny",
    question="Does it run?",
    baseline={
        "width": 4,
        "activation": "tanh",
        "optimizer": "sgd",
        "rates": [0.1],
        "data": {"name": "gaussian", "features": 4, "examples": 16},
        "batch_size": 8,
        "steps": 4,
        "seeds": [0, 1],
        "tuning_seeds": [],
    },
    mitigations={"relu": {"activation": "relu", "steps": 0}},
    sweep={"depth": [2]},
)
TASKS = plan(TINY.cells())


class Log:
    """An observer that keeps all that it is told."""

    def __init__(self) -> None:
        self.missing: list[Task] = []
        self.finished = -1
        self.notes: list[str] = []
        self.begun: list[Task] = []
        self.done: list[tuple[Task, CellRecord | CostRecord]] = []

    def planned(self, missing: Sequence[Task], finished: int, notes: Sequence[str]) -> None:
        self.missing, self.finished, self.notes = list(missing), finished, list(notes)

    def started(self, task: Task) -> None:
        self.begun.append(task)

    def ended(self, task: Task, record: CellRecord | CostRecord) -> None:
        self.done.append((task, record))

    @property
    def records(self) -> list[CellRecord | CostRecord]:
        return [record for _, record in self.done]

    @property
    def labels(self) -> list[str]:
        return [f"{task.kind} {task.label}" for task in self.begun]


def rerun(out: Path, suite: Suite = TINY, **options: Any) -> Log:
    log = Log()
    assert run(suite, out, observer=log, **options) == out
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
    """A real run on a machine with a telling name, and what its observer saw."""
    with pytest.MonkeyPatch.context() as patched:
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
    """Measurements that hand out what the real run measured; returns the cases that were measured."""
    cell, cost = (read_task(first[0], task) for task in TASKS[:2])
    assert isinstance(cell, CellRecord)
    assert isinstance(cost, CostRecord)
    measured: list[Case] = []

    def gradients(case: Case) -> Any:
        measured.append(case)
        return cell.gradients

    monkeypatch.setattr(worker, "measure_gradients", gradients)
    monkeypatch.setattr(worker, "measure_training", lambda case: cell.training)
    monkeypatch.setattr(worker, "measure_cost", lambda case, reference: cost.cost)
    return measured


def crash_on(activation: str) -> Callable[[Case], Any]:
    measure = worker.measure_gradients

    def gradients(case: Case) -> Any:
        if case.activation.name == activation:
            raise RuntimeError("out of memory\nand a second line")
        return measure(case)

    return gradients


def other_source(device: Any) -> Any:
    return dataclasses.replace(provenance(device), source="0" * 16)


def test_plan_measures_each_cell_and_then_times_it_beside_its_baseline() -> None:
    baseline, relu = TINY.cells()
    expected = (
        Task("cell", "baseline, depth 2", baseline.case, baseline.case),
        Task("cost", "baseline, depth 2", baseline.case, baseline.case),
        Task("cell", "relu, depth 2", relu.case, baseline.case),
        Task("cost", "relu, depth 2", relu.case, baseline.case),
    )
    assert expected == TASKS
    assert [task.id for task in TASKS[2:]] == [relu.case.cell_id, cost_id(relu.case, baseline.case)]


def test_first_run_measures_every_task_in_order(first: tuple[Path, Log]) -> None:
    log = first[1]
    assert log.begun == log.missing == list(TASKS)
    assert (log.finished, log.notes) == (0, [])
    assert [record.status for record in log.records] == ["ok"] * 4


def test_every_cell_has_a_record_of_what_was_measured(first: tuple[Path, Log]) -> None:
    for task in TASKS[::2]:
        record = read_cell(first[0], task)
        assert (record.case, record.status, record.reason) == (task.case, "ok", "")
        assert record.gradients is not None
        assert record.gradients.log10_activation_norm.shape == (2, 2)
        assert np.isfinite(record.gradients.log10_activation_norm).all()
        assert record.provenance == provenance(jax.devices()[0])
        assert record.seconds > 0
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", record.started)


def test_only_a_case_with_steps_has_curves(first: tuple[Path, Log]) -> None:
    trained, untrained = (read_cell(first[0], task).training for task in TASKS[::2])
    assert untrained is None
    assert trained is not None
    assert trained.loss.shape == (2, 4)
    assert np.isfinite(trained.loss).all()


def test_every_pair_has_a_record_of_its_cost(first: tuple[Path, Log]) -> None:
    for task in TASKS[1::2]:
        record = read_task(first[0], task)
        assert isinstance(record, CostRecord)
        assert (record.case, record.reference, record.status) == (task.case, task.reference, "ok")
        assert record.cost is not None
        assert record.cost.form == "unrolled"
        assert len(record.cost.step_seconds) == len(record.cost.reference_seconds) == 30


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
    assert [row.cell_id for row in manifest.rows] == [task.id for task in TASKS[::2]]
    assert [row.cost_id for row in manifest.rows] == [task.id for task in TASKS[1::2]]
    assert {row.reference_id for row in manifest.rows} == {TASKS[0].id}
    assert folder.path.name == manifest.provenance.device.slug


def test_no_file_names_the_host(first: tuple[Path, Log]) -> None:
    files = contents(first[0])
    assert len(files) == 9
    for name, content in files.items():
        assert HOST.encode() not in content, name
        if name.endswith(".json"):
            assert not re.search(rf"\b{re.escape(socket.gethostname())}\b", content.decode()), name


def test_second_run_measures_nothing_and_changes_no_file(copy: Path, instant: list[Case]) -> None:
    before = contents(copy)
    log = rerun(copy)
    assert (log.missing, log.finished, log.notes, log.begun, instant) == ([], 4, [], [], [])
    assert contents(copy) == before


def test_changed_seeds_measure_only_what_is_new(copy: Path, instant: list[Case]) -> None:
    changed = rerun(copy, settings={"seeds": [5, 6, 7]})
    assert (len(changed.begun), changed.finished) == (4, 0)
    assert {case.seeds for case in instant} == {(5, 6, 7)}
    back = rerun(copy)
    assert (back.begun, back.finished) == ([], 4)


def test_new_mitigation_measures_only_itself(copy: Path, instant: list[Case]) -> None:
    wider = TINY.model_copy(update={"mitigations": {"res": {"skip": "residual"}, **TINY.mitigations}})
    log = rerun(copy, wider)
    assert (log.labels, log.finished) == (["cell res, depth 2", "cost res, depth 2"], 4)


def test_new_depth_measures_only_that_depth(copy: Path, instant: list[Case]) -> None:
    log = rerun(copy, settings={"depth": [2, 3]})
    assert log.labels == [f"{kind} {name}, depth 3" for name in ("baseline", "relu") for kind in ("cell", "cost")]


def test_only_narrows_the_run_and_keeps_other_records(copy: Path, instant: list[Case]) -> None:
    log = rerun(copy, only=["baseline"])
    assert (log.begun, log.finished) == ([], 2)
    assert rerun(copy).finished == 4


def test_missing_record_alone_is_measured_again(copy: Path, instant: list[Case]) -> None:
    record_of(copy, TASKS[3]).unlink()
    log = rerun(copy)
    assert (log.begun, log.finished, log.notes) == ([TASKS[3]], 3, [])


def test_stale_records_are_measured_again_and_said_so(
    copy: Path, instant: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "provenance", other_source)
    log = rerun(copy)
    assert log.begun == list(TASKS)
    assert log.notes == ["4 records are stale (made by another version of the source) and measured again"]
    assert {read_task(copy, task).provenance.source for task in TASKS} == {"0" * 16}
    assert rerun(copy).begun == []


def test_other_device_has_a_folder_of_its_own(copy: Path, instant: list[Case], monkeypatch: pytest.MonkeyPatch) -> None:
    fast = Device("gpu", "Fast One (2)", 8)
    monkeypatch.setattr(runner, "provenance", lambda device: dataclasses.replace(provenance(device), device=fast))
    before = contents(copy)
    assert len(rerun(copy).begun) == 4
    after = contents(copy)
    assert before.items() <= after.items()
    assert {name.split("/")[0] for name in after.keys() - before.keys()} == {"gpu-fast-one-2-8"}


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_damaged_record_is_named_and_measured_again(copy: Path, instant: list[Case], suffix: str) -> None:
    path = record_of(copy, TASKS[2])
    damaged = path.with_suffix(suffix)
    damaged.write_bytes(damaged.read_bytes()[:-40])
    log = rerun(copy)
    assert log.begun == [TASKS[2]]
    (note,) = log.notes
    assert note.startswith(f"{path}: damaged record (")
    assert note.endswith("; measured again")
    assert read_cell(copy, TASKS[2]).status == "ok"
    assert rerun(copy).begun == []


def test_crashing_cell_is_an_outcome_and_the_others_go_on(
    tmp_path: Path, instant: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "measure_gradients", crash_on("tanh"))
    log = rerun(tmp_path)
    assert [record.status for record in log.records] == ["crashed", "ok", "ok", "ok"]
    record = read_cell(tmp_path, TASKS[0])
    assert (record.status, record.reason) == ("crashed", "RuntimeError: out of memory")
    assert (record.gradients, record.training) == (None, None)


def test_crashed_cell_is_tried_again_in_the_next_run(
    tmp_path: Path, instant: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(worker, "measure_gradients", crash_on("relu"))
        rerun(tmp_path)
        assert rerun(tmp_path).begun == [TASKS[2]]
    log = rerun(tmp_path)
    assert (log.begun, [record.status for record in log.records]) == ([TASKS[2]], ["ok"])
    assert read_cell(tmp_path, TASKS[2]).gradients is not None
    assert rerun(tmp_path).begun == []


def test_cell_that_crashes_after_it_once_succeeded_is_on_record_as_crashed(
    copy: Path, instant: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "provenance", other_source)
    monkeypatch.setattr(worker, "measure_gradients", crash_on("relu"))
    rerun(copy)
    assert read_cell(copy, TASKS[2]).status == "crashed"


def test_cell_that_crashes_in_training_keeps_its_gradients(
    tmp_path: Path, instant: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(case: Case) -> NoReturn:
        raise FloatingPointError("bad luck")

    monkeypatch.setattr(worker, "measure_training", fail)
    rerun(tmp_path)
    record = read_cell(tmp_path, TASKS[0])
    assert (record.status, record.reason, record.training) == ("crashed", "FloatingPointError: bad luck", None)
    assert record.gradients is not None


def test_crashing_cost_is_an_outcome(tmp_path: Path, instant: list[Case], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(case: Case, reference: Case) -> NoReturn:
        raise ZeroDivisionError

    monkeypatch.setattr(worker, "measure_cost", fail)
    log = rerun(tmp_path)
    assert [record.status for record in log.records] == ["ok", "crashed"] * 2
    record = read_task(tmp_path, TASKS[1])
    assert isinstance(record, CostRecord)
    assert (record.cost, record.reason) == (None, "ZeroDivisionError: ")


def test_interrupted_run_goes_on_where_it_stopped(tmp_path: Path, instant: list[Case]) -> None:
    class Impatient(Log):
        def started(self, task: Task) -> None:
            super().started(task)
            if len(self.done) == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(TINY, tmp_path, observer=Impatient())
    log = rerun(tmp_path)
    assert (log.begun, log.finished) == ([TASKS[3]], 3)


def test_manifest_is_written_before_anything_is_measured(tmp_path: Path) -> None:
    class Curious(Log):
        def planned(self, *_: object) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(TINY, tmp_path, observer=Curious())
    assert [path.name for path in tmp_path.rglob("*.json")] == ["manifest.json"]


def test_data_that_cannot_serve_a_case_is_bad_input(tmp_path: Path) -> None:
    expected = r"^batch_size: 17 is more than the 16 training examples of gaussian\(features=4, examples=16\)$"
    with pytest.raises(InputError, match=expected):
        run(TINY, tmp_path, settings={"batch_size": [17]})


def test_out_below_a_file_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"/file/.*: cannot write records here: Not a directory$"):
        run(TINY, tmp_path / "file" / "out")


def test_out_that_is_a_file_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"/file/.*: cannot write records here: Not a directory$"):
        run(TINY, tmp_path / "file")


def test_full_disk_is_bad_input_that_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_bad_input_leaves_no_trace(tmp_path: Path, options: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        run(TINY, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


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
    tiny = float(np.finfo(np.float32).smallest_normal)
    return GradientProfile(
        np.asarray([norms]), np.asarray([[*norms, 0.0]]), np.asarray([largest]), np.zeros((1, len(norms)), bool), tiny
    )


@pytest.mark.parametrize(
    ("gradients", "status", "reason"),
    [
        (profile([-2.0, -1.0], [0.0, 0.0]), "ok", ""),
        (profile([-2.0, -1.0], [0.0, -50.0]), "forward_underflow", "activations flush to zero from layer 2"),
        (profile([-2.0, -1.0], [np.inf, 0.0]), "nonfinite", "activations overflow from layer 1"),
        (profile([np.nan, np.nan], [0.0, 0.0]), "nonfinite", "the gradient overflows"),
    ],
)
def test_status_of_a_cell_says_how_its_gradients_ended(
    instant: list[Case], monkeypatch: pytest.MonkeyPatch, gradients: GradientProfile, status: str, reason: str
) -> None:
    monkeypatch.setattr(worker, "measure_gradients", lambda case: gradients)
    record = execute(TASKS[0], provenance(jax.devices()[0]))
    assert (record.status, record.reason) == (status, reason)


def test_cell_whose_every_loss_is_not_finite_has_diverged(
    first: tuple[Path, Log], instant: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    curves = read_cell(first[0], TASKS[0]).training
    assert curves is not None
    diverged = dataclasses.replace(curves, loss=np.full_like(curves.loss, np.nan))
    monkeypatch.setattr(worker, "measure_training", lambda case: diverged)
    record = execute(TASKS[0], provenance(jax.devices()[0]))
    assert (record.status, record.reason) == ("diverged", "the loss became non-finite at every rate, for every seed")


def test_records_are_of_the_source_that_measures_now(first: tuple[Path, Log]) -> None:
    (folder,) = device_folders(first[0])
    assert isinstance(folder, Folder)
    content = json.loads(folder.manifest.read_text())["record"]
    assert content["provenance"]["source"] == source_digest()
