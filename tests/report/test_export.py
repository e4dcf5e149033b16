"""The frame as JSON and Parquet: its numbers, with the type and the meaning of each column."""

import json
from io import BytesIO

import numpy as np
import pandas as pd
import pytest

from vgbench.report.columns import COLUMNS
from vgbench.report.export import json_table, parquet

ROWS = {
    "activation": ["relu", "tanh"],
    **{column.name: [np.nan, np.nan] for column in COLUMNS},
    "mitigation": ["he", "baseline"],
    "depth": [3, 6],
    "trained": [2.0, np.nan],
    "decay": [-0.25, np.nan],
    "seconds_to_target": [1.5, np.inf],
    "departs": [True, np.nan],
}


@pytest.fixture
def data() -> pd.DataFrame:
    return pd.DataFrame(ROWS).astype({"departs": object})


def test_json_has_a_schema_with_types_and_meanings(data: pd.DataFrame) -> None:
    content = json.loads(json_table(data))
    fields = {field["name"]: field for field in content["schema"]["fields"]}
    assert list(fields) == list(data.columns)
    kinds = {name: fields[name]["type"] for name in ("mitigation", "depth", "trained", "decay", "departs")}
    assert list(kinds.values()) == ["string", "integer", "integer", "number", "boolean"]
    assert fields["depth"]["description"] == "hidden layers; of a recurrent network, time steps"
    assert fields["activation"]["description"] == "a swept field of the case"
    first, second = content["data"]
    assert (first["decay"], first["trained"], first["departs"]) == (-0.25, 2, True)
    assert (second["decay"], second["trained"], second["seconds_to_target"]) == (None, None, "INF")


def test_parquet_is_the_frame_with_its_meanings(data: pd.DataFrame) -> None:
    pytest.importorskip("pyarrow")
    from pyarrow import parquet as read

    table = read.read_table(BytesIO(parquet(data)))
    assert table.column_names == list(data.columns)
    assert table["depth"].to_pylist() == [3, 6]
    assert table["seconds_to_target"].to_pylist() == [1.5, np.inf]
    assert table["decay"].to_pylist() == [-0.25, None]
    assert table.schema.field("decay").metadata[b"meaning"].startswith(b"slope of log10")
