"""Untrusted JSON: what RFC 8259 leaves open is refused, so that a text has one meaning and limited nesting."""

import json
import math
from collections.abc import Sequence
from typing import Any

DEEPEST = 32
"""Deepest nesting of objects and lists; records of vgbench need less than half of it."""
_LONGEST_INTEGER = 20
_INTEGERS = range(-(2**63), 2**63)


def loads(text: str, *, nonfinite: bool = False) -> Any:
    """Read a JSON text.

    Args:
        text: what to read.
        nonfinite: accept NaN, Infinity and numbers beyond float64, which many programs write.

    Raises:
        ValueError: the text is not JSON, an object has two fields of one name, an integer has more than 64 bits, a
            number is not finite, values are nested too deeply, or a string has a lone surrogate.
    """
    try:
        value = json.loads(
            text,
            parse_int=_integer,
            parse_float=float if nonfinite else _finite,
            parse_constant=None if nonfinite else _refuse,
            object_pairs_hook=_object,
        )
    except RecursionError:
        raise ValueError(f"values are nested more than {DEEPEST} levels deep") from None
    _check(value, DEEPEST)
    return value


def _integer(digits: str) -> int:
    if len(digits) <= _LONGEST_INTEGER and int(digits) in _INTEGERS:
        return int(digits)
    raise ValueError(f"an integer of more than 64 bits ({digits[:_LONGEST_INTEGER]}...)")


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isfinite(value):
        return value
    raise ValueError(f"a number beyond the range of float64 ({digits[:_LONGEST_INTEGER]})")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"two fields have the name {twice[:80]!r}")
    return table


def _check(value: Any, deep: int) -> None:
    if isinstance(value, str):
        value.encode()  # half of a surrogate pair can be written as an escape, and in no file
    elif isinstance(value, dict | list):
        if not deep:
            raise ValueError(f"values are nested more than {DEEPEST} levels deep")
        for each in [*value, *value.values()] if isinstance(value, dict) else value:
            _check(each, deep - 1)
