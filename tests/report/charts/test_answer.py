"""The picture that answers: its rows, their order, and what is grey."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.drawn_texts import touching
from helpers.made import measured, write_run

from vgbench.pictures.compose import Definition
from vgbench.pictures.render import render
from vgbench.pictures.style import NEUTRAL
from vgbench.records.runs import Run, read_runs
from vgbench.report.charts.answer import NARROW, WIDE, answer
from vgbench.report.frames import frame
from vgbench.spec.case import Case

COLUMNS = [title.format(metric="accuracy") for title in WIDE.titles.values()]


def case(init: str = "glorot_normal", **fields: Any) -> Case:
    return Case(**{"depth": 3, "width": 4, "init": init, "learning_rates": (0.1,), "seeds": (0, 1), **fields})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    cells = [
        ("baseline", measured(case(), 0.1)),
        ("good", measured(case("he_normal"), 0.92)),
        ("best", measured(case(norm="layer"), 0.97)),
        ("nearly", measured(case("lecun_normal"), 0.8)),
        ("untrained", measured(case("orthogonal"), None)),
    ]
    return read_runs(write_run(tmp_path_factory.mktemp("run"), cells))


def drawn(runs: list[Run], layout: Any = WIDE) -> Definition:
    definition = answer(runs, frame(runs), layout)
    assert definition is not None
    return definition


def rows(definition: Definition, view: Definition) -> list[dict[str, Any]]:
    part = view.get("data") or view["layer"][-1]["data"]
    return definition["datasets"][part["name"]]


def titles(block: Definition) -> list[str]:
    """The titles of the axes below a block's columns."""
    axes = [[unit["encoding"]["x"].get("title") for unit in view["layer"]] for view in block["hconcat"][1:]]
    return [next(title for title in found if title) for found in axes]


def test_rows_are_sorted_by_what_they_achieve(runs: list[Run]) -> None:
    definition = drawn(runs)
    (block,) = definition["vconcat"]
    named = rows(definition, block["hconcat"][0])
    assert [row["mitigation"] for row in named] == ["best", "good", "nearly", "baseline", "untrained"]
    assert [row["row"] for row in named] == [0, 1, 2, 3, 4]
    assert [row["fails"] for row in named] == [False, False, True, True, False]
    assert [row["slot"] for row in named] == ["norm", "init", "init", "reference", "init"]


def test_columns_are_cost_and_benefit_with_their_intervals(runs: list[Run]) -> None:
    definition = drawn(runs)
    (block,) = definition["vconcat"]
    assert titles(block) == COLUMNS
    first = rows(definition, block["hconcat"][3])[0]
    assert {name: first[name] for name in ("test_metric", "test_metric_low", "test_metric_high", "target")} == {
        **dict.fromkeys(("test_metric", "test_metric_low", "test_metric_high"), 0.97),
        "target": 0.9,
    }
    assert first["lost"] == 2
    for view in block["hconcat"][1:]:
        grey = view["layer"][-1]["encoding"]["color"]
        assert grey["condition"] == {"test": "datum.fails", "value": NEUTRAL}
        assert grey["field"] == "slot"


def test_seeds_that_reach_the_target_are_filled(runs: list[Run]) -> None:
    definition = drawn(runs)
    seeds = definition["vconcat"][0]["hconcat"][2]
    points = rows(definition, seeds)
    assert [(row["mitigation"], row["seed"], row["reached"]) for row in points[:2]] == [
        ("best", 1, True),
        ("best", 2, True),
    ]
    assert {row["reached"] for row in points if row["mitigation"] == "nearly"} == {False}
    assert "untrained" not in {row["mitigation"] for row in points}
    assert seeds["layer"][1]["transform"] == [{"filter": "datum.reached"}]


def test_every_column_has_all_rows_so_that_they_line_up(runs: list[Run]) -> None:
    for view in drawn(runs)["vconcat"][0]["hconcat"]:
        scales = [unit["encoding"]["y"]["scale"] for unit in view["layer"] if "y" in unit["encoding"]]
        assert scales
        assert all(scale["domain"] == [0, 1, 2, 3, 4] for scale in scales)


def test_two_widths_show_the_same(runs: list[Run]) -> None:
    wide, narrow = (drawn(runs, layout) for layout in (WIDE, NARROW))
    assert wide["datasets"] == narrow["datasets"]

    def width(definition: Definition) -> int:
        return sum(view["width"] + 6 for view in definition["vconcat"][0]["hconcat"])

    assert width(wide) < 7.2 * 96
    assert width(narrow) < 3.5 * 96


def test_what_nothing_is_known_of_has_no_column_and_no_row(tmp_path: Path) -> None:
    cells = [("baseline", measured(case(), None)), ("he", measured(case("he_normal"), None))]
    definition = drawn(read_runs(write_run(tmp_path, cells)))
    (block,) = definition["vconcat"]
    assert titles(block) == [COLUMNS[0], *COLUMNS[3:]]


def test_theory_is_a_tick_where_it_predicts(runs: list[Run]) -> None:
    definition = drawn(runs)
    lost = definition["vconcat"][0]["hconcat"][1]
    (tick,) = [unit for unit in lost["layer"] if unit["mark"]["type"] == "tick"]
    assert tick["encoding"]["x"]["field"] == "theory"
    known = [row["theory"] for row in rows(definition, lost) if row["theory"] is not None]
    assert known
    assert np.isfinite(known).all()


def test_cell_that_failed_is_a_row_with_a_cross(runs: list[Run]) -> None:
    failed = frame(runs).assign(status=["nonfinite", *["ok"] * 4])
    failed.loc[0, ["trained", "step_ratio"]] = None
    (run,) = runs
    without = [replace(each, cell=None) if each is run.entries[0] else each for each in run.entries]
    definition = answer([replace(run, entries=tuple(without))], failed)
    assert definition is not None
    (block,) = definition["vconcat"]
    (row,) = [row for row in rows(definition, block["hconcat"][0]) if row["failed"]]
    assert row["mitigation"] == "baseline"
    (cross,) = [unit for unit in block["hconcat"][1]["layer"] if unit["mark"].get("text") == "✗"]
    assert cross["transform"] == [{"filter": "datum.failed"}]
    assert "✗: nothing could be measured" in " ".join(definition["title"]["text"])


def test_key_explains_what_occurs_and_nothing_else(runs: list[Run], tmp_path: Path) -> None:
    text = " ".join(drawn(runs)["title"]["text"])
    assert all(mark in text for mark in ("Grey name", "Filled circle", "Tick", "Line"))
    assert not any(mark in text for mark in "∞✗")
    untrained = [("baseline", measured(case(), None)), ("he", measured(case("he_normal"), None))]
    text = " ".join(drawn(read_runs(write_run(tmp_path, untrained)))["title"]["text"])
    assert "Grey name" not in text
    assert "Filled circle" not in text


@pytest.mark.parametrize("layout", [WIDE, NARROW])
def test_ticks_of_a_ratio_do_not_touch_however_far_it_reaches(runs: list[Run], layout: Any) -> None:
    definition = answer(runs, frame(runs).assign(memory_ratio=[1.0, 0.4, 8.0, 2.0, 4.0]), layout)
    assert definition is not None
    memory = definition["vconcat"][0]["hconcat"][-1]["layer"][-1]["encoding"]["x"]
    assert memory["field"] == "memory_ratio"
    assert len(memory["axis"]["values"]) > 1
    assert 1.0 in memory["axis"]["values"]
    assert touching(render(definition, "svg").decode()) == []
