"""Reports: the numbers of the records, in words, tables and pictures."""

import dataclasses
import re
import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.made import BASE, DEVICE, HE, ORIGIN, TEXT, cost, gradients, measured, training, write_run
from rich.console import Console

import vgbench
from vgbench.errors import InputError
from vgbench.measure.cost import cost_id
from vgbench.measure.training import TrainingCurves
from vgbench.records.origin import Device
from vgbench.records.runs import read_runs
from vgbench.records.schema import CellRecord, CostRecord, Manifest, Row
from vgbench.records.store import Folder, device_folders, read_record, write_record
from vgbench.report import charts, frames
from vgbench.report.charts.places import places
from vgbench.report.columns import COLUMNS
from vgbench.report.frames import load
from vgbench.report.headlines import MANY, headlines
from vgbench.report.markdown import markdown
from vgbench.report.tables import display, halves, header, legend
from vgbench.report.terminal import terminal
from vgbench.report.write import FORMATS, write_report
from vgbench.spec.case import Case
from vgbench.spec.metric import ACCURACY
from vgbench.statistics import t_interval

OUTPUTS = ("table.md", "table.csv", "report.html")
WHENCE = "Chip (2 CPU cores); vgbench 0.1 (commit abc); Python 3.11, jax 1.2, numpy 3.4; measured on 2026-01-01"
AS_TEXT = ("md", "csv")
NAMES = [column.name for column in COLUMNS]
ALWAYS = [
    column.shown.of_metric(ACCURACY).heading for column in COLUMNS if column.shown and column.shown.when == "always"
]
HOSTILE = ["<script>alert(1)</script>", "a|b", "a\\|b", "[/red]", "[bold]x", "`x`", "=1+1", '"x"', "x,y"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of a baseline that fails for one seed, and a mitigation that trains at one and a half times the cost."""
    out = tmp_path / "run"
    folder, rows = Folder(out / DEVICE.slug), []
    measured = (
        ("baseline", BASE, gradients([-1.0, -0.5], [-2.0, -1.0]), training(0.5, 0.95), 1.0),
        ("he", HE, gradients([-1.0, -1.0], [-1.0, -1.0]), training(0.9, 1.0), 1.5),
    )
    for name, case, profile, curves, ratio in measured:
        cell = CellRecord(case, "ok", "", profile, None, curves, ORIGIN, "2026-01-01T00:00:00+00:00", 1.0, 1)
        pair = CostRecord(case, BASE, "ok", "", cost(ratio), ORIGIN, "2026-01-01T00:00:00+00:00", 1.0, 1)
        axes = {"depth": 2, "activation": "tanh"}
        rows.append(Row(len(rows), name, axes, case.cell_id, BASE.cell_id, cost_id(case, BASE)))
        write_record(folder.cell(case.cell_id), cell)
        write_record(folder.cost(rows[-1].cost_id), pair)
    write_record(folder.manifest, Manifest("tiny", "Tiny", "Does it run?", tuple(rows), ORIGIN))
    return out


def folder_of(out: Path) -> Folder:
    return device_folders(out)[0]


def manifest_of(out: Path) -> Manifest:
    return read_record(folder_of(out).manifest, Manifest)


def outputs(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in OUTPUTS}


def row(**values: Any) -> dict[str, Any]:
    """A row of a frame: a trained cell, but for `values`."""
    base = {
        **dict.fromkeys(NAMES, float("nan")),
        **{
            "suite": "tiny",
            "device": "Chip",
            "mitigation": "baseline",
            "reference": "baseline",
            "depth": 4,
            "width": 8,
        },
        "cell_id": "0",
        **{"status": "ok", "reason": "", "decay": -0.25, "decay_low": -0.5, "decay_high": 0.0},
        **{"log10_first_over_last": -0.75, "seeds": 3, "trained": 0, "target": 0.9, "learning_rate": 0.01},
        **{"learning_rate_at_edge": False, "metric": "accuracy", "test_metric": 0.5, "against_best": "worse"},
        **{"form": "unroll"},
        **{"step_ratio": 1.0, "step_ratio_low": 0.9, "step_ratio_high": 1.1},
    }
    assert list(base) == NAMES
    return {**base, **values}


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(list(rows))


def sentences(data: pd.DataFrame, *axes: str) -> list[str]:
    return headlines(data, axes or ("depth",))


def rename(out: Path, **fields: Any) -> None:
    """Change what the manifest of a run says."""
    write_record(folder_of(out).manifest, dataclasses.replace(manifest_of(out), **fields))


def call_the_mitigation(out: Path, name: str) -> None:
    rows = manifest_of(out).rows
    rename(out, rows=(rows[0], dataclasses.replace(rows[1], mitigation=name)))


def table_lines(text: str) -> list[list[str]]:
    """The lines of each table of a page: what rows are worth, and what they cost."""
    return [table.split("\n") for table in re.findall(r"^\|.*\|$(?:\n^\|.*\|$)+", text, re.MULTILINE)]


def borders(line: str) -> int:
    """How many bars of a line of Markdown are no text."""
    return len(re.findall(r"(?<!\\)(?:\\\\)*\|", line))


def printed(table: pd.DataFrame, title: str = "Title") -> str:
    console = Console(file=StringIO(), width=500)
    console.print(terminal(table, title))
    return console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]


# Frames.


def test_load_gives_the_documented_columns_after_the_other_axes(run: Path) -> None:
    assert list(load(run).columns) == ["activation", *NAMES]


def test_load_gives_a_row_for_each_cell_in_the_order_of_the_suite(run: Path) -> None:
    data = load(run)
    assert list(data["mitigation"]) == ["baseline", "he"]
    assert list(data["activation"]) == ["tanh", "tanh"]
    assert list(data["cell_id"]) == [BASE.cell_id, HE.cell_id]
    assert set(data["suite"]) == {"tiny"}
    assert set(data["status"]) == {"ok"}


def test_load_gives_the_numbers_of_the_records(run: Path) -> None:
    baseline, he = load(run).to_dict("records")
    expected = {
        **{
            "depth": 2,
            "width": 4,
            "seeds": 2,
            "target": 0.9,
            "metric": "accuracy",
            "learning_rate": 0.2,
            "learning_rate_at_edge": True,
            "reason": "",
        },
        **{"decay": -0.75, "log10_first_over_last": -0.75, "trained": 1, "test_metric": pytest.approx(0.725)},
        **{"form": "unrolled", "step_ratio": 1.0, "examples_per_second": 16000.0, "compile_seconds": 0.875},
        **{"parameters": 90, "step_flops": 3200, "temporary_bytes": 77, "device": "Chip (2 CPU cores)"},
    }
    assert {name: baseline[name] for name in expected} == expected
    assert pd.isna([baseline["plain_zero_layer"], baseline["forward_limit"]]).all()
    assert (he["decay"], he["trained"], he["step_ratio"]) == (pytest.approx(0), 2, pytest.approx(1.5))


def test_load_gives_t_intervals_over_seeds(run: Path) -> None:
    baseline, _ = load(run).to_dict("records")
    expected = t_interval(np.asarray([-0.5, -1.0]))
    assert (baseline["decay"], baseline["decay_low"], baseline["decay_high"]) == pytest.approx(tuple(expected))
    assert baseline["decay_low"] < -1 < baseline["decay"] < -0.5 < baseline["decay_high"]


def test_bits_per_byte_gain_where_they_fall(tmp_path: Path) -> None:
    peri = TEXT.model_copy(update={"model": TEXT.model.model_copy(update={"order": "peri_norm"})})
    cells = [("baseline", measured(TEXT, 2.5)), ("peri_norm", measured(peri, 2.25))]
    data = load(write_run(tmp_path, cells))
    assert data.loc[1, "metric_gain"] == pytest.approx(0.25)
    assert data["against_best"].tolist() == ["worse", "best"]
    assert data["trained"].tolist() == [2, 2]
    assert data["metric"].unique().tolist() == ["bits/byte"]


def test_accuracy_gain_is_paired_by_seed_and_empty_for_the_baseline(run: Path) -> None:
    names = ["metric_gain", "metric_gain_low", "metric_gain_high"]
    data = load(run)
    assert tuple(data.loc[1, names]) == pytest.approx(tuple(t_interval(np.asarray([0.4, 0.05]))), rel=1e-5)
    assert data.loc[0, names].isna().all()


def measured_again(out: Path, index: int, curves: TrainingCurves | None) -> None:
    """Replace the training of a row's cell."""
    path = folder_of(out).cell(manifest_of(out).rows[index].cell_id)
    status = "ok" if curves else "crashed"
    write_record(path, dataclasses.replace(read_record(path, CellRecord), training=curves, status=status))


def test_frame_says_how_rows_compare_with_the_best(run: Path) -> None:
    assert list(load(run)["against_best"]) == ["undecided", "best"]
    measured_again(run, 0, training(0.75, 0.875))  # an eighth lower with both seeds
    measured_again(run, 1, training(0.875, 1.0))
    assert list(load(run)["against_best"]) == ["worse", "best"]
    measured_again(run, 0, training(0.859375, 0.984375))
    assert list(load(run)["against_best"]) == ["within", "best"]


def test_decay_of_nothing_but_rounding_reads_zero(run: Path) -> None:
    noise = gradients([-1.0 + 2.0**-52, -1.0], [-1.0, -1.0 + 2.0**-53])
    rewrite(folder_of(run), lambda record: dataclasses.replace(record, gradients=noise), "cell")
    decays = load(run)[["decay", "decay_low", "decay_high"]].to_numpy()
    assert {str(value) for value in decays.ravel().tolist()} == {"0.0"}


def test_frame_compares_within_axes_and_devices_only(run: Path) -> None:
    measured_again(run, 0, training(0.75, 0.875))
    measured_again(run, 1, training(0.875, 1.0))
    one, other = manifest_of(run).rows
    rename(run, rows=(one, dataclasses.replace(other, axes={"depth": 2, "activation": "relu"})))
    assert list(load(run)["against_best"]) == ["best", "best"]
    rename(run, rows=(one,))
    shutil.copytree(folder_of(run).path, run / "gpu")
    rename(run, rows=(other,))
    assert list(load(run)["against_best"]) == ["best", "best"]


def test_frame_says_nothing_of_a_row_without_training(run: Path) -> None:
    measured_again(run, 0, None)
    data = load(run)
    assert pd.isna(data.loc[0, "against_best"])
    assert data.loc[1, "against_best"] == "best"


def test_page_sets_the_accuracy_of_the_best_in_bold_where_every_seed_reaches_the_target(run: Path) -> None:
    measured_again(run, 0, training(0.8125, 0.875))
    measured_again(run, 1, training(0.9375, 1.0))
    write_report(run, AS_TEXT)
    *_, baseline, he = table_lines((run / "table.md").read_text())[0]
    assert "**" not in baseline
    assert re.findall(r"\| +\*\*(.*?)\*\* \|", he) == ["0.969 [0.572, 1.000]"]
    measured_again(run, 1, training(0.875, 0.9375))  # still the best, but one seed fails
    write_report(run, AS_TEXT)
    assert not re.search(r"\| +\*\*", (run / "table.md").read_text())


def test_missing_records_are_rows_of_status_missing(run: Path) -> None:
    _, row = manifest_of(run).rows
    folder_of(run).cell(row.cell_id).unlink()
    folder_of(run).cost(row.cost_id).unlink()
    data = load(run)
    assert list(data["status"]) == ["ok", "missing"]
    assert data.loc[1, ["decay", "trained", "test_metric", "step_ratio", "parameters"]].isna().all()
    assert data.loc[1, "depth"] == 2
    write_report(run, AS_TEXT)
    *_, ok, missing = table_lines((run / "table.md").read_text())[1]
    assert "- (missing)" in missing
    assert "missing" not in ok


def test_missing_baseline_leaves_the_gain_empty(run: Path) -> None:
    baseline, _ = manifest_of(run).rows
    folder_of(run).cell(baseline.cell_id).unlink()
    data = load(run)
    assert list(data["status"]) == ["missing", "ok"]
    assert data["metric_gain"].isna().all()
    assert data.loc[1, "test_metric"] >= 0


def test_run_of_which_nothing_is_measured_has_a_table_and_no_picture(run: Path) -> None:
    for name in ("cells", "costs"):
        shutil.rmtree(folder_of(run).path / name)
    written = write_report(run, pictures=("svg",))
    assert [path.name for path in written.files] == list(OUTPUTS)
    assert not (run / "pictures").exists()
    assert list(load(run)["status"]) == ["missing", "missing"]
    assert written.sentences == ["Depth 2, activation tanh: not measured."]


@pytest.mark.parametrize("kind", ["manifest", "cell", "cost"])
def test_damaged_record_is_named(run: Path, kind: str) -> None:
    folder, row = folder_of(run), manifest_of(run).rows[1]
    path = {"manifest": folder.manifest, "cell": folder.cell(row.cell_id), "cost": folder.cost(row.cost_id)}[kind]
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: damaged record "):
        load(run)
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: damaged record "):
        write_report(run)
    assert not (run / "table.md").exists()


def test_folder_without_records_is_named(tmp_path: Path) -> None:
    for read in (load, write_report):
        with pytest.raises(InputError, match=f"^{re.escape(str(tmp_path))}: no records here "):
            read(tmp_path)


def test_report_that_cannot_be_written_is_bad_input(run: Path) -> None:
    (run / "table.csv").mkdir()
    with pytest.raises(InputError, match=r"table\.csv.*: cannot write the report: "):
        write_report(run)


# Files.


def test_report_twice_is_the_same_byte_for_byte(run: Path) -> None:
    write_report(run)
    before = outputs(run)
    write_report(run)
    assert outputs(run) == before


def test_frame_is_computed_and_pictures_are_drawn_once_a_report(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    compute, draw = frames.columns_of, charts.PICTURES["benefit"].draw
    monkeypatch.setattr(frames, "columns_of", lambda names: done.append("frame") or compute(names))
    counted = charts.Picture("Drawn", lambda *given: done.append("picture") or draw(*given))
    monkeypatch.setitem(charts.PICTURES, "benefit", counted)
    write_report(run, FORMATS, pictures=("html",))
    assert sorted(done) == ["frame", "picture"]


def test_report_depends_on_the_records_alone(run: Path) -> None:
    write_report(run)
    elsewhere = shutil.copytree(run, run.parent / "elsewhere", ignore=shutil.ignore_patterns(*OUTPUTS))
    write_report(elsewhere)
    assert outputs(elsewhere) == outputs(run)


def test_csv_holds_the_whole_frame_to_seven_digits_and_counts_in_full(run: Path) -> None:
    write_report(run, AS_TEXT)
    data = load(run)
    read = pd.read_csv(run / "table.csv", dtype={"cell_id": str}, keep_default_na=True, na_values=[""])
    assert list(read.columns) == list(data.columns)
    for name in ("decay", "step_ratio", "compile_seconds", "test_metric"):
        assert list(read[name]) == pytest.approx(list(data[name]), rel=5e-7, nan_ok=True)
    assert list(read["temporary_bytes"]) == list(data["temporary_bytes"])


def test_page_holds_title_question_findings_table_legend_and_origin(run: Path) -> None:
    written = write_report(run, AS_TEXT)
    text = (run / "table.md").read_text()
    assert text.startswith("# Tiny\n\nDoes it run?\n\n- Depth 2, activation tanh: ")
    assert f"\n- {written.sentences[0]}\n" in text
    assert list(map(len, table_lines(text))) == [4, 4]
    assert all(f"- **{name}**: {meaning}\n" in text for name, meaning in legend(*halves(written.table)).items())
    assert f"\n\n{WHENCE}\n\n" in text


def test_report_says_what_it_wrote(run: Path) -> None:
    written = write_report(run)
    assert written.title == "Tiny"
    assert written.files == [run / name for name in OUTPUTS]
    assert all(path.is_file() for path in written.files)
    assert list(written.table["mitigation"]) == ["baseline", "he"]


def rewrite(folder: Folder, change: Callable[[Any], Any], kind: str = "*") -> None:
    """Change the manifest and the records of a run."""
    forms = {"manifest.json": Manifest, "cells": CellRecord, "costs": CostRecord}
    for path in [folder.manifest, *folder.path.glob("*/*.json")]:
        name = path.name if path == folder.manifest else path.parent.name
        if kind in ("*", name.removesuffix("s")):
            write_record(path, change(read_record(path, forms[name])))


def test_two_devices_share_a_report(run: Path) -> None:
    one = folder_of(run)
    shutil.copytree(one.path, run / "gpu")
    other = dataclasses.replace(ORIGIN, device=Device("gpu", "Fast", 1))
    rewrite(Folder(run / "gpu"), lambda record: dataclasses.replace(record, provenance=other))
    written = write_report(run, AS_TEXT)
    assert list(written.table["origin"]) == ["1", "1", "2", "2"]
    assert written.footer == [f"({i}) {each}; measured on 2026-01-01" for i, each in enumerate((ORIGIN, other), 1)]
    assert not load(run)["mixed"].any()
    assert [sentence.partition(":")[0] for sentence in written.sentences] == [
        "Chip (2 CPU cores), depth 2, activation tanh; Fast (1 gpu device(s)), depth 2, activation tanh",
        "On 2 devices, 1 of 1 step ratios carries over, 0 do not, and 0 are unclear.",
    ]
    assert list(written.table["device"]) == list(load(run)["device"])
    assert list(load(run)["device"]) == [str(DEVICE)] * 2 + ["Fast (1 gpu device(s))"] * 2


def test_two_processors_of_one_name_are_distinguished_and_never_compared(run: Path) -> None:
    one = folder_of(run)
    known = dataclasses.replace(DEVICE, model="family 6 model 85", instructions=("avx2",))
    shutil.copytree(one.path, run / known.slug)
    origin = dataclasses.replace(ORIGIN, device=known)
    rewrite(Folder(run / known.slug), lambda record: dataclasses.replace(record, provenance=origin))
    data, written = load(run), write_report(run, AS_TEXT)
    names = [f"{DEVICE} [model unknown]", f"{DEVICE} [{known.code}]"]
    assert list(data["device"]) == [names[0]] * 2 + [names[1]] * 2
    assert list(data["device_code"]) == [""] * 2 + [known.code] * 2
    assert all(f"{name}, depth" in written.sentences[0] for name in names)
    assert ["family 6 model 85" in line for line in written.footer] == [False, True]
    assert {words["panel"] for words, _ in places(read_runs(run), "activation", "depth")} == {*names}


@pytest.mark.parametrize("kind", ["cell", "cost"])
def test_row_of_another_version_is_marked_and_its_origin_reported(run: Path, kind: str) -> None:
    older = dataclasses.replace(ORIGIN, packages={"jax": "1.1", "numpy": "3.4"})
    folder = folder_of(run)
    path = sorted((folder.path / f"{kind}s").glob("*.json"))[0]
    record = read_record(path, CellRecord if kind == "cell" else CostRecord)
    write_record(path, dataclasses.replace(record, provenance=older))
    written, marked = write_report(run, AS_TEXT), load(run)["mixed"]
    assert marked.sum() == 1
    assert [name.endswith(" (mixed)") for name in written.table["mitigation"]] == list(marked)
    assert {line[4:].rpartition("; ")[0] for line in written.footer} == {str(older), str(ORIGIN)}
    reported = written.table["origin"][int(marked.to_numpy().argmax())].split(", ")
    assert any(line.startswith(f"({number}) {older};") for number in reported for line in written.footer)


def test_what_is_not_ok_is_reported_with_its_reason_on_page_and_terminal(run: Path) -> None:
    folder = folder_of(run)
    late = {"status": "timeout", "reason": "too | slow", "cost": None}
    rewrite(folder, lambda record: dataclasses.replace(record, **late), kind="cost")
    written = write_report(run, AS_TEXT)
    assert [line.partition(":")[2] for line in written.failures] == [" timeout: too | slow"] * len(written.table)
    assert all(line.startswith("timing ") for line in written.failures)
    assert not written.all_ok
    page = (run / "table.md").read_text()
    assert page.count(": timeout: too \\| slow\n") == len(written.table)
    assert set(load(run)["cost_status"]) == {"timeout"}


def test_days_on_which_records_were_made_stand_below_the_table(run: Path) -> None:
    folder = folder_of(run)
    path = sorted((folder.path / "cells").glob("*.json"))[0]
    later = dataclasses.replace(read_record(path, CellRecord), started="2026-03-04T05:06:07+00:00")
    write_record(path, later)
    assert write_report(run, AS_TEXT).footer == [f"{WHENCE} to 2026-03-04"]


def test_unknown_format_names_those_there_are(run: Path) -> None:
    with pytest.raises(InputError, match=r"^unknown format 'mdd'; did you mean 'md'\? \(choose from: "):
        write_report(run, formats=("mdd",))
    assert not (run / "table.md").exists()


# LaTeX.


def tex_of(out: Path) -> str:
    write_report(out, formats=("latex",))
    return (out / "table.tex").read_text()


def test_latex_is_booktabs_tables_of_equal_rows_with_origin_below(run: Path) -> None:
    text = tex_of(run)
    tables = re.findall(r"\\begin\{table\}.*?\\end\{table\}", text, re.DOTALL)
    assert len(tables) == 2
    for table in tables:
        rules = re.findall(r"\\(top|mid|bottom)rule", table)
        assert rules == ["top", "mid", "bottom"]
        alignment = re.search(r"\\begin\{tabular\}\{([lr]+)\}", table)
        assert alignment
        rows = re.findall(r"^ *(\S.*) \\\\$", table, re.MULTILINE)
        assert [row.count(" & ") + 1 for row in rows] == [len(alignment[1])] * 3
        assert "measured on 2026-01-01" in table.partition(r"\bottomrule")[2]
        assert table.count(r"\caption{Tiny. ") == table.count(r"\label{tab:tiny-") == 1
    for name in ("tabular", "table", "adjustbox", "itemize"):
        assert text.count(rf"\begin{{{name}}}") == text.count(rf"\end{{{name}}}") > 0


def test_latex_opens_with_the_findings(run: Path) -> None:
    text = tex_of(run)
    assert text.index(r"\item Depth 2, activation tanh: the cheapest mitigation") < text.index(r"\begin{table}")


def test_latex_keeps_the_bold_of_the_best(run: Path) -> None:
    measured_again(run, 0, training(0.8125, 0.875))
    measured_again(run, 1, training(0.9375, 1.0))
    assert re.findall(r"\\textbf\{(.*?)\}", tex_of(run)) == [r"0.969 [0.572, 1.000]"]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a_b & 50% #1 $x$", r"a\_b \& 50\% \#1 \$x\$"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("~^", r"\textasciitilde{}\textasciicircum{}"),
        ("a\n\nb", "a b"),
        ("-0.5 a-5", "$-$0.5 a-5"),
    ],
)
def test_latex_escapes_what_would_break_a_document(run: Path, name: str, written: str) -> None:
    call_the_mitigation(run, name)
    assert f" & {written} & " in tex_of(run)


