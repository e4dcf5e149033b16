"""Columns: each is one entry, from which frame, tables, legends, page and documentation follow."""

import importlib
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.made import BASE, HE, ORIGIN, gradients, measured, write_run
from rich.console import Console

from vgbench.cli.report import show
from vgbench.records.runs import Entry, Run
from vgbench.records.schema import Manifest, Row
from vgbench.report import load, write_report
from vgbench.report.columns import COLUMNS, columns_of, under
from vgbench.report.columns.column import Column, Shown, number, plus_minus
from vgbench.report.publish import section
from vgbench.report.reference import compared
from vgbench.report.tables import display, failures, halves, header, legend
from vgbench.spec.suite import Suite

ROOT = Path(__file__).parents[2]
SHOWN = [(column, column.shown) for column in COLUMNS if column.shown]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A baseline and a mitigation at one depth."""
    return write_run(tmp_path / "run", [("baseline", measured(BASE)), ("he", measured(HE))])


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> Column:
    """A column that is added to the tuple, and nowhere else."""
    shown = Shown("letters", number(".0f"), "cost", direction="↓", room="index", marks={"odd": "not even"})
    added = Column("name_length", "letters of the mitigation's name", lambda s: len(s.entry.row.mitigation), shown)
    monkeypatch.setattr("vgbench.report.columns.COLUMNS", (*COLUMNS, added))
    return added


def test_column_that_is_added_to_the_tuple_is_in_frame_and_csv(run: Path, words: Column) -> None:
    assert list(load(run)["name_length"]) == [8, 2]
    write_report(run, ("csv",))
    heads, *lines = (run / "table.csv").read_text().splitlines()
    assert heads.endswith(",name_length")
    assert [line.rpartition(",")[2] for line in lines] == ["8", "2"]


def test_column_that_is_added_to_the_tuple_is_in_every_table_with_its_legend(run: Path, words: Column) -> None:
    written = write_report(run, ("md", "latex", "html"))
    worth, costs = halves(written.table)
    assert "letters" in costs
    assert "letters" not in worth
    page, tex, html = ((run / name).read_text() for name in ("table.md", "table.tex", "report.html"))
    for text in (page, section(run)):
        assert re.search(r"^\| .*\| +letters ↓ \|", text, re.MULTILINE)
    assert "- **letters**: letters of the mitigation's name\n- **odd**: not even\n" in page
    assert r"& letters $\downarrow$ " in tex
    assert "% letters: letters of the mitigation's name" in tex
    assert re.search(r'<th scope="col" data-name="letters" class="">.*letters ↓</button>', html)
    assert "<dt>letters</dt>" in html


def test_column_that_is_added_to_the_tuple_is_in_the_terminal(
    run: Path, words: Column, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Console(file=StringIO(), width=250)
    monkeypatch.setattr("vgbench.cli.terminal.console", lambda: out)
    show(write_report(run, ()))
    assert "letters ↓" in out.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]


@pytest.fixture
def documented(monkeypatch: pytest.MonkeyPatch) -> str:
    """The page of the documentation."""
    pytest.importorskip("sphinx", reason="needs the extra docs")
    monkeypatch.syspath_prepend(str(ROOT / "docs/_extensions"))
    return importlib.import_module("column_page")._page()


def test_documentation_has_a_line_for_every_column(documented: str) -> None:
    lines = [re.split(r" ?(?<!\\)\| ?", line)[1:-1] for line in documented.splitlines() if line.startswith("| `")]
    assert lines == [
        [f"`{each.name}`", each.meaning.replace("|", "\\|"), each.shown.heading if each.shown else ""]
        for each in COLUMNS
    ]


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        ((0.95, 0.93, 0.97), "0.950 ± 0.020"),
        ((0.702, 0.099, 1.305), "0.702 [0.099, 1.000]"),
        ((0.103, 0.103, 0.103), "0.103"),
        ((0.103, 0.1029, 0.1031), "0.103"),
        ((0.103, float("nan"), float("nan")), "0.103"),
        ((float("nan"), float("nan"), float("nan")), "-"),
    ],
)
def test_interval_ends_at_what_is_possible_and_is_left_out_where_it_reads_as_zero(
    interval: tuple[float, float, float], text: str
) -> None:
    row = dict(zip(("x", "x_low", "x_high"), interval, strict=True))
    assert plus_minus(".3f", low=0.0, high=1.0)(row, "x") == text


def test_names_headings_and_meanings_are_there_once() -> None:
    for texts in ([each.name for each in COLUMNS], [shown.heading for _, shown in SHOWN]):
        assert len(set(texts)) == len(texts)
    assert all(each.meaning for each in COLUMNS)


def test_any_other_name_is_a_swept_axis() -> None:
    assert [column.name for column in columns_of(["depth", "norm"])] == ["norm", *(column.name for column in COLUMNS)]
    shown = under("norm").shown
    assert shown is not None
    assert (shown.heading, shown.side, shown.direction) == ("norm", "row", "")


def test_label_of_a_row_is_that_of_its_cell_and_goes_before_its_failure(tmp_path: Path) -> None:
    suite = Suite(
        name="s", title="", question="", baseline={"width": 4, "steps": 0}, sweep={"depth": [2], "norm": ["layer"]}
    )
    (cell,) = suite.cells()
    row = Row(0, cell.mitigation, dict(cell.axes), cell.case.cell_id, cell.reference.cell_id, None)
    assert row.label == cell.label == "baseline, depth 2, norm layer"
    entry = Entry(row, None, None, None)
    assert failures([Run(Manifest("s", "", "", (row,), ORIGIN), "Chip", (entry,))]) == [f"{row.label}: missing"]


def test_legend_explains_what_the_table_has_and_no_more(run: Path) -> None:
    table = display(load(run))
    worth, costs = halves(table)
    assert {"decay", "branches closed", "cosine distance", "±"} <= set(legend(worth))
    assert not {"step ratio", "tokens"} & set(legend(worth))
    assert {"step ratio", "cache"} <= set(legend(costs))
    assert legend(worth, costs).keys() == legend(worth).keys() | legend(costs).keys()
    assert "log10(1 - cosine)" in legend(worth)["cosine distance"]
    assert header("cosine distance") == "cosine distance"


@pytest.mark.parametrize(
    ("place", "reference", "words"),
    [
        ("depth 8", "baseline", "depth 8"),
        ("depth 8", "rnn", "depth 8, compared with rnn"),
        ("", "rnn", "compared with rnn"),
        ("depth 8", float("nan"), "depth 8"),
    ],
)
def test_place_names_a_reference_that_is_not_the_baseline(place: str, reference: Any, words: str) -> None:
    assert compared(place, reference) == words


def test_mitigation_names_a_reference_that_is_not_the_baseline(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [("bare", measured(BASE)), ("he", measured(HE))])
    data = load(run)
    assert list(data["reference"]) == ["bare", "bare"]
    assert list(display(data)["mitigation"]) == ["bare", "he (vs bare)"]
    others = load(write_run(tmp_path / "other", [("baseline", measured(BASE)), ("he", measured(HE))]))
    assert list(display(others)["mitigation"]) == ["baseline", "he"]


@pytest.mark.parametrize(
    ("form", "value", "text"),
    [(".3g", 1234.5, "1,234"), (".3g", 12.345, "12.3"), ("+z.2f", -12621.22, "-12,621.22"), (".2f", np.inf, "inf")],
)
def test_numbers_have_their_thousands_apart_and_no_exponent(form: str, value: float, text: str) -> None:
    assert number(form)({"value": value}, "value") == text


def test_depth_has_its_thousands_apart_in_tables(run: Path) -> None:
    frame = load(run).assign(depth=[10_000, np.nan])
    assert list(display(frame)["depth"]) == ["10,000", "-"]


@pytest.mark.parametrize(
    ("norms", "verdict"),
    [
        (([5.0, 0.0], [-5.0, 0.0]), "seeds differ: risk of exploding, risk of vanishing"),
        (([-float("inf"), 0.0], [-float("inf"), 0.0]), "risk of vanishing"),
        (([0.0, 0.0], [0.1, 0.0]), "no risk"),
    ],
)
def test_verdict_of_a_case_that_is_not_trained_agrees_with_its_gradients(
    tmp_path: Path, norms: tuple[list[float], ...], verdict: str
) -> None:
    cell = replace(measured(BASE, accuracy=None), forward=None, gradients=gradients(*norms))
    assert list(load(write_run(tmp_path / "run", [("baseline", cell)]))["verdict"]) == [verdict]
