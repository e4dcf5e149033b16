"""The run file: what is read and written, what is refused, and that the published schema says the same."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from vgbench.boundary.run_file import HISTOGRAM_EDGES, Header, Layer, Module, Moments, Record, Run
from vgbench.boundary.run_lines import json_schema, lines_of, read_run, run_of, write_run
from vgbench.errors import InputError

PUBLISHED = Path(__file__).parents[2] / "docs" / "_static" / "run-file.schema.json"
NAN, INF = float("nan"), float("inf")
FULL = Run(
    Header(
        framework="torch",
        dtype="float16",
        classes=10,
        chance_loss=2.3026,
        chance_accuracy=0.1,
        every=5,
        nonfinite_since={},
        batch={"x": Moments(dtype="float32", mean=0.0, deviation=1.0, largest=4.0)},
    ),
    (
        Record(
            step=0,
            loss=2.5,
            losses=(2.5, INF),
            nonfinite_losses=1,
            validation_loss=2.4,
            accuracy=0.1,
            learning_rate=1e-3,
            loss_scale=2.0**15,
            layers={"w": Layer(gradient=-INF, weight=0.5, update=-INF, zero=1.0, dtype="float32", moved=0.0)},
            modules={"h": Module(signal=-12.5, exact_to=-INF, activation="relu", dead=0.25, entropy=(0.5, 0.75))},
        ),
        Record(step=5, nonfinite_since={"gradients": 3, "loss": 4}, layers={"w": Layer(gradient=INF)}),
    ),
)


def test_what_is_written_is_read_again_and_is_strict_json_by_the_schema(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    write_run(path, FULL)
    assert read_run(path) == FULL
    for line in path.read_text().splitlines():
        jsonschema.validate(json.loads(line, parse_constant=pytest.fail), json_schema())


def test_zero_not_finite_and_not_recorded_are_three_things() -> None:
    layer = {"gradient": "-inf", "weight": "nan", "update": None}
    (record,) = run_of([{"step": 0, "layers": {"w": layer}}]).records
    found = record.layers["w"]
    assert found.gradient == -INF
    assert np.isnan(found.weight)
    assert found.update is None
    assert json.loads([*lines_of(Run(Header(), (record,)))][1])["layers"]["w"] == {"gradient": "-inf", "weight": "nan"}


def test_pythons_own_words_and_numpys_numbers_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text('{"step": 0, "loss": NaN, "layers": {"w": {"gradient": -Infinity}}, "mine": [1]}\n\n{"step": 1}')
    first, second = read_run(path).records
    assert np.isnan(first.loss)
    assert first.layers["w"].gradient == -INF
    assert second == Record(step=1)
    assert run_of([{"step": np.int64(3), "loss": np.float32(0.5)}]).records == (Record(step=3, loss=0.5),)


def test_lists_and_levels_of_chance_that_people_wrote_before_find_their_places() -> None:
    lines = [{"step": 0, "signal": [-3.0, None], "dead": [0.5], "chance": 2.3, "chance_accuracy": 0.1}]
    run = run_of(lines)
    assert (run.header.chance_loss, run.header.chance_accuracy) == (2.3, 0.1)
    assert run.records[0].modules == {"layer 1": Module(signal=-3.0, dead=0.5), "layer 2": Module()}


def test_the_first_non_finite_steps_are_the_earliest_of_all_that_is_said() -> None:
    assert FULL.nonfinite_since == {"gradients": 3, "loss": 4}
    assert replace(FULL, records=()).nonfinite_since == {}
    assert Run(Header(), (Record(step=0),)).nonfinite_since is None


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ([], "no records to read"),
        ([{"format": "vgbench-run"}], "no records to read"),
        ([3], "record 1: needs an object"),
        ([{}], "record 1: no field 'step'"),
        ([{"step": -1}], "record 1: step: Input should be greater than or equal to 0"),
        ([{"step": True}], "record 1: step: needs an integer"),
        ([{"step": 0.5}], "record 1: step: needs an integer"),
        ([{"step": 0}, {"step": 1, "loss": "x"}], 'record 2: loss: needs a number, "-inf", "inf" or "nan"'),
        ([{"step": 0, "layers": {"w": {"zero": "0.5"}}}], "record 1: layers.w.zero: needs a number"),
        ([{"step": 0, "dead": 3}], "record 1: dead: needs a list, a number for each layer"),
        ([{"step": 0, "nonfinite_since": {"weights": 1}}], "'loss', 'gradients', 'updates' or 'parameters'"),
        ([{"format": "mine"}, {"step": 0}], "record 1: format: 'mine' of version 1, where 'vgbench-run' of version 1"),
        ([{"format": "vgbench-run", "version": 2}, {"step": 0}], "'vgbench-run' of version 2, where"),
    ],
)
def test_what_is_no_run_is_refused_with_record_and_field(lines: list[Any], fault: str) -> None:
    with pytest.raises(InputError) as caught:
        run_of(lines)
    assert fault in str(caught.value)


def test_a_fault_of_a_file_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    for text, fault in (("", "no records"), ('{"step": 0}\n{', "line 2: not valid JSON"), ("\n[]", "line 2: needs")):
        path.write_text(text)
        with pytest.raises(InputError, match=fault):
            read_run(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_run(tmp_path)


def test_the_published_schema_is_the_one_that_lines_are_read_by() -> None:
    assert json.loads(PUBLISHED.read_text()) == json_schema()
    jsonschema.Draft202012Validator.check_schema(json_schema())
    for bad in ({}, {"step": -1}, {"step": 0, "loss": "x"}, {"format": "vgbench-run", "version": 2}, {"format": "x"}):
        assert not jsonschema.Draft202012Validator(json_schema()).is_valid(bad)


def test_histograms_have_a_share_below_between_and_above_their_edges() -> None:
    assert len(HISTOGRAM_EDGES) + 1 == 21
