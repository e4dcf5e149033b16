"""The roofline: its points, the roof over them, and names that do not overlap."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import altair as alt
import jsonschema
import numpy as np
import pytest
from helpers.made import cost, measured, write_run

from vgbench.pictures.compose import Definition
from vgbench.pictures.render import render
from vgbench.records.runs import Run, read_runs
from vgbench.report.charts.roofline import roofline
from vgbench.report.frames import frame
from vgbench.report.tables import display
from vgbench.spec.case import Case

INITS = ("glorot_normal", "he_normal", "lecun_normal", "orthogonal")
NAMES = ("baseline", "he", "lecun", "orthogonal")
SCHEMA = json.loads((Path(alt.__file__).parent / "vegalite/v6/schema/vega-lite-schema.json").read_text())


def with_roof(runs: list[Run], **fields: Any) -> list[Run]:
    """The runs with a copy of 1e6 bytes a second, and steps of 1650 bytes."""
    known = {"xla_bytes": 1650.0, "copy_bytes_per_second": np.full(5, 1e6), **fields}
    return [dataclasses.replace(run, entries=tuple(_changed(entry, known) for entry in run.entries)) for run in runs]


def _changed(entry: Any, fields: dict[str, Any]) -> Any:
    found = dataclasses.replace(cost(1.0, entry.cell.case), **fields)
    return dataclasses.replace(entry, cost=dataclasses.replace(entry.cost, cost=found))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Four rows at the same place, timed before roofs were."""
    cases = [Case(depth=3, width=4, init=init, learning_rates=(0.1,), seeds=(0, 1)) for init in INITS]
    cells = [(name, measured(case, None)) for name, case in zip(NAMES, cases, strict=True)]
    return read_runs(write_run(tmp_path_factory.mktemp("run"), cells))


def drawn(runs: list[Run]) -> Definition:
    definition = roofline(runs, frame(runs))
    assert definition is not None
    return definition


def rows(definition: Definition, view: Definition) -> list[dict[str, Any]]:
    return definition["datasets"][view["data"]["name"]]


def by_mark(definition: Definition, kind: str) -> list[Definition]:
    return [view for panel in definition["concat"] for view in panel["layer"] if view["mark"]["type"] == kind]


def test_points_lie_at_intensity_and_speed_under_a_roof_of_copy_and_products(bare: list[Run]) -> None:
    definition = drawn(with_roof(bare))
    assert not list(jsonschema.Draft7Validator(SCHEMA).iter_errors(definition))
    (points,) = by_mark(definition, "point")
    shown = rows(definition, points)
    assert [row["mitigation"] for row in shown] == list(NAMES)
    # 3300 operations and 1650 bytes by XLA's count; 3200 of the matrix products in 8 ms; a copy allows 2e6 there.
    assert {(row["intensity"], row["achieved"], row["share"]) for row in shown} == {(2.0, 4e5, 0.2)}
    (roof,) = by_mark(definition, "line")
    start, ridge, end = rows(definition, roof)
    assert (ridge["intensity"], ridge["achieved"]) == (4.0, 4e6)
    assert start["achieved"] == pytest.approx(start["intensity"] * 1e6)
    assert end["achieved"] == 4e6
    assert end["intensity"] > 4
    axes = points["encoding"]
    assert [axes[name]["scale"]["type"] for name in ("x", "y")] == ["log", "log"]
    assert [axes[name]["title"] for name in ("x", "y")] == ["FLOP/byte", "achieved FLOP/s"]


def test_roof_is_flat_where_the_copy_limits_nothing_that_the_panel_shows(bare: list[Run]) -> None:
    definition = drawn(with_roof(bare, copy_bytes_per_second=np.full(5, 1e9)))
    (roof,) = by_mark(definition, "line")
    assert [row["achieved"] for row in rows(definition, roof)] == [4e6, 4e6]
    words = [view["mark"].get("text") for view in by_mark(definition, "text")]
    assert "plain products" in words
    assert "plain copy" not in words


def test_words_of_the_roof_stand_where_no_point_is(bare: list[Run]) -> None:
    fast = {"copy_bytes_per_second": np.full(5, 1e9), "product_flops_per_second": np.full(5, 3.9e5)}
    for runs, side in ((with_roof(bare), "right"), (with_roof(bare, **fast), "left")):
        (words,) = [
            view["mark"] for view in by_mark(drawn(runs), "text") if view["mark"].get("text") == "plain products"
        ]
        assert words["align"] == side


def test_every_point_has_a_name_of_its_own_and_none_lies_on_another(bare: list[Run]) -> None:
    svg = render(drawn(with_roof(bare)), "svg").decode()
    places = {name: re.search(rf'translate\(([\d.]+),([\d.]+)\)"[^>]*>{name}<', svg) for name in NAMES}
    across, down = zip(*((float(at[1]), float(at[2])) for at in places.values() if at), strict=True)
    assert set(across) == {across[0]}
    assert min(np.diff(sorted(down))) > 8
    width = re.search(r'width="([\d.]+)"', svg)
    assert width
    assert float(width[1]) <= 328  # of a phone of 360 pixels, without the margins of the page


def test_each_device_has_a_panel_with_its_own_roof(bare: list[Run]) -> None:
    fast = {"copy_bytes_per_second": np.full(5, 1e9), "product_flops_per_second": np.full(5, 1e12)}
    other = [dataclasses.replace(run, device="Fast (1 gpu device(s))") for run in with_roof(bare, **fast)]
    definition = drawn([*with_roof(bare), *other])
    titles = [" ".join(panel["title"]["text"]) for panel in definition["concat"]]
    assert titles == ["Chip (2 CPU cores), depth 3", "Fast (1 gpu device(s)), depth 3"]
    assert [rows(definition, roof)[1]["achieved"] for roof in by_mark(definition, "line")] == [4e6, 1e12]


def test_rows_without_a_roof_are_left_out(bare: list[Run]) -> None:
    assert roofline(bare, frame(bare)) is None
    assert roofline(with_roof(bare, xla_bytes=float("nan")), frame(bare)) is None


def test_the_table_has_the_numbers_where_they_are_known(bare: list[Run]) -> None:
    assert {"FLOP/byte", "of roof"} & set(display(frame(bare)).columns) == set()
    table = display(frame(with_roof(bare)))
    assert (table["FLOP/byte"][0], table["of roof"][0]) == ("2", "20%")


def test_a_count_without_the_matrix_products_has_no_roof(bare: list[Run]) -> None:
    """On a GPU they are calls of a library, of which XLA counts no operations."""
    runs = with_roof(bare, step_flops=10**9)
    assert roofline(runs, frame(runs)) is None
    for column in ("intensity", "roof_share"):
        assert set(frame(runs)[column].isna()) == {True}
        assert set(frame(with_roof(bare))[column].isna()) == {False}
