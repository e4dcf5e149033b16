"""The commands that measure a run or a row again."""

from pathlib import Path

from helpers.made import measured, write_run

from vgbench.records.runs import read_runs
from vgbench.report.reproduce import cell_command, command
from vgbench.report.write import write_report
from vgbench.spec.case import Case

CASE = Case(depth=3, width=4, learning_rates=(0.1,), seeds=(0, 1))


def test_run_is_measured_again_at_its_commit(tmp_path: Path) -> None:
    runs = read_runs(write_run(tmp_path, [("baseline", measured(CASE))], "quickstart"))
    assert command(runs) == (
        "git checkout abc && vgbench run quickstart --set depth=3  # on Chip (2 CPU cores), with jax 1.2, numpy 3.4"
    )


def test_row_is_measured_again_with_its_axes(tmp_path: Path) -> None:
    (run,) = read_runs(write_run(tmp_path, [("two words", measured(CASE))], "quickstart-quick"))
    assert cell_command(run.manifest, run.entries[0].row) == (
        "vgbench run quickstart --quick --only 'two words' --set depth=3"
    )


def test_suite_of_ones_own_is_a_file(tmp_path: Path) -> None:
    (run,) = read_runs(write_run(tmp_path, [("baseline", measured(CASE))], "mine"))
    assert cell_command(run.manifest, run.entries[0].row).startswith("vgbench run mine.toml --only baseline")


def test_tables_carry_the_command(tmp_path: Path) -> None:
    out = write_run(tmp_path, [("baseline", measured(CASE))], "quickstart")
    written = write_report(out, ("md", "latex"))
    for path in written.files:
        assert "vgbench run quickstart" in path.read_text(), path.name
