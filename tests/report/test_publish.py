"""Publishing: only what is clean and whole, nothing overwritten unasked, and an index that tells of all there is."""

import dataclasses
import gzip
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.made import ORIGIN, measured, two_files, write_run
from helpers.mishaps import Disk
from helpers.small_runs import spoil_manifest

from vgbench.boundary.files import restore_folders
from vgbench.cli import main
from vgbench.errors import InputError
from vgbench.harness.run_lock import locked
from vgbench.records.compact import compact
from vgbench.records.origin import Device, Provenance
from vgbench.records.provenance import source_digest
from vgbench.records.runs import read_runs
from vgbench.records.schema import CellRecord
from vgbench.records.store import in_file, read_record, write_record
from vgbench.report import load, write_report
from vgbench.report.publish import BEGIN, END, FAULTS, check, publish
from vgbench.spec.case import Case

CLEAN = dataclasses.replace(ORIGIN, source={"cell": source_digest("cell"), "cost": source_digest("cost")})
GPU = dataclasses.replace(CLEAN, device=Device("gpu", "Fast", 1))


@pytest.fixture(autouse=True)
def quick_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without pictures, which other tests draw."""
    monkeypatch.setattr("vgbench.report.publish.FORMATS", ("md", "csv", "latex"))
    monkeypatch.setattr("vgbench.report.publish.PICTURES", ())


def run(out: Path, suite: str = "tiny", accuracy: float = 0.95, origin: Provenance = CLEAN) -> Path:
    cases = (
        Case(depth=2, width=4, seeds=(0, 1), learning_rates=(0.1, 0.2)),
        Case(depth=2, width=4, seeds=(0, 1), init="he_normal"),
    )
    cells = [("baseline", measured(cases[0], accuracy)), ("he", measured(cases[1], None))]
    return write_run(out, cells, suite, origin)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def records(folder: Path) -> dict[str, bytes]:
    return {name: content for name, content in contents(folder).items() if "/" in name}


def published_records(source: Path) -> dict[str, bytes]:
    """The files of a run's records as they are published."""

    def place(path: Path) -> Path:
        return path if path.name == "manifest.json" else path.with_name(f"{path.name}.gz")

    paths = sorted(source.glob("*/**/*.json"))
    return {str(place(path).relative_to(source)): in_file(place(path), compact(path)) for path in paths}


def change(out: Path, alter: Callable[[CellRecord], CellRecord]) -> None:
    """Change the record of one cell."""
    path = sorted(out.glob("*/cells/*.json"))[0]
    write_record(path, alter(read_record(path, CellRecord)))


def dirty(out: Path) -> None:
    commit = dataclasses.replace(CLEAN, commit="abc-dirty")
    change(out, lambda record: dataclasses.replace(record, provenance=commit))


def stale(out: Path) -> None:
    run(out, origin=ORIGIN)


def incomplete(out: Path) -> None:
    sorted(out.glob("*/costs/*.json"))[0].unlink()


def mixed(out: Path) -> None:
    older = dataclasses.replace(CLEAN, packages={"jax": "1.1", "numpy": "3.4"})
    change(out, lambda record: dataclasses.replace(record, provenance=older))


def test_published_run_has_its_records_and_its_report(tmp_path: Path) -> None:
    source = run(tmp_path / "run")
    target = publish(source, tmp_path / "results")
    assert target == tmp_path / "results/tiny"
    there = contents(target)
    assert records(target) == published_records(source)
    assert set(there) - set(records(target)) == {"table.md", "table.csv", "table.tex"}
    assert load(target).equals(load(source))
    write_report(source, formats=("md",))
    assert (source / "table.md").read_bytes() == there["table.md"]


def test_what_the_manifest_does_not_name_is_left_behind(tmp_path: Path) -> None:
    source = run(tmp_path / "run")
    for name in ("cpu-chip-2/cells/0000.json", "cpu-chip-2/cells/x.json.damaged", "log.txt"):
        (source / name).write_text("left")
    target = publish(source, tmp_path / "results")
    assert not [name for name, content in contents(target).items() if content == b"left"]


