"""The table of a run that is at work: the final table's columns, a line for each row, findings of complete places."""

from dataclasses import replace

import pytest
from helpers.inline import Instant
from helpers.tiny_suite import TINY

from vgbench.harness import runner
from vgbench.harness.runner import run
from vgbench.records.runs import Run, read_runs
from vgbench.report.report import report_of
from vgbench.report.so_far import SoFar
from vgbench.report.terminal import table_of


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runner, "Local", Instant)
        (found,) = read_runs(run(TINY.select({"depth": [2, 3]}), tmp_path_factory.mktemp("run")))
    return found


def part(whole: Run, rows: int) -> SoFar:
    return SoFar.of(replace(whole, entries=whole.entries[:rows]))


def test_complete_run_has_the_table_of_the_report(whole: Run) -> None:
    shown, final = part(whole, 4).table, table_of(report_of([whole]))
    assert [column.header for column in shown.columns] == [column.header for column in final.columns]
    assert [list(column.cells) for column in shown.columns] == [list(column.cells) for column in final.columns]


def test_row_is_a_line_with_the_values_of_the_table(whole: Run) -> None:
    line = part(whole, 2).line(whole.entries[1].row)
    assert line.startswith("relu, depth 2: not trained, decay ")
    assert ", step ratio " in line


def test_rows_are_compared_with_the_best_one_at_the_end_alone(whole: Run) -> None:
    assert part(whole, 3).frame["against_best"].isna().all()
    assert list(part(whole, 4).frame["against_best"]) == list(report_of([whole]).frame["against_best"])


def test_place_has_its_finding_when_its_last_row_is_complete(whole: Run) -> None:
    rows, final = [entry.row for entry in whole.entries], report_of([whole]).sentences
    assert part(whole, 1).findings(rows[:1]) == []
    (first,) = part(whole, 2).findings(rows[1:2])
    assert part(whole, 3).findings(rows[2:3]) == []
    (second,) = part(whole, 4).findings(rows[3:4])
    assert (first.partition(": ")[0], second.partition(": ")[0]) == ("Depth 2", "Depth 3")
    assert all(each.partition(": ")[2] in " ".join(final) for each in (first, second))  # alike, they share a sentence
