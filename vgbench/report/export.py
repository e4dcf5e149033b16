"""The frame of a run as a file: CSV for spreadsheets, JSON and Parquet with the type and the meaning of each column."""

import json
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd

from vgbench.errors import InputError
from vgbench.plain import one_line
from vgbench.report.columns import columns_of

_TYPES = {"boolean": "boolean", "Int64": "integer", "Float64": "number", "string": "string"}
"""Table Schema's names of the types of pandas."""

_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
"""What a spreadsheet takes for the beginning of a formula, in full width, too."""


def csv(data: pd.DataFrame) -> str:
    """The frame as comma-separated text that a spreadsheet takes for no formula."""
    data = data.map(_csv_cell).rename(columns=_csv_cell)
    return data.to_csv(index=False, lineterminator="\n", float_format=_digits)


def _digits(value: float) -> str:
    """A count in full, anything else with seven digits: float32, in which most is measured, has no more."""
    return f"{value:z.0f}" if value.is_integer() else f"{value:z.7g}"


def _csv_cell(value: Any) -> Any:
    """A name on one line, as text to spreadsheets; a number as it is."""
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _typed(data: pd.DataFrame) -> pd.DataFrame:
    """The frame with integers, truth values and text that may be missing; a column without any value holds numbers."""
    empty = data.columns[data.isna().all()]
    typed = data.convert_dtypes().astype(dict.fromkeys(empty, "Float64"))
    return typed.astype({name: "string" for name in typed if str(typed[name].dtype) not in _TYPES})


def _meanings(data: pd.DataFrame) -> dict[str, str]:
    return {column.name: column.meaning or "a swept field of the case" for column in columns_of(map(str, data.columns))}


def json_table(data: pd.DataFrame) -> str:
    """The frame as an object with a Table Schema and the rows; what is missing is null, and infinity "INF"."""
    typed, meanings = _typed(data), _meanings(data)
    fields = [
        {"name": str(name), "type": _TYPES[str(typed[name].dtype)], "description": meanings[str(name)]}
        for name in typed
    ]
    rows = [{str(name): _plain(value) for name, value in row.items()} for row in typed.to_dict("records")]
    content = {"schema": {"fields": fields, "missingValues": [""]}, "data": rows}
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    if isinstance(value, float) and np.isinf(value):
        return "INF" if value > 0 else "-INF"
    return value


def parquet(data: pd.DataFrame) -> bytes:
    """The frame as Parquet; each field's metadata has its `meaning`.

    Raises:
        InputError: pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet as written
    except ImportError:
        raise InputError("format parquet: needs the package pyarrow (pip install 'vgbench[parquet]')") from None
    table = pyarrow.Table.from_pandas(_typed(data), preserve_index=False)
    meanings = _meanings(data)
    fields = [field.with_metadata({"meaning": meanings[field.name]}) for field in table.schema]
    output = BytesIO()
    written.write_table(table.cast(pyarrow.schema(fields)), output)
    return output.getvalue()