# Sentences.


def test_cheapest_mitigation_that_trains_is_named_with_its_cost() -> None:
    rows = (
        row(),
        row(mitigation="dear", trained=3, step_ratio=2.0),
        row(mitigation="cheap", trained=3, step_ratio=1.234, step_ratio_low=1.2, step_ratio_high=1.3),
        row(mitigation="cheaper but fails", trained=2, step_ratio=0.5),
    )
    assert sentences(frame(*rows)) == [
        "Depth 4: the cheapest mitigation that trains (90% test accuracy with every seed) is cheap,"
        " whose step takes 1.23 [1.20, 1.30] times as long as that of the baseline; the baseline itself does not train."
    ]


def test_training_baseline_is_said_and_is_no_mitigation() -> None:
    rows = (row(trained=3, step_ratio=0.1), row(mitigation="adam", trained=3))
    (sentence,) = sentences(frame(*rows))
    assert "is adam, whose step takes 1.00" in sentence
    assert sentence.endswith("; the baseline itself trains.")


def test_nothing_that_trains_is_said() -> None:
    rows = (row(trained=2), row(mitigation="adam", trained=1, test_metric=0.85), row(mitigation="sgd", test_metric=0.1))
    assert sentences(frame(*rows)) == [
        "Depth 4: no mitigation reaches 90% test accuracy with every seed; the baseline itself does not train."
        " Closest is adam, with 85% on average."
    ]


