"""`vgbench show`: one row of a run."""

from pathlib import Path

import pytest
from helpers.command_line import vgbench
from helpers.made import measured, write_run

from vgbench.spec.case import Case

CASE = Case(depth=3, width=4, learning_rates=(0.1,), seeds=(0, 1))


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_run(tmp_path / "runs" / "tiny", [("baseline", measured(CASE, 0.1))])


def test_row_of_the_last_run_is_shown_with_its_profile() -> None:
    result = vgbench("show", "baseline")
    assert result.code == 0
    assert "baseline, depth 3: does not train" in result.out
    assert "last layer █▅▁ first layer, -2.00 decades" in result.out


def test_folder_can_be_named(run: Path) -> None:
    assert vgbench("show", "baseline, depth 3", run).out == vgbench("show", "baseline").out


def test_unknown_name_is_answered_with_the_known_ones() -> None:
    result = vgbench("show", "basline")
    assert result.code == 2
    assert "unknown mitigation 'basline'; did you mean 'baseline'?" in result.err


def test_folder_without_runs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    result = vgbench("show", "baseline")
    assert result.code == 2
    assert "runs: no run is here; name the folder of one" in result.err