@pytest.mark.parametrize("spoil", [dirty, stale, incomplete, mixed], ids=lambda spoil: spoil.__name__)
def test_run_with_a_fault_is_refused_unless_it_is_allowed(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    source, fault = run(tmp_path / "run"), spoil.__name__
    spoil(source)
    with pytest.raises(InputError, match=rf"run: not fit to be published: {fault}: .*\(--allow {fault} publishes"):
        publish(source, tmp_path / "results", allow=[name for name in FAULTS if name != fault])
    assert not (tmp_path / "results").exists()
    assert publish(source, tmp_path / "results", allow=[fault]).exists()


def test_unknown_fault_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown fault 'stael'; did you mean 'stale'\?"):
        publish(run(tmp_path / "run"), tmp_path / "results", allow=["stael"])


def test_other_records_of_suite_and_device_are_replaced_only_when_asked(tmp_path: Path) -> None:
    results = tmp_path / "results"
    target = publish(run(tmp_path / "first"), results)
    before = contents(results)
    assert publish(run(tmp_path / "first"), results) == target  # the same once more
    assert contents(results) == before
    other = run(tmp_path / "second", accuracy=0.5)
    with pytest.raises(InputError, match=r"cpu-chip-2: other records of this suite and device .* \(--replace\)"):
        publish(other, results)
    assert contents(results) == before
    publish(other, results, replace=True)
    assert load(target).equals(load(other))


def test_other_devices_and_suites_stay(tmp_path: Path) -> None:
    results = tmp_path / "results"
    publish(run(tmp_path / "cpu"), results)
    publish(run(tmp_path / "other", "other"), results)
    before = contents(results / "other")
    target = publish(run(tmp_path / "gpu", origin=GPU), results)
    assert contents(results / "other") == before
    assert set(load(target)["device"]) == {"Chip (2 CPU cores)", "Fast (1 gpu device(s))"}


def test_index_tells_of_every_run_and_keeps_what_stands_around(tmp_path: Path) -> None:
    results = tmp_path / "results"
    publish(run(tmp_path / "b", "beta"), results)
    index = results / "README.md"
    assert index.read_text().startswith(f"# Published results\n\n{BEGIN}\n\n## Beta\n\nDoes it run?\n\n- Depth 2: ")
    index.write_text(index.read_text().replace("# Published", "# Our").replace(END, f"{END}\n\nAfterwards."))
    publish(run(tmp_path / "a", "alpha"), results)
    text = index.read_text()
    assert text.startswith("# Our results\n")
    assert text.endswith(f"{END}\n\nAfterwards.\n")
    assert text.index("## Alpha") < text.index("[table](alpha/table.md)") < text.index("## Beta")
    assert text.count(BEGIN) == text.count("## Beta") == 1
    assert "| he " in text
    assert "measured on 2026-01-01" in text


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", "..", "", "/etc", "a\\b", ".hidden", "nul", "a\nb"])
def test_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"run: the suite's name '.*' cannot be the name of a folder: "):
        publish(run(tmp_path / "run", name), tmp_path / "results")
    assert not (tmp_path / "results").exists()
    assert not (tmp_path / "elsewhere").exists()


