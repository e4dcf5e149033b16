"""Publishing: only what is clean and whole, nothing overwritten unasked, and an index that tells of all there is."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.made import ORIGIN, measured, write_run

from vgbench.cli import main
from vgbench.errors import InputError
from vgbench.records.provenance import source_digest
from vgbench.records.schema import CellRecord, Device, Provenance
from vgbench.records.store import read_record, write_record
from vgbench.report import load, write_report
from vgbench.report.publish import BEGIN, END, FAULTS, publish
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
    assert {name: content for name, content in there.items() if "/" in name} == contents(source)
    assert set(there) - set(contents(source)) == {"table.md", "table.csv", "table.tex"}
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


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", "..", ""])
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
        told = capsys.readouterr()
        assert (ended.value.code or 0) == code
        assert said in told.out + told.err
