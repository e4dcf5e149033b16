"""Tables of a page in few bytes: by column, and values that repeat one another with how often they do."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from vgbench.pictures.compose import Definition

Packed = dict[str, Any]
"""For each column its values, or an object whose `runs` are pairs of a value and how often it follows itself."""


def packed(rows: Sequence[Mapping[str, Any]]) -> Packed:
    """The rows by column; all rows have the columns of the first."""
    return {name: _column([row[name] for row in rows]) for name in (rows[0] if rows else ())}


def _column(values: list[Any]) -> Any:
    runs = [[value, len(list(same))] for value, same in groupby(values)]
    return {"runs": runs} if 2 * len(runs) < len(values) else values


def packed_picture(definition: Definition) -> Definition:
    """A picture with its datasets packed."""
    return {**definition, "datasets": {name: packed(rows) for name, rows in definition["datasets"].items()}}
