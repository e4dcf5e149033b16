"""Seeds are added to what was measured: only those that are missing are measured, and the record is that of one run."""

import dataclasses
import os
import shutil
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from helpers.inline import Inline
from helpers.tiny_suite import TINY, Log

from vgbench.errors import InputError
from vgbench.harness import runner
from vgbench.harness.merge import merge
from vgbench.harness.plan import tasks_of
from vgbench.harness.run_lock import MISSING, read_status
from vgbench.harness.runner import run
from vgbench.harness.workers import worker
from vgbench.measure import training
from vgbench.records.provenance import provenance
from vgbench.records.schema import CellRecord
from vgbench.records.store import device_folders, pack, read_record
from vgbench.report import load, write_report

SUITE = TINY.model_copy(
    update={
        "baseline": {
            **TINY.baseline,
            "learning_rates": [0.1, 0.3],
            "tuning_seeds": [7],
            "optimizer": "adam",
            "block_execution": "scan",
        },
        "mitigations": {
            "untrained": {"steps": 0, "learning_rates": [], "tuning_seeds": []},
            "lstm": {"model": "recurrent", "cell": "lstm", "activation": "tanh", "learning_rates": [0.1]},
        },
    }
)
"""A perceptron that is tuned, one that is not trained, and a recurrent network."""


def extend(out: Path, seeds: int | None, **options: Any) -> Log:
    log = Log()
    run(SUITE, out, observers=[log], seeds=seeds, **options)
    return log


def cells(out: Path) -> dict[str, CellRecord]:
    (folder,) = device_folders(out)
    return {path.stem: read_record(path, CellRecord) for path in sorted(folder.path.glob("cells/*.json"))}


def files(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for kind in ("cells", "costs") for path in out.glob(f"*/{kind}/*.json")}


def measured_alone(record: CellRecord) -> bytes:
    """All of a record but when it was measured, and how long that took."""
    return pack(dataclasses.replace(record, started="", seconds=0.0))


