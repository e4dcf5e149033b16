"""Records as strict JSON: an array is named by its place, and a number that is not finite is tagged text."""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from pydantic import BaseModel

_FLOATS = {"nan": float("nan"), "inf": float("inf"), "-inf": -float("inf")}


def _tagged(tag: str, text: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {tag: text}, "required": [tag], "additionalProperties": False}


ARRAY = _tagged("$array", {"type": "string"})
"""The JSON Schema of an array."""
NUMBER = {"anyOf": [{"type": "number"}, _tagged("$float", {"enum": list(_FLOATS)})]}
"""The JSON Schema of a number that may be NaN or infinite."""


def encoded(value: Any) -> tuple[Any, dict[str, np.ndarray]]:
    """A dataclass as JSON with `{"$array": PLACE}` for each array and `{"$float": TEXT}` for what is not finite.

    Returns:
        The JSON, and the arrays by their places, as `training.loss`.
    """
    arrays: dict[str, np.ndarray] = {}
    return _encode(value, "", arrays), arrays


def decoded(body: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The tree that JSON was encoded from, its dataclasses as dicts.

    Args:
        body: the JSON.
        arrays: by their places.

    Raises:
        ValueError: an array is named elsewhere than in its place, or is missing, or left over.
    """
    used: list[str] = []
    tree = _resolve(body, "", arrays, used)
    unused = sorted(arrays.keys() - used)
    if unused:
        raise ValueError(f"no field holds the array {unused[0]!r}")
    return tree


def _encode(value: Any, place: str, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, np.ndarray):
        arrays[place] = value
        return {"$array": place}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(float(value))}
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value):
        return dict(_encode_fields(value, place, arrays))
    if isinstance(value, dict):
        return {name: _encode(item, f"{place}.{name}", arrays) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_encode(item, f"{place}.{i}", arrays) for i, item in enumerate(value)]
    return value


def _encode_fields(value: Any, place: str, arrays: dict[str, np.ndarray]) -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(value):
        inner = f"{place}.{field.name}" if place else field.name
        yield field.name, _encode(getattr(value, field.name), inner, arrays)


def _resolve(value: Any, place: str, arrays: Mapping[str, np.ndarray], used: list[str]) -> Any:
    if isinstance(value, list):
        return [_resolve(each, f"{place}.{i}", arrays, used) for i, each in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if "$array" in value:
        if value != {"$array": place} or place not in arrays:
            raise ValueError(f"{place}: names an array that is missing")
        used.append(place)
        return arrays[place]
    if "$float" in value:
        text = value["$float"]
        if len(value) > 1 or not isinstance(text, str) or text not in _FLOATS:
            raise ValueError(f"{place}: not a number")
        return _FLOATS[text]
    return {name: _resolve(each, f"{place}.{name}" if place else name, arrays, used) for name, each in value.items()}