def test_what_does_no_better_than_chance_is_close_to_no_target() -> None:
    rows = [row(mitigation=name, trained=0, none_better_than_chance=True) for name in ("baseline", "adam")]
    assert sentences(frame(*rows))[0].endswith("; the baseline itself does not train.")


def test_baseline_that_alone_trains_is_said() -> None:
    rows = (row(trained=3), row(mitigation="adam", trained=1))
    assert sentences(frame(*rows)) == [
        "Depth 4: no mitigation reaches 90% test accuracy with every seed; the baseline itself trains."
    ]


def test_mitigation_that_trains_but_is_not_timed_is_not_called_cheapest() -> None:
    nan = float("nan")
    rows = (
        row(),
        row(mitigation="untimed", trained=3, step_ratio=nan),
        row(mitigation="timed", trained=3, step_ratio=7.0),
    )
    assert "is timed, whose step takes 7.00" in sentences(frame(*rows))[0]


def test_what_trains_without_being_timed_is_not_denied() -> None:
    nan = float("nan")
    untimed = [row(mitigation=name, trained=3, step_ratio=nan) for name in ("adam", "relu")]
    assert sentences(frame(row(), *untimed)) == [
        "Depth 4: adam, relu train (90% test accuracy with every seed) but were not timed; the baseline itself does"
        " not train."
    ]
    assert sentences(frame(row(trained=3), untimed[0])) == [
        "Depth 4: adam trains (90% test accuracy with every seed) but was not timed; the baseline itself trains."
    ]
    (sentence,) = sentences(frame(row(), row(mitigation="timed", trained=3, step_ratio=1.5), *untimed))
    assert "is timed, whose step takes 1.50" in sentence
    assert sentence.endswith("; the baseline itself does not train. Also, adam, relu train but were not timed.")


