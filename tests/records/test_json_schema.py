"""The published JSON Schema says what records are."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from helpers.made import HE, measured, write_run

from vgbench.measure.snapshot import Snapshots
from vgbench.records import store
from vgbench.records.json_schema import json_schema, text
from vgbench.records.migrations import SCHEMA, migrated

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "docs" / "_static" / "record.schema.json"
KINDS = ("manifest.json", "cells/*.json", "costs/*.json")


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture
def record(tmp_path: Path) -> dict[str, Any]:
    """The file of a cell, as JSON."""
    (path,) = write_run(tmp_path / "run", [("he", measured(HE))]).glob("*/cells/*.json")
    return json.loads(path.read_text())


def test_the_published_file_is_what_the_dataclasses_say() -> None:
    assert PUBLISHED.read_text() == text(), (
        "run python -m vgbench.records.json_schema > docs/_static/record.schema.json"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_valid(kind: str, tmp_path: Path, validator: jsonschema.Draft202012Validator) -> None:
    (path,) = write_run(tmp_path / "run", [("he", measured(HE))]).glob(f"*/{kind}")
    validator.validate(json.loads(path.read_text()))


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ((), "attempts", -1),
        ((), "more", 1),
        (("training",), "learning_rate", "0.1"),
        (("training",), "zero_share", {"$array": "training.zero_share"}),
        (("training", "snapshots"), "zero_share", [0.5]),
        (("training",), "chance", {"$float": "x"}),
        (("case", "init"), "name", None),
    ],
)
def test_what_is_no_record_is_not_valid(
    part: tuple[str, ...], name: str, value: Any, record: dict[str, Any], validator: jsonschema.Draft202012Validator
) -> None:
    assert validator.is_valid(record)
    held = record["record"]
    for each in part:
        held = held[each]
    held[name] = value
    assert not validator.is_valid(record)


def test_an_array_is_described_by_its_dtype_dimensions_and_bounds() -> None:
    described = json_schema()["$defs"][Snapshots.__name__]["properties"]["log10_activation_norm"]["description"]
    assert described == "Float64[seeds, snapshots, depth], each from -1e+09 to 1e+09 or infinite or NaN"


@pytest.mark.slow
def test_every_published_record_is_valid_as_todays_version_has_it(validator: jsonschema.Draft202012Validator) -> None:
    checked = 0
    patterns = [f"*/*/{kind}{end}" for kind in KINDS for end in ("", store.COMPRESSED)]
    for path in (path for pattern in patterns for path in sorted((ROOT / "results").glob(pattern))):
        content = store._load(path)
        body = migrated(content.body, content.schema)
        validator.validate({"schema": SCHEMA, "digest": "0" * 64, "record": body, "arrays": ""})
        checked += 1
    assert checked > 400
