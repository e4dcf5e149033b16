"""Merging: one union, whatever the order, with every device kept apart and nothing mixed unasked."""

import dataclasses
import itertools
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import made
from helpers.mishaps import Disk
from helpers.small_runs import CASES, DEVICES, ORIGIN, contents, spoil_manifest, write_run
from hypothesis import given, settings
from hypothesis import strategies as st

from vgbench.errors import InputError
from vgbench.harness.merge import merge
from vgbench.harness.run_lock import lock_run
from vgbench.records.schema import CellRecord, CostRecord, Manifest
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
    ("fields", "reported"),
    [
        ({"packages": {"jax": "0.12.0"}}, r"jax 0\.10\.2 -> 0\.12\.0|jax 0\.12\.0 -> 0\.10\.2"),
        ({"xla_flags": "--fast"}, "XLA_FLAGS '.*' -> '.*'"),
        ({"source": {"cell": "z", "cost": "b"}}, "vgbench's own source"),
    ],
)
def test_records_that_may_not_be_compared_are_refused_or_marked(
    tmp_path: Path, fields: dict[str, Any], reported: str
) -> None:
    a, b = write_run(tmp_path / "a", {0: ("ok", 1.0)}), write_run(tmp_path / "b", {1: ("ok", 1.0)}, **fields)
    with pytest.raises(InputError, match=rf"^Xeon \(2 CPU cores\): records differ in ({reported}): .*--allow-mixed"):
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
    with lock_run(tmp_path / "out"), pytest.raises(InputError, match="another run is at work here"):
        merge(tmp_path / "out", [a])


def test_source_that_holds_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none: no records here"):
        merge(tmp_path / "out", [tmp_path / "none"])


def test_merged_manifest_is_a_manifest(tmp_path: Path) -> None:
    out = merge(tmp_path / "out", [write_run(tmp_path / "a", {0: ("ok", 1.0)})])
    (path,) = out.glob("*/manifest.json")
    assert read_record(path, Manifest).provenance == ORIGIN


@pytest.fixture
def measured_twice(tmp_path: Path) -> tuple[Path, Path, dict[str, bytes]]:
    """Two runs of one cell whose records have arrays, and what the first holds when the second is merged into it."""
    out, source = (
        made.write_run(tmp_path / name, [("baseline", made.measured(made.BASE, accuracy))])
        for name, accuracy in (("out", 0.25), ("source", 0.75))
    )
    whole = contents(merge(shutil.copytree(out, tmp_path / "whole"), [source]))
    if whole == contents(out):  # of records that are alike their bytes decide which one stays
        out, source = source, out
    assert whole == contents(merge(shutil.copytree(source, tmp_path / "turned"), [out])) != contents(out)
    return out, source, whole