@pytest.fixture(autouse=True)
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "Local", Inline)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Runs of one seed and of three, by the number of seeds."""
    root = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runner, "Local", Inline)
        for seeds in (1, 3):
            extend(root / str(seeds), seeds)
    return {seeds: root / str(seeds) for seeds in (1, 3)}


@pytest.fixture
def one(runs: dict[int, Path], tmp_path: Path) -> Path:
    return shutil.copytree(runs[1], tmp_path / "run")


@pytest.fixture
def three(runs: dict[int, Path], tmp_path: Path) -> Path:
    return shutil.copytree(runs[3], tmp_path / "three")


def forbidden(*_: Any, **__: Any) -> NoReturn:
    raise AssertionError


def other_source(device: Any) -> Any:
    return dataclasses.replace(provenance(device), source={"cell": "0" * 16, "cost": "0" * 16})


def test_added_seeds_give_the_record_of_one_run_bit_for_bit_and_are_all_that_is_measured(
    one: Path, three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "_tune", forbidden)
    log = extend(one, 3)
    assert [task.kind for task in log.begun] == ["cell"] * 3
    assert {record.case.seeds for record in log.records} == {(1, 2)}
    assert log.begun[0].action == "measuring further seeds (1, 2) of baseline, depth 2"
    assert log.finished == 3  # the costs, which do not depend on seeds
    extended, whole = cells(one), cells(three)
    assert extended.keys() == whole.keys()
    for cell_id, record in extended.items():
        assert (record.case.seeds, record.status) == ((0, 1, 2), "ok")
        assert measured_alone(record) == measured_alone(whole[cell_id])
    assert extend(one, 3).begun == []


def test_duration_of_a_record_is_that_of_all_its_seeds(one: Path) -> None:
    before = {cell_id: record.seconds for cell_id, record in cells(one).items()}
    added = {task.id: record.seconds for task, record in extend(one, 2).done}
    for cell_id, record in cells(one).items():
        assert record.seconds == pytest.approx(before[cell_id] + added[cell_id])


def test_fewer_seeds_measure_nothing_and_the_table_uses_those_alone(runs: dict[int, Path], three: Path) -> None:
    before = files(three)
    assert extend(three, 1).begun == []
    assert files(three) == before
    assert write_report(three).all_ok
    frame, expected = load(three), load(runs[1])
    assert set(frame["seeds"]) == {1}
    for column in ("decay", "test_metric", "status", "cell_id"):
        np.testing.assert_array_equal(frame[column], expected[column], err_msg=column)
    assert extend(three, 3).begun == []
    assert set(load(three)["seeds"]) == {3}


def test_record_of_another_source_is_stale_as_a_whole(one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(one)
    monkeypatch.setattr(worker, "provenance", other_source)
    assert extend(one, 2, keep_stale=True).begun == []
    assert files(one) == before
    log = extend(one, 2)
    assert {record.case.seeds for record in log.records if isinstance(record, CellRecord)} == {(0, 1)}
    assert {record.provenance.source["cell"] for record in cells(one).values()} == {"0" * 16}


def test_seeds_that_cannot_be_measured_leave_the_record_as_it_was_and_are_named(
    one: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(one)
    with monkeypatch.context() as patched:
        patched.setattr(worker, "train_and_profile", forbidden)
        patched.setattr(worker, "measure_profiles", forbidden)
        log = extend(one, 3)
    assert {record.status for record in log.records} == {"crashed"}
    assert files(one) == before
    assert read_status(one).devices[0].counts[MISSING] == 3
    report = write_report(one)
    assert "baseline, depth 2: seeds 1, 2 are not measured yet" in report.failures
    assert not report.all_ok
    assert len(extend(one, 3).begun) == 3
    assert write_report(one).all_ok


def test_full_disk_while_seeds_are_added_keeps_the_record(one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(one)

    def full(path: Path, record: Any) -> NoReturn:
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as patched:
        patched.setattr("vgbench.harness.work.write_record", full)
        with pytest.raises(InputError, match="cannot write records here"):
            extend(one, 2)
    assert files(one) == before
    extend(one, 2)
    assert {record.case.seeds for record in cells(one).values()} == {(0, 1)}


def test_death_between_writing_and_renaming_keeps_the_record(one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, rename = files(one), os.replace

    def die(source: Any, target: Any, **options: Any) -> None:
        if "/cells/" in str(target):
            raise KeyboardInterrupt
        rename(source, target, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", die)
        patched.setattr(Path, "replace", lambda source, target: die(source, target))
        with pytest.raises(KeyboardInterrupt):
            extend(one, 2)
    assert files(one) == before
    extend(one, 2)
    assert {record.case.seeds for record in cells(one).values()} == {(0, 1)}


def test_other_seeds_are_joined_in_order_whatever_the_order_in_which_they_are_measured(one: Path, three: Path) -> None:
    run(SUITE, one, settings={"seeds": [2]})
    run(SUITE, one, settings={"seeds": [1]})
    assert {cell_id: measured_alone(record) for cell_id, record in cells(one).items()} == {
        cell_id: measured_alone(record) for cell_id, record in cells(three).items()
    }
    assert set(load(one)["seeds"]) == {1}  # that were asked for last


def test_seeds_of_another_run_are_reused(one: Path, three: Path, tmp_path: Path) -> None:
    log = extend(one, 3, reuse=[three])
    assert (log.begun, log.notes) == ([], [f"reused: 3 records of {three}"])
    assert {record.case.seeds for record in cells(one).values()} == {(0, 1, 2)}
    assert extend(tmp_path / "new", 1, reuse=[three]).begun == []


def test_merged_runs_hold_the_seeds_of_both_whatever_the_order(one: Path, three: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    run(SUITE, other, settings={"seeds": [1, 2]})
    merge(tmp_path / "a", [one, other])
    merge(tmp_path / "b", [other, one])
    assert files(tmp_path / "a") == files(tmp_path / "b")
    whole = cells(three)
    for cell_id, record in cells(tmp_path / "a").items():
        assert measured_alone(record) == measured_alone(whole[cell_id])
    assert set(load(tmp_path / "a")["seeds"]) == {3}
    before = files(tmp_path / "a")
    merge(tmp_path / "a", [one, tmp_path / "b"])
    assert files(tmp_path / "a") == before


def test_cells_that_differ_in_their_seeds_alone_are_one_task_and_two_rows(tmp_path: Path) -> None:
    suite = TINY.model_copy(update={"mitigations": {"again": {"seeds": [5]}}})
    assert [task.case.seeds for task in tasks_of(suite.cells())] == [(0, 1, 5)] * 2
    run(suite, tmp_path / "out")
    frame = load(tmp_path / "out")
    assert list(frame["seeds"]) == [2, 1]
    assert frame["cell_id"].nunique() == 1
    assert np.isfinite(frame["test_metric"]).all()


def test_seeds_are_given_once() -> None:
    with pytest.raises(InputError, match=r"^seeds: are set already"):
        run(SUITE, settings={"seeds": [1]}, seeds=2)
