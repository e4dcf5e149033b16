"""The published results: every table, and the index, comes out of the raw records, but for rounding."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from helpers.rounding import differences

from vgbench.report import write_report
from vgbench.report.publish import BEGIN, END, published, section

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path[:0] = [str(BENCHMARKS), str(BENCHMARKS / "diagnosis")]
import score
import summary

RESULTS = Path(__file__).parents[1] / "results"


@pytest.mark.parametrize("folder", published(RESULTS), ids=lambda folder: folder.name)
def test_published_tables_are_rebuilt_from_their_records(folder: Path, tmp_path: Path) -> None:
    if folder.name == "real-sequences":
        pytest.importorskip("sktime", reason="theory reads the series, which the extra `sequences` holds")
    for device in folder.glob("*/manifest.json"):
        shutil.copytree(device.parent, tmp_path / device.parent.name)
    for made in write_report(tmp_path, formats=("md", "csv", "latex")).files:
        assert differences(made.read_text(), (folder / made.name).read_text()) == [], made.name
    assert (folder / "report.html").exists()
    assert list((folder / "pictures").glob("*.png"))


def test_index_tells_of_every_published_run() -> None:
    text = (RESULTS / "README.md").read_text()
    sections = [section(folder) for folder in published(RESULTS)]
    assert differences(text.partition(BEGIN)[2].partition(END)[0].strip(), "\n".join(sections).strip()) == []


def test_published_speed_is_made_from_what_the_programs_wrote(tmp_path: Path) -> None:
    for path in (RESULTS / "speed").glob("*.json"):
        shutil.copy(path, tmp_path)
    summary.main(str(tmp_path))
    assert differences((tmp_path / "README.md").read_text(), (RESULTS / "speed" / "README.md").read_text()) == []


def test_published_scores_are_made_from_what_was_said_of_each_configuration() -> None:
    folder = RESULTS / "diagnosis"
    content = json.loads((folder / "configurations.json").read_text())
    assert differences(score.page(content), (folder / "table.md").read_text()) == []
