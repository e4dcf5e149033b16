"""The name of a cell or a row in messages, tables and pictures."""

from collections.abc import Mapping, Sequence
from typing import Any


def label(names: Sequence[str], axes: Mapping[str, Any]) -> str:
    """Join names, such as a mitigation's, and values on swept axes: `relu, depth 8`."""
    return ", ".join([*names, *(f"{axis} {value}" for axis, value in axes.items())])
