"""Axes of a suite: every combination of those that are swept, and those that go together."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from vgbench.errors import InputError
from vgbench.spec.axes import combinations
from vgbench.spec.suite import Suite, read_suite


def suite(**fields: Any) -> Suite:
    base = {"name": "mine", "title": "Title", "question": "Question?", "baseline": {"steps": 0}}
    return Suite(**{**base, **fields})


def test_values_go_together_in_every_combination_with_those_that_are_swept() -> None:
    assert list(combinations({"seed": [0, 1]}, {"depth": [4, 9], "width": [8, 5]})) == [
        *({"depth": 4, "width": 8, "seed": seed} for seed in (0, 1)),
        *({"depth": 9, "width": 5, "seed": seed} for seed in (0, 1)),
    ]
    assert list(combinations({}, {})) == [{}]


def test_every_row_has_the_values_of_its_cell() -> None:
    mine = suite(zip={"depth": [4, 9], "init": ["orthogonal", {"name": "lecun_normal", "gain": 0.5}]})
    assert [cell.label for cell in mine.cells()] == [
        "baseline, depth 4, init orthogonal",
        "baseline, depth 9, init lecun_normal(gain=0.5)",
    ]
    assert [(cell.case.depth, cell.case.init.name) for cell in mine.cells()] == [(4, "orthogonal"), (9, "lecun_normal")]


def test_learning_rates_of_each_depth_are_an_axis_that_goes_with_it() -> None:
    mine = suite(baseline={}, zip={"depth": [4, 9], "learning_rates": [[0.1, 0.2], [0.01]]})
    assert [cell.case.learning_rates for cell in mine.cells()] == [(0.1, 0.2), (0.01,)]
    assert {cell.case.learning_rates for cell in mine.select({"learning_rates": [0.5]}).cells()} == {(0.5,)}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"zip": {"depth": [4, 9], "width": [8]}},
            "zip.width: its list is 1 long, and that of depth is 2 long; axes that go together need equally many",
        ),
        ({"zip": {"depth": [4]}, "sweep": {"depth": [4]}}, "zip.depth: is in [sweep], too"),
        ({"zip": {"depth": []}}, "List should have at least 1 item"),
    ],
)
def test_axes_that_do_not_go_together_are_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        suite(**fields)
    assert message in str(raised.value)


def test_message_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('title = "T"\nquestion = "Q?"\n[baseline]\n[zip]\ndepth = [1, 2]\nwidth = [3]\n')
    with pytest.raises(InputError, match=rf"^{path}: zip\.width: its list is 1 long, and that of depth is 2 long; "):
        read_suite(path)


def test_unknown_axis_is_named_with_its_place() -> None:
    with pytest.raises(InputError, match=r"^suite 'mine', baseline: unknown field 'dept'; did you mean 'depth'\?"):
        suite(zip={"dept": [1], "width": [3]}).cells()


def test_claims_may_name_axes_that_go_together() -> None:
    cells = {"mitigation": "baseline", "at": {"width": 8}}
    claim = {"sentence": "S", "hypothesis": "H", "statistic": "decay", "cells": cells, "rule": {"above": 0.0}}
    suite(zip={"depth": [4, 9], "width": [8, 5]}, claims=[claim])
    with pytest.raises(ValidationError, match=r"unknown swept axis 'width'.* \(choose from: depth\)"):
        suite(zip={"depth": [4, 9]}, claims=[claim])


def test_settings_replace_axes_that_go_together_as_a_whole() -> None:
    mine = suite(zip={"depth": [4, 9], "width": [8, 5]}, quick={"depth": 2, "width": 3})
    assert [dict(cell.axes) for cell in mine.quick_version().cells()] == [{"depth": 2, "width": 3}]
    assert mine.select({"depth": [1, 2]}).zip == {"depth": [1, 2], "width": [8, 5]}
    with pytest.raises(InputError, match=r"^zip\.width: its list is 2 long, and that of depth is 1 long"):
        mine.select({"depth": [4]})
