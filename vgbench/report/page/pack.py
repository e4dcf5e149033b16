"""What a page holds in few bytes: tables by column, and text compressed as browsers can read it."""

import base64
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from vgbench.pictures.compose import Definition


def by_column(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The rows' values by column; all rows have the columns of the first."""
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}


def picture_by_column(definition: Definition) -> Definition:
    """A picture with its datasets by column."""
    return {**definition, "datasets": {name: by_column(rows) for name, rows in definition["datasets"].items()}}


def compressed(text: str) -> str:
    """Text as base64 of what `DecompressionStream("deflate")` reads: no sign of it ends the element that it is in."""
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()