def test_run_without_any_timing_does_not_say_so_of_every_mitigation() -> None:
    nan = float("nan")
    rows = row(trained=3, step_ratio=nan), row(mitigation="adam", trained=3, step_ratio=nan)
    assert sentences(frame(*rows)) == [
        "Depth 4: 90% test accuracy with every seed is reached with adam; the baseline itself trains."
    ]


def test_rows_with_one_reference_are_compared_among_themselves() -> None:
    rows = (
        row(),
        row(mitigation="relu", trained=3, step_ratio=2.0),
        row(mitigation="convnet", reference="convnet", trained=3),
        row(mitigation="convnet_relu", reference="convnet", trained=3, step_ratio=1.25),
    )
    cheapest = "the cheapest mitigation that trains (90% test accuracy with every seed) is"
    assert sentences(frame(*rows)) == [
        f"Depth 4: {cheapest} relu, whose step takes 2.00 [0.90, 1.10] times as long as that of the baseline;"
        " the baseline itself does not train.",
        f"Depth 4, compared with convnet: {cheapest} convnet_relu, whose step takes 1.25 [0.90, 1.10] times as long as"
        " that of convnet; convnet itself trains.",
    ]


def test_row_whose_reference_has_other_swept_values_is_described_alone() -> None:
    rows = (row(init="he"), row(init="critical", mitigation="critical_gain", trained=3), row(reference=float("nan")))
    assert sentences(frame(*rows), "init") == [
        "Depth 4, init he: the baseline does not reach 90% test accuracy with every seed.",
        "Depth 4, init critical: critical_gain reaches 90% test accuracy with every seed.",
    ]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"trained": 3}, "rnn reaches 90% test accuracy with every seed."),
        ({"trained": 2}, "rnn does not reach 90% test accuracy with every seed."),
        ({"trained": float("nan")}, "rnn was not trained; its gradient changes by -0.2500 decades a layer."),
        ({"trained": float("nan"), "status": "missing"}, "rnn was not measured."),
    ],
)
def test_reference_of_no_other_row_is_described_alone(values: dict[str, Any], sentence: str) -> None:
    assert sentences(frame(row(mitigation="rnn", reference="rnn", **values))) == [f"Depth 4: {sentence}"]