@pytest.mark.parametrize("there", [True, False])
def test_merge_on_a_full_disk_leaves_the_run_as_it_was_and_completes_it_afterwards(
    measured_twice: tuple[Path, Path, dict[str, bytes]], tmp_path: Path, there: bool
) -> None:
    target, source, whole = measured_twice
    if not there:
        target, source, whole = tmp_path / "new", target, contents(target)
    before = contents(target)
    size = sum(len(content) for name, content in whole.items() if before.get(name) != content)
    for room in range(0, size, size // 12):
        with Disk(room=room) as disk:
            assert disk.stops(lambda: merge(target, [source]))
        assert contents(target) == before
    assert contents(merge(target, [source])) == whole


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two mebibytes, where this process may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this process may not mount a file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.slow
def test_merge_on_a_real_disk_that_is_full_at_any_level_leaves_the_run_as_it_was(
    measured_twice: tuple[Path, Path, dict[str, bytes]], small_disk: Path
) -> None:
    first, source, whole = measured_twice
    target, filler = shutil.copytree(first, small_disk / "run"), small_disk / "filler"
    before = contents(target)
    free = shutil.disk_usage(small_disk).free
    levels = range(0, 2 * sum(map(len, whole.values())), 4096)
    failed = 0
    for room in levels:
        filler.write_bytes(b"x" * (free - room))
        try:
            merge(target, [source])
        except InputError as error:
            assert "No space left on device" in str(error)  # noqa: PT017
            assert contents(target) == before
            failed += 1
        else:
            assert contents(target) == whole
            break
        filler.unlink()
    assert failed > 3
    filler.unlink()
    assert contents(merge(target, [source])) == whole


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("old", [False, True])
def test_killed_merge_leaves_every_record_whole_and_the_same_merge_completes_it(
    measured_twice: tuple[Path, Path, dict[str, bytes]], tmp_path: Path, there: bool, old: bool
) -> None:
    first, source, whole = measured_twice
    if old:
        for path in first.glob("*/c*s/*.json"):
            made.two_files(path)
    if not there:
        first, source, whole = tmp_path / "none", first, contents(merge(tmp_path / "alone", [first]))
    for steps in itertools.count():
        target = tmp_path / f"killed{steps}"
        if there:
            shutil.copytree(first, target)
        with Disk(steps=steps) as disk:
            killed = disk.stops(lambda: merge(target, [source]))  # noqa: B023
        for path in target.glob("*/c*s/[!.]*.json"):
            read_record(path, CellRecord if path.parent.name == "cells" else CostRecord)
        assert contents(merge(target, [source])) == whole
        if not killed:
            break
    assert steps > 5


def test_torn_record_of_the_target_is_set_aside_and_mended_from_a_source(
    measured_twice: tuple[Path, Path, dict[str, bytes]],
) -> None:
    out, source, _ = measured_twice
    (path,) = out.glob("*/cells/*.json")
    made.two_files(path)
    path.with_suffix(".npz").write_bytes(b"another record's")
    said: list[str] = []
    merge(out, [source], say=said.append)
    name = f"{path.name}.damaged"
    assert said == [f"{path}: damaged record; set aside as {name}, and another run's takes its place"]
    assert path.with_name(name).exists()
    assert path.read_bytes() == (source / path.relative_to(out)).read_bytes()


def test_damaged_record_of_the_target_that_no_source_holds_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    a, b = write_run(tmp_path / "a", {0: ("ok", 1.0)}), write_run(tmp_path / "b", {1: ("ok", 1.0)})
    (path,) = a.glob("*/cells/*.json")
    truncate(path)
    before = contents(a)
    with pytest.raises(InputError, match=rf"^{path}: damaged record"):
        merge(a, [b])
    assert contents(a) == before


@pytest.mark.parametrize("name", [CASES[1].cell_id, "0" * 16, "copy of it"])
def test_record_under_another_name_is_damaged_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    a, b = write_run(tmp_path / "a", {0: ("ok", 1.0)}), write_run(tmp_path / "b", {0: ("ok", 1.0)})
    (path,) = b.glob("*/cells/*.json")
    shutil.copy(path, path.with_name(f"{name}.json"))
    with pytest.raises(InputError, match=rf"/{name}\.json: damaged record \(it"):
        merge(a, [b])


def test_files_of_file_managers_are_no_records(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", {0: ("ok", 1.0)})
    (path,) = a.glob("*/cells/*.json")
    path.with_name(f"._{path.name}").write_bytes(b"resource fork")
    assert len(load(merge(tmp_path / "out", [a]))) == 1


def test_manifest_that_leads_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", {0: ("ok", 1.0)})
    spoil_manifest(a, cell_id="../../../settings")
    with pytest.raises(InputError, match=r"manifest\.json: not a valid record \(rows\.0\.cell_id: "):
        merge(tmp_path / "out", [a])
    assert not (tmp_path / "out").exists()


def test_folder_that_holds_other_things_is_not_merged_into(tmp_path: Path) -> None:
    a, home = write_run(tmp_path / "a", {0: ("ok", 1.0)}), tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"home: holds other things than a run \(thesis\.tex\); a run has a folder"):
        merge(home, [a])
    assert [path.name for path in home.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("linked", ["DEVICE", "DEVICE/cells"])
def test_merge_writes_nothing_through_a_symbolic_link(tmp_path: Path, linked: str) -> None:
    a, out, elsewhere = write_run(tmp_path / "a", {0: ("ok", 1.0)}), tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = out / linked.replace("DEVICE", DEVICES[0].slug)
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    with pytest.raises(InputError, match=r"leads out of|holds other things"):
        merge(out, [a])
    assert list(elsewhere.iterdir()) == []