def test_damaged_record_stops_publishing_before_anything_is_written(tmp_path: Path) -> None:
    source = run(tmp_path / "run")
    sorted(source.glob("*/cells/*.json"))[0].write_text("{")
    with pytest.raises(InputError, match="damaged record"):
        publish(source, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_place_that_cannot_be_written_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(InputError, match=r"results.*: cannot publish here: "):
        publish(run(tmp_path / "run"), tmp_path / "results")


def test_command_publishes_and_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, results = run(tmp_path / "run"), tmp_path / "results"
    dirty(source)
    for options, code, said in (([], 2, "not fit"), (["--allow=dirty"], 0, f"published: {results / 'tiny'}")):
        monkeypatch.setattr("sys.argv", ["vgbench", "publish", str(source), str(results), *options])
        with pytest.raises(SystemExit) as ended:
            main()
        reported = capsys.readouterr()
        assert (ended.value.code or 0) == code
        assert said in reported.out + reported.err


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publishing with a report that says next to nothing, from the records all the same."""

    def report(target: Path, *_: Any, **__: Any) -> None:
        text = repr([entry.cell and entry.cell.training for run in read_runs(target) for entry in run.entries])
        (target / "table.md").write_bytes(text.encode())

    monkeypatch.setattr("vgbench.report.publish.write_report", report)
    monkeypatch.setattr("vgbench.report.publish.section", lambda folder: f"## {folder.name}\n")
    monkeypatch.setattr("vgbench.report.publish.faults", lambda runs: {})


@pytest.fixture
def published_before(tmp_path: Path) -> tuple[Path, Path, dict[str, bytes], dict[str, bytes]]:
    """Results with a run, another run to be published in its place, and the records of both."""
    case = Case(depth=2, width=4, seeds=(0, 1), learning_rates=(0.1, 0.2))
    first, second = (
        write_run(tmp_path / name, [("baseline", measured(case, accuracy))], origin=CLEAN)
        for name, accuracy in (("first", 0.95), ("second", 0.5))
    )
    publish(first, tmp_path / "results")
    return tmp_path / "results", second, published_records(first), published_records(second)


@pytest.mark.usefixtures("light")
def test_publishing_on_a_full_disk_keeps_the_old_run_or_puts_the_new_one_in_its_place(
    published_before: tuple[Path, Path, dict[str, bytes], dict[str, bytes]],
) -> None:
    results, second, old, new = published_before
    size = sum(map(len, new.values()))
    for room in range(0, size, size // 12):
        with Disk(room=room) as disk:
            assert disk.stops(lambda: publish(second, results, replace=True))
        assert records(results / "tiny") == old
    assert records(publish(second, results, replace=True)) == new


@pytest.mark.usefixtures("light")
def test_killed_publication_loses_neither_run_and_the_same_command_completes_it(
    published_before: tuple[Path, Path, dict[str, bytes], dict[str, bytes]], tmp_path: Path
) -> None:
    results, second, old, new = published_before
    seen = []
    for steps in itertools.count():
        again = shutil.copytree(results, tmp_path / "again")
        with Disk(steps=steps) as disk:
            killed = disk.stops(lambda: publish(second, again, replace=True))  # noqa: B023
        restored = shutil.copytree(again, tmp_path / "restored")
        restore_folders(restored / "tiny")
        seen.append(records(restored / "tiny"))
        assert records(publish(second, again, replace=True)) == new
        assert [path.name for path in (again / "tiny").iterdir() if path.name.startswith(".")] == []
        for each in (again, restored):
            shutil.rmtree(each)
        if not killed:
            break
    assert all(each in (old, new) for each in seen)
    assert seen[0] == old
    assert seen[-1] == new


def test_published_records_in_the_old_form_are_the_same_records(tmp_path: Path) -> None:
    target = publish(run(tmp_path / "run"), tmp_path / "results")
    before = contents(tmp_path / "results")
    for path in target.glob("*/c*s/*.json.gz"):
        plain = path.with_suffix("")
        plain.write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
        two_files(plain)
    publish(run(tmp_path / "run"), tmp_path / "results")
    assert contents(tmp_path / "results") == before


@pytest.mark.parametrize("field", ["cell_id", "reference_id", "cost_id"])
def test_manifest_that_leads_out_of_the_run_publishes_nothing(tmp_path: Path, field: str) -> None:
    source = run(tmp_path / "run")
    (tmp_path / "settings.json").write_text("{}")
    spoil_manifest(source, **{field: "../../../settings"})
    with pytest.raises(InputError, match=rf"manifest\.json: not a valid record \(rows\.0\.{field}: "):
        publish(source, tmp_path / "results", allow=FAULTS)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("linked", ["tiny", "tiny/cpu-chip-2"])
def test_nothing_is_published_through_a_symbolic_link(tmp_path: Path, linked: str) -> None:
    elsewhere, link = tmp_path / "elsewhere", tmp_path / "results" / linked
    elsewhere.mkdir()
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    with pytest.raises(InputError, match=r"leads out of|holds other things"):
        publish(run(tmp_path / "run"), tmp_path / "results", replace=True)
    assert list(elsewhere.iterdir()) == []


def test_other_things_are_neither_replaced_nor_written_over(tmp_path: Path) -> None:
    results = tmp_path / "results"
    notes = publish(run(tmp_path / "first"), results) / "cpu-chip-2" / "notes.md"
    notes.write_text("mine")
    with pytest.raises(InputError, match=r"notes\.md: is no record, and would go with those that are replaced"):
        publish(run(tmp_path / "second", accuracy=0.5), results, replace=True)
    assert notes.read_text() == "mine"
    (results / "other").mkdir()
    (results / "other" / "table.tex").write_text("mine")
    (results / "other" / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match=r"other: holds other things than a run \(thesis\.tex\); rename the suite"):
        publish(run(tmp_path / "third", "other"), results)


def test_two_publications_at_a_time_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vgbench.harness.run_lock._PATIENCE_SECONDS", 0.0)
    (tmp_path / "results").mkdir()
    with locked(tmp_path / "results"), pytest.raises(InputError, match="results: another run is at work here"):
        publish(run(tmp_path / "run"), tmp_path / "results")


def test_check_says_what_is_wrong_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = run(tmp_path / "run")
    before = contents(tmp_path)
    assert check(source) == {}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sys.argv", ["vgbench", "publish", str(source), "--check"])
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == 0
    assert "fit to be published" in capsys.readouterr().out
    assert contents(tmp_path) == before
    incomplete(source)
    dirty(source)
    assert set(check(source)) == {"incomplete", "dirty"}


@pytest.mark.parametrize("verb", ["publish", "compare"])
def test_records_of_a_gpu_are_read_where_there_is_none(tmp_path: Path, verb: str) -> None:
    source, results = run(tmp_path / "run", origin=GPU), tmp_path / "results"
    place = [source, results] if verb == "publish" else [source, source, "--across-devices"]
    # A process that started this backend would end with an error, since it is not here.
    environment = {**os.environ, "JAX_PLATFORMS": "cuda"}
    command = [sys.executable, "-m", "vgbench", verb, *map(str, place)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    if verb == "publish":
        assert check(source) == {}
        assert records(results / "tiny").items() >= published_records(source).items()
        assert "Fast (1 gpu device(s))" in (results / "README.md").read_text()
    else:
        assert "0 worse, 0 better" in done.stdout
