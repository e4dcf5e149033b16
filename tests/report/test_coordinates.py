"""The coordinate checks of a run: groups, sentences, tables, the picture, and the whole through the command line."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.command_line import vgbench
from helpers.made import ORIGIN, TIMES, gradients

from vgbench.measure.coordinates import Coordinates
from vgbench.records.runs import Entry, Run
from vgbench.records.schema import CellRecord, Manifest, Row
from vgbench.report.charts.coordinates import coordinates
from vgbench.report.coordinates import answer, checks, frame, sentences, tables
from vgbench.spec.case import Case

MODULES = ("input_layer", "blocks.linear", "blocks", "output_layer")
STEPS = 2


def cell(width: int, exponents: tuple[float, float, float], depth: int = 2, **fields: Any) -> CellRecord:
    """A cell of two seeds in which changes follow powers of the width; what `blocks.linear` returns, `blocks` does."""
    case = Case(
        depth=depth, width=width, seeds=(0, 1), steps=0, coordinate_steps=STEPS, learning_rates=(0.1,), **fields
    )
    first, blocks, last = exponents
    laws = np.asarray([first, blocks, blocks, last])
    change = np.asarray([[0.5], [0.6]]) * width**laws
    rms = np.broadcast_to(change[:, None, :, None], (2, STEPS + 1, 4, 5)).copy()
    coordinates = Coordinates(MODULES, rms)
    profile = gradients([-1.0] * depth, [-1.0] * depth)
    return CellRecord(case, "ok", "", profile, None, None, **TIMES, coordinates=coordinates)


def run(cells: list[tuple[str, CellRecord]], *axes: str) -> Run:
    entries = []
    for place, (name, record) in enumerate(cells):
        values = {axis: getattr(record.case, axis) for axis in axes}
        row = Row(place, name, values, record.case.cell_id, record.case.cell_id, None)
        entries.append(Entry(row, record, record, None))
    manifest = Manifest("tiny", "Tiny", "Flat?", tuple(entry.row for entry in entries), ORIGIN)
    return Run(manifest, "Chip", tuple(entries))


MUP = {"parametrization": {"name": "mup", "base_width": 4}, "optimizer": "adam"}
RUN = run(
    [
        *(("baseline", cell(width, (0.0, 0.5, 1.0), optimizer="adam")) for width in (8, 4, 16)),
        *(("mup", cell(width, (0.0, 0.01, -0.02), **MUP)) for width in (4, 8, 16)),
    ],
    "width",
    "depth",
)


def test_cells_that_differ_in_width_alone_are_one_check_in_order_of_width() -> None:
    found = checks([RUN])
    assert [(each.group.mitigation, each.group.values, each.group.at) for each in found] == [
        ("baseline", (4, 8, 16), "depth 2"),
        ("mup", (4, 8, 16), "depth 2"),
    ]
    assert found[0].change("output_layer").exponent.value == pytest.approx(1.0)


def test_module_that_returns_what_the_one_around_it_returns_is_left_out() -> None:
    assert checks([RUN])[0].modules == ("input_layer", "blocks", "output_layer")


def test_sentences_and_answer_name_what_is_flat_and_what_is_not() -> None:
    found = checks([RUN])
    first, second = sentences(found)
    assert first == (
        "baseline, width 4 to 16 (depth 2): after 2 steps the change of the output is independent of width (exponent"
        " within 0.1) in 1 of 3 modules; most of all in output_layer it grows like width^1.00."
    )
    assert second.endswith("in every module.")
    assert answer(found) == [
        "Over width 4 to 16 (depth 2), the change of the output after 2 steps is independent of width in every module"
        " with mup; in 1 of 3 modules with baseline."
    ]


def test_table_has_a_row_a_module_and_a_column_a_mitigation() -> None:
    ((title, table),) = tables(checks([RUN]))
    assert title == "Exponent over width 4 to 16 (depth 2) of the change of the output after 2 steps"
    assert table.to_dict("list") == {
        "module": ["input_layer", "blocks", "output_layer"],
        "baseline": ["+0.00±0.00", "+0.50±0.00", "+1.00±0.00"],
        "mup": ["+0.00±0.00", "+0.01±0.00", "-0.02±0.00"],
    }


def test_frame_has_every_quantity_and_step() -> None:
    data = frame(checks([RUN]))
    assert list(data.columns[:4]) == ["device", "mitigation", "at", "along"]
    assert len(data) == 2 * len(MODULES) * (STEPS + 1 + 4 * STEPS)
    assert set(data["verdict"]) == {"independent", "grows like width^0.50", "grows like width^1.00"}


def test_single_width_failed_cells_and_cells_without_a_check_are_no_check() -> None:
    one = cell(4, (0.0, 0.0, 0.0))
    lost = replace(cell(8, (0.0, 0.0, 0.0)), status="crashed", reason="x", gradients=None, coordinates=None)
    assert checks([run([("baseline", one), ("baseline", lost)], "width")]) == []
    single = [run([("baseline", one)], "width")]
    assert coordinates(single, checks(single)) is None


def test_picture_has_a_panel_a_mitigation_and_a_line_a_module() -> None:
    definition = coordinates([RUN], checks([RUN]))
    assert definition is not None
    titles = [panel["title"] for panel in definition["concat"]]
    assert titles == ["baseline: width 4 to 16 (depth 2)", "mup: width 4 to 16 (depth 2)"]
    rows = pd.DataFrame([row for data in definition["datasets"].values() for row in data])
    assert {"input_layer", "blocks", "output_layer"} <= set(rows["mitigation"])


SUITE = """
title = "Widths"
question = "Flat?"
[baseline]
depth = 2
optimizer = "adam"
steps = 0
coordinate_steps = 1
learning_rates = [0.01]
tuning_seeds = []
seeds = [0, 1]
batch_size = 16
[sweep]
width = [4, 8]
[mitigations]
mup = { parametrization = { name = "mup", base_width = 4 } }
[protocol]
time_to_depth = 0
"""


def test_suite_is_measured_reported_and_read_again(tmp_path: Path) -> None:
    suite = tmp_path / "widths.toml"
    suite.write_text(SUITE)
    out = tmp_path / "out"
    done = vgbench("run", suite, "--out", out)
    assert done.code == 0, done.err
    assert "Exponent over width 4 to 8 of the change of the output after 1 step" in " ".join(done.out.split())
    assert len(pd.read_csv(out / "coordinates.csv")) == 2 * 8 * 6
    assert "| blocks" in (out / "table.md").read_text()
    assert "Exponent over width 4 to 8" in (out / "report.html").read_text()
    again = vgbench("run", suite, "--out", out, "--seeds", "3")
    assert again.code == 0, again.err
    assert len(list(out.rglob("cells/*.json"))) == 4