def test_baseline_that_was_not_trained_is_not_said_to_fail() -> None:
    rows = (row(trained=float("nan"), status="crashed"), row(mitigation="relu", trained=3))
    assert sentences(frame(*rows))[0].endswith("; the baseline was not trained.")


def test_step_of_the_flattest_gradient_is_compared_with_that_of_its_reference() -> None:
    bare = {"reference": "bare", "trained": float("nan")}
    rows = (row(mitigation="bare", **bare), row(mitigation="post_norm", decay=0.0, step_ratio=1.5, **bare))
    assert sentences(frame(*rows))[0].endswith("its step takes 1.50 times as long as that of bare).")


def test_flattest_gradient_of_the_reference_itself_has_no_cost() -> None:
    rows = (row(trained=float("nan"), decay=0.0, step_ratio=1.01), row(mitigation="relu", trained=float("nan")))
    assert sentences(frame(*rows))[0].endswith("least with baseline (+0.0000 decades a layer).")


def test_untrained_depth_names_the_flattest_gradient() -> None:
    nan = float("nan")
    rows = (
        row(trained=nan, decay=-0.7),
        row(mitigation="relu", trained=nan, decay=0.01234, step_ratio=1.5),
        row(mitigation="norm", trained=nan, decay=-0.3),
    )
    assert sentences(frame(*rows)) == [
        "Depth 4: nothing was trained; the gradient changes least with relu (+0.0123 decades a layer; its step takes"
        " 1.50 times as long as that of the baseline)."
    ]


