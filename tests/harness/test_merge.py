"""Merging: one union, whatever the order, with every device kept apart and nothing mixed unasked."""

import dataclasses
import itertools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.small_runs import DEVICES, ORIGIN, contents, write_run
from hypothesis import given, settings
from hypothesis import strategies as st

from vgbench.errors import InputError
from vgbench.harness.merge import merge
from vgbench.harness.run_lock import locked
from vgbench.records.schema import Manifest
from vgbench.records.store import read_record
from vgbench.report import load, write_report

runs = st.fixed_dictionaries(
    {
        "cells": st.dictionaries(
            st.integers(0, 3), st.tuples(st.sampled_from(["ok", "crashed", "timeout"]), st.sampled_from([1.0, 2.0]))
        ),
        "costs": st.lists(st.integers(0, 3), unique=True, max_size=2),
        "device": st.sampled_from(DEVICES),
        "packages": st.sampled_from([{"jax": "0.10.2"}, {"jax": "0.12.0"}]),
    }
)


three_runs = given(st.lists(runs, min_size=3, max_size=3))


@settings(max_examples=5)
@three_runs
def test_merging_is_commutative_associative_and_idempotent(parts: list[dict[str, Any]]) -> None:
    check_merging(parts)


@pytest.mark.slow
@settings(max_examples=60)
@three_runs
def test_merging_any_three_runs_is_commutative_associative_and_idempotent(parts: list[dict[str, Any]]) -> None:
    check_merging(parts)


def check_merging(parts: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        a, b, c = (write_run(root / name, **part) for name, part in zip("abc", parts, strict=True))
        before = contents(a)

        def merged(name: str, *sources: Path) -> Path:
            return merge(root / name, sources, allow_mixed=True)

        whole = contents(merged("whole", a, b, c))
        for i, order in enumerate(itertools.permutations([a, b, c])):
            assert contents(merged(f"order{i}", *order)) == whole
        left, right = merged("ab", a, b), merged("bc", b, c)
        assert contents(merged("left", left, c)) == contents(merged("right", a, right)) == whole
        assert contents(merged("whole", a, b, c)) == contents(merged("twice", root / "whole", root / "whole")) == whole
        assert contents(merged("ab", c)) == whole
        assert contents(a) == before
        assert contents(merged("alone", a)) == before


def test_union_holds_all_and_the_rows_in_the_order_of_the_suite(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", {0: ("ok", 1.0), 3: ("ok", 1.0)})
    b = write_run(tmp_path / "b", {0: ("ok", 1.0), 1: ("ok", 1.0)}, costs=[1])
    out = merge(tmp_path / "out", [a, b])
    assert list(load(out)["mitigation"]) == ["m0", "m1", "m3"]
    assert list(load(out)["status"]) == ["ok"] * 3


def test_same_cell_of_two_devices_is_kept_twice(tmp_path: Path) -> None:
    parts = [write_run(tmp_path / device.platform, {0: ("ok", 1.0)}, device=device) for device in DEVICES]
    out = merge(tmp_path / "out", parts)
    assert sorted(path.parent.parent.name for path in out.glob("*/cells/*.json")) == ["cpu-xeon-2", "gpu-h100-1"]
    assert len(load(out)) == 2


@pytest.mark.parametrize("turned", [False, True])
def test_result_goes_before_a_failure(tmp_path: Path, turned: bool) -> None:
    parts = [write_run(tmp_path / "a", {0: ("ok", 1.0)}), write_run(tmp_path / "b", {0: ("timeout", 9.0)})]
    assert list(load(merge(tmp_path / "out", parts[::-1] if turned else parts))["status"]) == ["ok"]


def test_runs_of_different_suites_are_refused(tmp_path: Path) -> None:
    a, b = write_run(tmp_path / "a", {}), write_run(tmp_path / "b", {}, suite="other", device=DEVICES[1])
    with pytest.raises(InputError, match=r"^runs of different suites cannot be merged: other, tiny$"):
        merge(tmp_path / "out", [a, b])


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"packages": {"jax": "0.12.0"}}, r"jax 0\.10\.2 -> 0\.12\.0|jax 0\.12\.0 -> 0\.10\.2"),
        ({"xla_flags": "--fast"}, "XLA_FLAGS '.*' -> '.*'"),
        ({"source": {"cell": "z", "cost": "b"}}, "vgbench's own source"),
    ],
)
def test_records_that_may_not_be_compared_are_refused_or_marked(
    tmp_path: Path, fields: dict[str, Any], told: str
) -> None:
    a, b = write_run(tmp_path / "a", {0: ("ok", 1.0)}), write_run(tmp_path / "b", {1: ("ok", 1.0)}, **fields)
    with pytest.raises(InputError, match=rf"^Xeon \(2 CPU cores\): records differ in ({told}): .*--allow-mixed"):
        merge(tmp_path / "out", [a, b])
    assert not (tmp_path / "out").exists()
    report = write_report(merge(tmp_path / "out", [a, b], allow_mixed=True))
    assert sum(name.endswith(" (mixed)") for name in report.table["mitigation"]) == 1


def test_processors_of_one_name_stay_apart_and_are_not_mixed_by_a_folder_of_the_same_name(tmp_path: Path) -> None:
    known = dataclasses.replace(DEVICES[0], model="family 6 model 85")
    a, b = write_run(tmp_path / "a", {0: ("ok", 1.0)}), write_run(tmp_path / "b", {1: ("ok", 1.0)}, device=known)
    out = merge(tmp_path / "out", [a, b])
    assert {path.name for path in out.iterdir() if path.is_dir()} == {DEVICES[0].slug, known.slug}
    (b / known.slug).rename(b / DEVICES[0].slug)
    with pytest.raises(InputError, match=r"records differ in the device Xeon .*\[.*\] -> Xeon .*\[.*\]"):
        merge(tmp_path / "mixed", [a, b])


def test_other_commit_and_memory_may_be_compared(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", {0: ("ok", 1.0)})
    b = write_run(tmp_path / "b", {1: ("ok", 1.0)}, commit="abc", memory_bytes=1)
    assert len(load(merge(tmp_path / "out", [a, b]))) == 2


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def alter(path: Path) -> None:
    content = json.loads(path.read_text())
    content["record"]["seconds"] = 0.0
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("damage", [truncate, alter])
def test_damaged_record_is_named_and_nothing_is_written(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    a, b = write_run(tmp_path / "a", {0: ("ok", 1.0)}), write_run(tmp_path / "b", {1: ("ok", 1.0)})
    (path,) = b.glob("*/cells/*.json")
    damage(path)
    with pytest.raises(InputError, match=rf"^{path}: damaged record"):
        merge(tmp_path / "out", [a, b])
    assert not (tmp_path / "out").exists()


def test_folder_in_which_a_run_is_at_work_is_refused(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", {0: ("ok", 1.0)})
    with locked(tmp_path / "out"), pytest.raises(InputError, match="another run is at work here"):
        merge(tmp_path / "out", [a])


def test_source_that_holds_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none: no records here"):
        merge(tmp_path / "out", [tmp_path / "none"])


def test_merged_manifest_is_a_manifest(tmp_path: Path) -> None:
    out = merge(tmp_path / "out", [write_run(tmp_path / "a", {0: ("ok", 1.0)})])
    (path,) = out.glob("*/manifest.json")
    assert read_record(path, Manifest).provenance == ORIGIN
