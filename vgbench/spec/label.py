"""The name of a cell or a row in messages, tables and pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

from vgbench.spec.registry import REGISTRIES

_NAME = "dataset"
"""The option that people call a member by, which is shown also where it is the default."""


def label(names: Sequence[str], axes: Mapping[str, Any]) -> str:
    """Join names, such as a mitigation's, and values on swept axes: `relu, depth 10,000`."""
    return ", ".join([*names, *(f"{axis} {in_words(axis, value)}" for axis, value in axes.items())])


def in_words(axis: str, value: Any) -> str:
    """A value on a swept axis as text: `10,000`, or a member of a slot with the name of its data.

    Args:
        axis: its name.
        value: a member as the text that suites and records hold; a whole number also as a float, since pandas makes one
            of the integers of a column where one is missing.
    """
    if type(value) is int or (isinstance(value, float) and value.is_integer()):
        return f"{value:,.0f}"
    return _named(axis, value) if axis in REGISTRIES and isinstance(value, str) else str(value)


def _named(slot: str, text: str) -> str:
    name, _, given = text.removesuffix(")").partition("(")
    fields = next((member.choice.model_fields for member in REGISTRIES[slot] if member.name == name), {})
    if _NAME not in fields or f"{_NAME}=" in given:
        return text
    return f"{name}({', '.join([f'{_NAME}={fields[_NAME].default}', *([given] if given else [])])})"
