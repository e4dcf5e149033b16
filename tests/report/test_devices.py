"""Several devices of one suite, made by copying records under another device's name: what carries over."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from helpers.command_line import vgbench
from helpers.made import ORIGIN, cost, measured, write_run

from vgbench.records.origin import Device
from vgbench.records.schema import CostRecord
from vgbench.records.store import Folder, read_record, write_record
from vgbench.report import load, write_report
from vgbench.report.devices import HEADING, TITLE, Carried, across, carried
from vgbench.spec.case import Case
from vgbench.statistics import Interval

CPU, GPU = "Chip (2 CPU cores)", "Fast <1> | $x$ (1 gpu device(s))"
OTHER = dataclasses.replace(ORIGIN, device=Device("gpu", "Fast <1> | $x$", 1))
CASES = {
    name: Case(depth=3, width=4, seeds=(0, 1), learning_rates=(0.1,), init=f"{init}_normal")
    for name, init in (("baseline", "glorot"), ("he", "he"), ("lecun", "lecun"))
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run on a processor, where each mitigation takes 1.5 times as long, and the same relabelled as a GPU's, where
    `he` takes as long as the baseline and is bound by its launch."""
    cells = [(name, measured(case, 0.95)) for name, case in CASES.items()]
    for origin in (ORIGIN, OTHER):
        write_run(tmp_path, cells, origin=origin)
    for path in Folder(tmp_path / OTHER.device.slug).path.glob("costs/*.json"):
        record = read_record(path, CostRecord)
        if record.case.init.name == "he_normal":
            found = dataclasses.replace(cost(1.0, record.case), device_seconds=0.001)
            write_record(path, dataclasses.replace(record, cost=found))
    return tmp_path


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        (((1.01, 1.02), (1.3, 1.4)), "yes, slower"),
        (((0.5, 0.9), (0.7, 0.99)), "yes, faster"),
        (((0.98, 1.02), (0.99, 1.03)), "yes, same"),
        (((1.1, 1.2), (0.7, 0.8)), "no"),
        (((1.1, 1.2), (0.98, 1.02)), "no"),
        (((1.1, 1.2), (0.9, 1.2), (0.98, 1.01)), "no"),
        (((1.1, 1.2), (0.9, 1.2)), "unclear"),
        (((0.9, 1.2), (0.9, 1.2)), "unclear"),
    ],
)
def test_a_ratio_carries_over_where_all_intervals_lie_on_one_side(
    ends: tuple[tuple[float, float], ...], said: Carried
) -> None:
    assert carried([Interval(float(np.mean(pair)), *pair) for pair in ends]) == said


def test_table_has_a_column_for_each_device_and_says_what_carries_over(run: Path) -> None:
    found = across(load(run), ["depth"])
    assert found is not None
    assert list(found.table) == ["row", CPU, GPU, HEADING]
    assert found.table.to_numpy().tolist() == [
        ["he, depth 3", "1.50 [1.50, 1.50]", "1.00 [1.00, 1.00] launch", "no"],
        ["lecun, depth 3", "1.50 [1.50, 1.50]", "1.50 [1.50, 1.50]", "yes, slower"],
    ]
    assert found.sentence == (
        "On 2 devices, 1 of 2 step ratios carries over, 1 does not (he, depth 3), and 0 are unclear."
    )


def test_row_that_one_device_lacks_is_not_judged(run: Path) -> None:
    for path in Folder(run / OTHER.device.slug).path.glob("costs/*.json"):
        if read_record(path, CostRecord).case.init.name == "lecun_normal":
            path.unlink()
    found = across(load(run), ["depth"])
    assert found is not None
    assert found.table.to_numpy().tolist()[1] == ["lecun, depth 3", "1.50 [1.50, 1.50]", "- (missing)", "-"]
    assert "0 of 1 step ratios carry over" in found.sentence


def test_report_of_two_devices_has_the_table_in_every_form(run: Path) -> None:
    written = write_report(run, ("md", "latex", "html", "csv"))
    page, tex, html = ((run / name).read_text() for name in ("table.md", "table.tex", "report.html"))
    assert written.devices is not None
    for text in (page, tex, html):
        assert "carries over" in text
        assert "On 2 devices, 1 of 2 step ratios carries over" in text
    assert TITLE in page
    assert "Fast <1>" not in html  # text from a file stays text
    assert "Fast &lt;1> \\| \\$x\\$" in page
    assert '<select data-axis="device">' in html
    assert r"Fast \textless{}1\textgreater{} \textbar{} \$x\$" in tex
    shown = vgbench("report", run, "--format", "csv")
    assert (shown.code, "carries over" in shown.out) == (0, True)


def test_a_single_device_has_no_such_table(tmp_path: Path) -> None:
    write_run(tmp_path, [(name, measured(case)) for name, case in CASES.items()])
    written = write_report(tmp_path, ("md",))
    assert written.devices is None
    assert "device" not in written.table
    assert HEADING not in (tmp_path / "table.md").read_text()


def test_one_price_for_several_devices_is_refused(run: Path) -> None:
    result = vgbench("report", run, "--price", "2.5")
    assert result.code == 2
    assert "report one device at a time" in result.err