def test_of_gradients_that_differ_by_rounding_alone_the_first_is_the_flattest() -> None:
    nan = float("nan")
    rows = (row(trained=nan, decay=-2e-8), row(mitigation="relu", trained=nan, decay=1e-8))
    assert "least with baseline (+0.0000 decades" in headlines(frame(*rows), [])[0]


def test_untrained_depth_without_gradients_says_so() -> None:
    nan = float("nan")
    known = {"trained": nan, "decay": nan}
    assert sentences(frame(row(**known), row(mitigation="relu", **known))) == [
        "Depth 4: nothing was trained, and no gradient could be followed through the layers."
    ]
    assert sentences(frame(row(**known))) == [
        "Depth 4: the baseline was not trained, and no gradient could be followed through the layers."
    ]


def test_what_trains_though_its_gradient_vanishes_at_first_is_named() -> None:
    rows = [
        row(trained=3, log10_first_over_last=-4.5, log10_first_over_last_trained=-0.25),
        row(mitigation="gru", trained=3, log10_first_over_last=-12.0, log10_first_over_last_trained=0.0),
        row(mitigation="he", trained=3, log10_first_over_last=-3.5, log10_first_over_last_trained=0.0),
        row(mitigation="tanh", trained=2, log10_first_over_last=-12.0, log10_first_over_last_trained=-9.0),
    ]
    assert sentences(frame(*rows))[0].endswith(
        " What trains although its gradient vanishes at initialisation: baseline (first/last 10^-4.5, after training"
        " 10^-0.2), gru (first/last 10^-12.0, after training 10^+0.0)."
    )


def test_decay_of_a_recurrent_network_is_recognised_by_time_step() -> None:
    (sentence,) = sentences(frame(row(trained=float("nan"), family="recurrent")))
    assert "decades a time step" in sentence


def test_every_depth_has_a_sentence() -> None:
    nan = float("nan")
    rows = (row(), row(mitigation="adam", trained=3), row(depth=16, trained=nan), row(depth=16, trained=nan, decay=0.1))
    assert [sentence.partition(": ")[0] for sentence in sentences(frame(*rows))] == ["Depth 4", "Depth 16"]


def test_every_device_has_a_finding_of_its_own() -> None:
    rows = (row(), row(device="Other", trained=3))
    assert [sentence.partition(": ")[0] for sentence in sentences(frame(*rows))] == ["Chip, depth 4", "Other, depth 4"]


def test_places_with_the_same_finding_share_a_sentence() -> None:
    rows = (row(), row(depth=9), row(depth=12, trained=3))
    assert sentences(frame(*rows)) == [
        "Depth 4; depth 9: the baseline does not reach 90% test accuracy with every seed.",
        "Depth 12: the baseline reaches 90% test accuracy with every seed.",
    ]


def test_every_combination_of_swept_values_has_a_sentence_of_its_own() -> None:
    rows = [
        row(activation="relu"),
        row(activation="relu", mitigation="cheap", trained=3, step_ratio=0.5),
        row(activation="gelu", trained=3),
        row(activation="gelu", mitigation="dear", trained=3, step_ratio=2.0),
    ]
    relu, gelu = sentences(frame(*rows), "activation")
    assert relu.startswith("Depth 4, activation relu: ")
    assert "is cheap, whose step takes 0.50" in relu
    assert relu.endswith("the baseline itself does not train.")
    assert gelu.startswith("Depth 4, activation gelu: ")
    assert "is dear, whose step takes 2.00" in gelu
    assert gelu.endswith("the baseline itself trains.")


def test_rows_of_one_combination_that_stand_apart_share_a_sentence() -> None:
    rows = (row(), row(depth=9), row(mitigation="adam", trained=3))
    assert [sentence.partition(": ")[0] for sentence in sentences(frame(*rows))] == ["Depth 4", "Depth 9"]


