"""What was shown of a report is shown again where nothing has changed, and not where anything has."""

import shutil
from pathlib import Path

import pytest
from helpers.inline import Instant
from helpers.tiny_suite import TINY
from rich.text import Text

from vgbench.harness import runner
from vgbench.harness.runner import run
from vgbench.report import write_report
from vgbench.report.kept import keep, kept

LINES = [
    Text("a finding"),
    Text("not ok", style="dim"),
    Text.assemble(("relu", "green"), " ", ("0.9", "bold"), no_wrap=True),
    Text(),
]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runner, "Local", Instant)
        out = run(TINY, tmp_path_factory.mktemp("run"))
    assert kept(out) is None
    report = write_report(out, ["md", "csv"])
    keep(out, report.files, LINES, all_ok=report.all_ok)
    return out


def test_same_lines_come_back_with_their_styles(shown: Path) -> None:
    found = kept(shown)
    assert found is not None
    assert [line.plain for line in found.texts] == [line.plain for line in LINES]
    assert [line.markup for line in found.texts] == ["a finding", "[dim]not ok[/dim]", LINES[2].markup, ""]
    assert [bool(line.no_wrap) for line in found.texts] == [False, False, True, False]
    assert (found.all_ok, [*found.files]) == (True, ["table.md", "table.csv"])


@pytest.mark.parametrize("changed", ["*/cells/*.json", "*/costs/*.json", "*/manifest.json", "table.md", ".shown.json"])
@pytest.mark.parametrize("gone", [True, False])
def test_anything_that_changes_makes_the_report_anew(shown: Path, tmp_path: Path, changed: str, gone: bool) -> None:
    out = shutil.copytree(shown, tmp_path / "run")
    path = sorted(out.glob(changed))[0]
    if gone:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-2])
    assert kept(out) is None


def test_run_that_was_moved_is_shown_again(shown: Path, tmp_path: Path) -> None:
    assert kept(shutil.copytree(shown, tmp_path / "elsewhere")) is not None
