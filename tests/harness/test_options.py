"""The options of a run: one description, default and bound each, which every way to a run reads."""

import inspect
from pathlib import Path
from typing import Any

import pytest

import vgbench as vg
from vgbench.errors import InputError
from vgbench.harness.options import HOW, KEPT, WHAT, WHERE, RunOptions, read_options
from vgbench.measure.timing import measure_cost


def test_every_option_has_a_description_and_a_group() -> None:
    for name, field in RunOptions.model_fields.items():
        shown: Any = field.json_schema_extra
        assert field.description, name
        assert field.description.endswith("."), name
        assert shown["group"] in (WHAT, HOW, WHERE, KEPT), name


def test_timing_has_one_default_precision() -> None:
    assert inspect.signature(measure_cost).parameters["precision"].default == RunOptions().precision


def test_paths_may_be_text_and_sequences_of_any_kind() -> None:
    options = read_options({"out": "runs/x", "reuse": ["a", Path("b")], "only": ["he"], "settings": {"depth": (2, 3)}})
    assert (options.out, options.reuse, options.only) == (Path("runs/x"), (Path("a"), Path("b")), ("he",))
    assert list(options.settings["depth"]) == [2, 3]


def test_memory_is_given_in_gib_and_limited_in_bytes() -> None:
    assert read_options({"memory_limit": 1.5}).limits["memory_limit"] == 3 * 2**29
    assert read_options({}).limits["memory_limit"] is None


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"timeuot": 3}, r"^option: unknown field 'timeuot'; did you mean 'timeout'\? \(choose from: "),
        ({"timeout": 0}, r"^option: timeout: Input should be greater than or equal to 0\.001$"),
        ({"timeout": float("nan")}, r"^option: timeout: Input should be"),
        ({"precision": 2}, r"^option: precision: Input should be less than or equal to 1$"),
        ({"quick": "yes"}, r"^option: quick: Input should be a valid boolean$"),
    ],
)
def test_bad_option_is_one_line_that_names_it(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        vg.run("quickstart", **options)
