"""The terminal: a table of 100 columns whose colours say how rows ended, and a profile as blocks."""

from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from helpers.made import measured, write_run
from rich.console import Console

from vgbench.records.runs import read_runs
from vgbench.report.report import Report, report_of
from vgbench.report.terminal import WIDTH, matching, row_lines, sparkline, table_of
from vgbench.spec.case import Case

CASE = Case(depth=3, width=4, learning_rates=(0.1,), seeds=(0, 1))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    he = Case.model_validate({**CASE.model_dump(), "init": "orthogonal"})
    cells = [("baseline", measured(CASE, 0.1)), ("orthogonal", measured(he, 0.95))]
    return report_of(read_runs(write_run(tmp_path_factory.mktemp("run"), cells)))


def printed(report: Report, *, wide: bool) -> str:
    console = Console(file=StringIO(), width=1000, force_terminal=True, color_system="standard")
    console.print(table_of(report, wide=wide), width=None if wide else WIDTH)
    return console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]


def test_table_fits_a_hundred_columns_and_shows_all_if_asked(report: Report) -> None:
    table = table_of(report)
    assert Console(width=1000).measure(table).maximum <= WIDTH
    narrow, wide = printed(report, wide=False), printed(report, wide=True)
    for heading in ("mitigation", "decay", "trained", "test accuracy", "step ratio"):
        assert heading in narrow
    assert "latency ms" not in narrow
    assert "latency ms" in wide


def test_color_says_how_a_row_ended(report: Report) -> None:
    text = printed(report, wide=False)
    assert "\x1b[31mbaseline" in text
    assert "\x1b[32morthogonal" in text


def test_rows_are_found_by_mitigation_label_and_cell(report: Report) -> None:
    assert matching(report, "orthogonal") == matching(report, "orthogonal, depth 3") == [1]
    assert matching(report, report.runs[0].entries[0].row.cell_id) == [0]
    assert matching(report, "adam") == []


def test_row_is_found_with_the_thousands_of_its_depth_apart_or_not(report: Report) -> None:
    (run,) = report.runs
    entries = tuple(replace(each, row=replace(each.row, axes={"depth": 10_000})) for each in run.entries)
    deep = replace(report, runs=[replace(run, entries=entries)])
    assert matching(deep, "orthogonal, depth 10,000") == matching(deep, "orthogonal, depth 10000") == [1]
    assert matching(deep, "orthogonal, depth 1000") == []


def test_row_is_shown_with_outcome_profile_numbers_evidence_and_command(report: Report) -> None:
    lines = [str(line) for line in row_lines(report, 1)]
    assert lines[0].startswith("orthogonal, depth 3: trains: every evaluation seed reaches the target.")
    assert lines[1] == "last layer █▅▁ first layer, -2.00 decades"
    assert "  test accuracy ↑    0.950" in lines
    assert lines[-1] == "vgbench run tiny.toml --only orthogonal --set depth=3"


def test_profile_that_hardly_changes_stays_at_the_top() -> None:
    assert sparkline(np.asarray([0.0, -0.01, -0.02])) == "last layer ███ first layer, -0.02 decades"
    assert sparkline(np.asarray([0.0, np.nan, -8.0])) == "last layer █ ▁ first layer, -8.00 decades"
    assert sparkline(np.full(3, np.nan)) == "no gradient could be followed through the layers"
