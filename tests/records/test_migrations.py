"""Records of earlier versions of the schema are read as if they had been written today."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

import vgbench as vg
from vgbench.errors import InputError
from vgbench.measure.snapshot import Snapshots
from vgbench.records import store
from vgbench.records.migrations import SCHEMA, WITHOUT_SEEDS, migrated
from vgbench.records.runs import read_runs
from vgbench.records.schema import CellRecord
from vgbench.records.store import device_folders, read_record

OLD = Path(__file__).parent / "version_1"
"""Three records of a run of the first version."""


def test_names_of_version_1_become_those_of_today() -> None:
    case = {"rates": [0.1], "transform": {"name": "none"}, "layers": "scanned", "depth": 2}
    row = {"place": 0, "axes": {"rates": [0.1], "depth": 2}}
    body = {
        "case": case,
        "reference": {"layers": "auto"},
        "training": {"rates": [0.1], "rate": 0.1, "loss": [1.0], "dead": [0.5], "test_accuracy": [0.9]},
        "cost": {"form": "unrolled"},
        "rows": [row],
    }
    assert migrated(body, 1) == {
        "case": {
            "learning_rates": [0.1],
            "gradient_transform": {"name": "none"},
            "block_execution": "scan",
            "depth": 2,
        },
        "reference": {"block_execution": "auto"},
        "training": {
            "learning_rates": [0.1],
            "learning_rate": 0.1,
            "loss": [1.0],
            "snapshots": {"dead": [0.5]},
            "test_metric": [0.9],
            "metric": {"name": "accuracy", "better": "higher"},
        },
        "cost": {"form": "unroll"},
        "rows": [{"place": 0, "axes": {"learning_rates": [0.1], "depth": 2}}],
    }
    assert case["layers"] == "scanned", "what was read is left as it is"


def test_records_of_today_are_left_as_they_are() -> None:
    body = {"case": {"learning_rates": [0.1]}}
    assert migrated(body, SCHEMA) is body


@pytest.mark.parametrize("body", [None, [], "x", {"case": 3, "rows": [1, {"axes": 2}], "cost": [], "training": None}])
def test_what_is_no_record_is_left_to_the_checks_that_follow(body: object) -> None:
    assert migrated(body, 1) == body


@pytest.mark.parametrize("version", [0, -1, SCHEMA + 1])
def test_version_that_there_is_not_is_named(version: int) -> None:
    with pytest.raises(ValueError, match=rf"version {version}; this vgbench reads versions 1 to {SCHEMA}"):
        migrated({}, version)


def test_published_records_of_version_1_are_read() -> None:
    (run,) = read_runs(OLD / "quickstart")
    cells = [entry.cell for entry in run.entries]
    assert any(cell is not None and cell.case.learning_rates for cell in cells)
    assert vg.load(OLD / "quickstart")["learning_rate"].notna().any()


def test_snapshots_of_version_1_are_those_of_the_dataclass() -> None:
    names = [field.name for field in dataclasses.fields(Snapshots)]
    assert sorted(migrated({"training": dict.fromkeys(names, 1)}, 1)["training"]["snapshots"]) == sorted(names)


def test_published_records_of_earlier_versions_have_names_that_hash_the_seeds_and_are_found_by_them() -> None:
    for device in device_folders(OLD / "quickstart"):
        for path in sorted((device.path / "cells").glob("*.json"))[:3]:
            content = store._load(path)
            assert content.schema < WITHOUT_SEEDS
            assert CellRecord.id_of(content.body, content.schema) == path.stem
            assert CellRecord.id_of(content.body, WITHOUT_SEEDS) != path.stem
            assert read_record(path, CellRecord).case.seeds == tuple(content.body["case"]["seeds"])


def test_record_of_a_newer_vgbench_is_refused_by_its_version(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(store._text(store._Content(SCHEMA + 1, {}, b"")))
    with pytest.raises(InputError, match=f"version {SCHEMA + 1}; this vgbench reads versions 1 to {SCHEMA}"):
        read_record(path, CellRecord)


@pytest.mark.parametrize("version", ["2", 2.0, None, 1.5])
def test_version_that_is_no_number_is_damage(version: Any, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(store._text(store._Content(version, {}, b"")))
    with pytest.raises(InputError, match=r"damaged record"):
        read_record(path, CellRecord)