def test_of_many_combinations_those_with_one_finding_share_a_sentence() -> None:
    rows = []
    for width in range(1, MANY + 2):
        trains = {"mitigation": "relu" if width > 3 else "adam", "trained": 3, "step_ratio": 1 + width / 10}
        rows += [row(width=width), row(width=width, **trains)]
    most, few = sentences(frame(*rows), "depth", "width")
    target = "(90% test accuracy with every seed)"
    assert most.startswith(
        f"In 10 of 13 comparisons the cheapest mitigation that trains {target} is relu; the baseline"
    )
    assert few == (
        f"In 3 of 13 comparisons the cheapest mitigation that trains {target} is adam; the baseline itself does not"
        " train (depth 4, width 1; depth 4, width 2; depth 4, width 3)."
    )
    assert len(sentences(frame(*rows[:-2]), "depth", "width")) == MANY
    rows += [row(width=MANY + 2), row(width=MANY + 2, mitigation="gelu", trained=3, step_ratio=1.5)]
    alone = sentences(frame(*rows), "depth", "width")[-1]
    assert alone.startswith(
        f"Depth 4, width {MANY + 2}: the cheapest mitigation that trains {target} is gelu, whose step"
    )


def test_of_many_findings_rows_that_nothing_is_compared_with_share_a_sentence() -> None:
    rows = [row(mitigation=name, reference=name, depth=depth) for name in "ab" for depth in range(1, MANY)]
    rows += [row(mitigation="c", reference="c", trained=3), row(), row(mitigation="relu", trained=3, step_ratio=1.5)]
    compared, failed, reached = sentences(frame(*rows))
    assert compared.startswith("Depth 4: the cheapest mitigation that trains")
    target = "reach 90% test accuracy with every seed, with no other row there to compare it with:"
    assert failed.startswith(f"What does not {target} a, depth 1")
    assert failed.count("depth") == 2 * (MANY - 1)
    assert reached == f"What {target.replace('reach', 'reaches', 1)} c, depth 4."


# Tables.


@pytest.mark.parametrize("status", ["diverged", "forward_underflow", "nonfinite", "crashed", "missing"])
def test_status_other_than_ok_shows_in_the_table(status: str) -> None:
    table = display(frame(row(), row(status=status), row(status=status, decay=float("nan"))))
    assert list(table["decay"]) == ["-0.2500 ± 0.2500", f"-0.2500 ± 0.2500 ({status})", f"- ({status})"]
    assert status in printed(table)
    assert status in markdown(table)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"trained": 2}, "2/3 at 0.01"),
        ({"trained": 3, "learning_rate_at_edge": True, "learning_rate": 0.000949}, "3/3 at 0.00095*"),
        ({"trained": 2, "diverged": 1}, "2/3 at 0.01, 1 diverged"),
        ({"trained": 0, "none_better_than_chance": True}, "0/3, none better than chance"),
        ({"trained": 2, "none_better_than_chance": True}, "2/3 at 0.01 (none better than chance)"),
        ({"trained": 0, "diverged": 2, "none_better_than_chance": True}, "0/3, 2 diverged, none better than chance"),
        ({"trained": float("nan")}, "-"),
    ],
)
def test_training_is_shown_as_seeds_and_rate(values: dict[str, Any], expected: str) -> None:
    assert list(display(frame(row(**values)))["trained"]) == [expected]


def test_numbers_are_shown_with_their_intervals() -> None:
    values = {
        "test_metric": 0.9,
        "test_metric_low": 0.8,
        "test_metric_high": 1.0,
        "metric_gain": 0.25,
        "step_flops": 1.5e6,
    }
    (shown,) = display(frame(row(**values, examples_per_second=12345.6, parameters=6789))).to_dict("records")
    assert shown["test accuracy"] == "0.900 ± 0.100"
    assert shown["gain"] == "+0.250"
    assert shown["step ratio"] == "1.00 [0.90, 1.10]"
    assert (shown["examples/s"], shown["parameters"], shown["MFLOP"]) == ("12,346", "6,789", "1.5")


@pytest.mark.parametrize(
    ("rank", "trained", "bold", "text"),
    [
        ("best", 3, True, "0.500"),
        ("within", 3, True, "0.500"),
        ("best", 2, False, "0.500"),
        ("within", 0, False, "0.500"),
        ("undecided", 3, False, "0.500 ?"),
        ("worse", 3, False, "0.500"),
        (float("nan"), 3, False, "0.500"),
        (None, 3, False, "0.500"),
    ],
)
def test_accuracy_is_bold_where_it_is_as_good_as_the_best_and_marked_where_that_is_undecided(
    rank: Any, trained: int, bold: bool, text: str
) -> None:
    table = display(frame(row(against_best=rank, trained=trained), row(test_metric=0.25)))
    assert list(table["test accuracy"]) == [text, "0.250"]
    assert markdown(table).count("**0.500**") == bold
    console = Console(file=StringIO(), width=250, force_terminal=True, color_system="standard")
    console.print(terminal(table, "Title"))
    written = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert len(re.findall(r"\x1b\[1m *0\.500", written)) == bold
    assert ("?" in written) == text.endswith("?")


def test_a_gradient_that_is_zero_at_the_first_layers_is_marked_and_not_called_the_flattest() -> None:
    untrained = {"trained": float("nan"), "test_metric": float("nan")}
    dead = row(mitigation="irnn", decay=-0.001, log10_first_over_last=-np.inf, **untrained)
    table = frame(dead, row(decay=-0.1, **untrained))
    assert display(table)["decay"].tolist()[0].endswith("(then zero)")
    (sentence,) = headlines(table, [])
    assert "changes least with baseline" in sentence
    assert display(table)["first/last"].tolist()[0] in legend(display(table))


