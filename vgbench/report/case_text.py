"""A case as text to copy: as TOML for a suite's baseline, and as Python."""

import json
from typing import Any

from vgbench.spec.case import Case
from vgbench.spec.registry import Choice


def as_toml(case: Case) -> str:
    """All fields of a case, a line each; a slot with its options where they are not the default ones."""
    return "".join(f"{name} = {_toml(_short(value))}\n" for name, value in case)


def as_python(case: Case) -> str:
    """The same as an expression."""
    fields = "".join(f"    {name}={_short(value)!r},\n" for name, value in case)
    return f"vgbench.Case(\n{fields})"


def _short(value: Any) -> Any:
    if not isinstance(value, Choice):
        return list(value) if isinstance(value, tuple) else value
    known = type(value).model_fields
    changed = {name: option for name, option in value.options().items() if option != known[name].default}
    return {"name": value.name, **changed} if changed else value.name


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        fields = ", ".join(f"{name} = {_toml(option)}" for name, option in value.items() if option is not None)
        return f"{{ {fields} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value) if isinstance(value, bool | int) else repr(value)