def test_nothing_known_is_shown_as_a_dash() -> None:
    nothing = dict.fromkeys(set(NAMES) - {"mitigation", "reference", "status"}, float("nan"))
    (shown,) = display(frame(row(**nothing))).to_dict("records")
    unknown = {name.replace("test accuracy", "test metric") for name in ALWAYS} - {"mitigation"}
    assert {name for name, text in shown.items() if text == "-"} == unknown


def test_heads_are_in_the_words_of_the_metric() -> None:
    bits = {"metric": "bits/byte", "target": 2.5, "test_metric": 2.25}
    table = display(frame(row(**bits)))
    assert table["test bits/byte"].tolist() == ["2.250"]
    assert header("test bits/byte") == "test bits/byte ↓"
    mixed = display(frame(row(**bits), row()))
    assert mixed["test metric"].tolist() == ["2.250", "0.500"]
    assert header("test metric") == "test metric"
    assert headlines(frame(row(mitigation="adam", **bits), row(**bits)), []) == [
        "Depth 4: no mitigation reaches 2.5 test bits/byte with every seed; the baseline itself does not train."
        " Closest is adam, with 2.25 on average."
    ]


def test_heads_say_what_is_better() -> None:
    assert (header("test accuracy"), header("step ratio"), header("decay")) == (
        "test accuracy ↑",
        "step ratio ↓",
        "decay →0",
    )
    assert header("blocks") == "blocks"
    table = display(frame(row(test_metric=0.5)))
    for shown in (markdown(table), printed(table)):
        assert "test accuracy ↑" in shown


def test_columns_that_tell_nothing_are_left_out_of_the_page() -> None:
    untrained = dict.fromkeys(("trained", "test_metric", "learning_rate"), float("nan"))
    worth, costs = halves(display(frame(row(), row(**untrained))))
    assert {"trained", "test accuracy"} <= set(worth)
    assert "gain" not in worth
    assert "compile s" not in costs
    worth, _ = halves(display(frame(row(**untrained))))
    assert not {"trained", "test accuracy"} & set(worth)
    untimed = {each.name: float("nan") for each in COLUMNS if each.shown and each.shown.side == "cost"}
    worth, costs = halves(display(frame(row(**untimed))))
    assert not len(costs.columns)
    assert len(worth.columns)


@pytest.mark.parametrize("axis", ["batch_size", "width"])
def test_swept_axis_tells_the_rows_of_the_table_apart(axis: str) -> None:
    *_, one, other = markdown(display(frame(row(**{axis: 8}), row(**{axis: 16})))).splitlines()
    assert one != other


def test_depths_are_set_apart_in_the_terminal() -> None:
    lines = printed(display(frame(row(), row(depth=16)))).splitlines()
    depths = [line.split()[0] if line.strip() else "" for line in lines]
    assert depths[4:7] == ["4", "", "16"]


@pytest.mark.parametrize(
    ("name", "written"),
    [("<script>", "&lt;script>"), ("a|b", "a\\|b"), ("a\\b", "a\\\\b"), ("a\\|b", "a\\\\\\|b")],
)
def test_markdown_escapes_what_would_break_a_cell(name: str, written: str) -> None:
    header, _, line = markdown(display(frame(row(mitigation=name)))).splitlines()
    assert f"| {written} " in line
    assert borders(line) == borders(header) == len(ALWAYS) + 1


@pytest.mark.parametrize("name", [*HOSTILE, "a\nb", "a\r\nb"])
def test_name_of_a_mitigation_stays_within_its_row_of_the_page(run: Path, name: str) -> None:
    call_the_mitigation(run, name)
    write_report(run, AS_TEXT)
    tables = table_lines((run / "table.md").read_text())
    assert list(map(len, tables)) == [4, 4]
    assert all(len(set(map(borders, lines))) == 1 for lines in tables)
    assert list(load(run)["mitigation"]) == ["baseline", name]


@pytest.mark.parametrize("name", HOSTILE)
def test_name_of_a_mitigation_is_shown_as_it_is_in_the_terminal(name: str) -> None:
    text = printed(display(frame(row(), row(mitigation=name))))
    assert f" {name} " in text


def test_title_of_a_suite_is_shown_as_it_is_in_the_terminal() -> None:
    assert "[/red] [bold]x" in printed(display(frame(row())), "[/red] [bold]x")


def test_findings_of_the_page_do_not_hold_markup(run: Path) -> None:
    call_the_mitigation(run, "<script>name")
    assert "is <script>name, whose" in write_report(run, AS_TEXT).sentences[0]
    assert "<script" not in (run / "table.md").read_text()


# The package's front.


def test_load_and_write_report_stay_functions_of_the_package_once_used(run: Path) -> None:
    assert list(vgbench.load(run)["mitigation"]) == ["baseline", "he"]
    for _ in range(2):
        assert vgbench.write_report(run).title == "Tiny"


def test_baseline_of_a_row_with_some_of_the_seeds_has_no_gain_over_itself(tmp_path: Path) -> None:
    slots: tuple[dict[str, Any], ...] = ({"init": "glorot_normal"}, {"init": "he_normal"})
    baseline, he = (Case(depth=3, width=4, seeds=(0, 1), learning_rates=(0.1,), **slot) for slot in slots)
    write_run(tmp_path, [("baseline", measured(baseline, 0.25)), ("he", measured(he, 0.95))])
    path = Folder(tmp_path / DEVICE.slug).manifest
    manifest = read_record(path, Manifest)
    rows = tuple(dataclasses.replace(row, seeds=(0,)) for row in manifest.rows)
    write_record(path, dataclasses.replace(manifest, rows=rows))
    gains = load(tmp_path)["metric_gain"].tolist()
    assert np.isnan(gains[0])
    assert gains[1] == pytest.approx(0.7)
