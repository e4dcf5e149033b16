"""Reading and writing run files."""

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from vgbench.boundary.files import write_bytes
from vgbench.boundary.run_file import FORMAT, VERSION, Header, Record, Run
from vgbench.boundary.schema import first_fault
from vgbench.boundary.strict_json import loads
from vgbench.errors import InputError

_BY_LAYER = "signal", "dead", "saturated"
"""Lists of records as people wrote them before there were modules."""
_OF_HEADER = {"chance": "chance_loss", "chance_accuracy": "chance_accuracy"}
"""Fields of records that hold for the whole run, as people wrote them before there was a header."""


def read_run(path: Path) -> Run:
    """Read a run file.

    Raises:
        InputError: it cannot be read, holds no record, or a line is not what the format says; names line and field.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    lines, places = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        places.append(f"{path}: line {number}")
        try:
            lines.append(loads(line, nonfinite=True))
        except ValueError as error:
            raise InputError(f"{places[-1]}: not valid JSON: {error}") from None
    if not lines:
        raise InputError(f"{path}: no records to read")
    return run_of(lines, places)


def run_of(lines: Sequence[Any], places: Sequence[str] | None = None) -> Run:
    """Make a run of the objects that a run file holds, a header first or none.

    Lists `signal`, `dead` and `saturated` of records without `modules` become modules by number, and `chance` and
    `chance_accuracy` of records go to the header.

    Args:
        lines: dicts as JSON or Python has them.
        places: what messages call them; "record 1" and so on if None.

    Raises:
        InputError: there is no record, or one is of another form; names it and the field.
    """
    places = places or [f"record {number}" for number in range(1, len(lines) + 1)]
    for line, place in zip(lines, places, strict=True):
        if not isinstance(line, Mapping):
            raise InputError(f"{place}: needs an object, as vgbench.watched gives")
    has_header = bool(lines) and "format" in lines[0]
    head, body = (lines[0], lines[1:]) if has_header else ({}, lines)
    if not body:
        raise InputError("no records to read")
    if has_header and (head.get("format") != FORMAT or head.get("version", VERSION) != VERSION):
        found = f"{head.get('format')!r} of version {head.get('version', VERSION)!r}"
        raise InputError(f"{places[0]}: format: {found}, where {FORMAT!r} of version {VERSION} is read")
    moved = {new: body[0][old] for old, new in _OF_HEADER.items() if body[0].get(old) is not None}
    header = _validated(Header, {**moved, **_given(head)}, places[0])
    records = zip(body, places[-len(body) :], strict=True)
    return Run(header, tuple(_validated(Record, _with_modules(line, place), place) for line, place in records))


def lines_of(run: Run) -> Iterable[str]:
    """The lines of a run file, the header first; strict JSON without line ends."""
    for each in (run.header, *run.records):
        yield json.dumps(plain(each), allow_nan=False)


def write_run(path: Path, run: Run) -> None:
    """Write a run file: it is there whole, or as it was before.

    Raises:
        OSError: it cannot be written.
    """
    write_bytes(path, "".join(f"{line}\n" for line in lines_of(run)).encode())


def plain(value: Any) -> Any:
    """A part of a run as JSON has it: what is not finite as strings, what was not recorded left out."""
    if dataclasses.is_dataclass(value):
        fields = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
        optional = {each.name for each in dataclasses.fields(value) if each.default_factory is not dataclasses.MISSING}
        left_out = {name for name, each in fields.items() if each is None or (name in optional and not each)}
        return {name: plain(each) for name, each in fields.items() if name not in left_out}
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a line of a run file."""
    schema = _adapter(Header | Record).json_schema()
    header, record = schema["$defs"]["Header"], schema["$defs"]["Record"]
    header["required"] = ["format"]
    record["not"] = {"required": ["format"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of a vgbench run file: the header, on the first line, or a record",
        **schema,
    }


def _given(line: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are not null, which is to say not recorded."""
    return {name: value for name, value in line.items() if value is not None}


def _with_modules(line: Mapping[str, Any], place: str) -> dict[str, Any]:
    fields = _given(line)
    lists = {name: fields.pop(name) for name in _BY_LAYER if name in fields}
    for name, values in lists.items():
        if not isinstance(values, Sequence) or isinstance(values, str):
            raise InputError(f"{place}: {name}: needs a list, a number for each layer")
    if lists and "modules" not in fields:
        depth = max(map(len, lists.values()))
        fields["modules"] = {
            f"layer {i + 1}": {name: values[i] for name, values in lists.items() if i < len(values)}
            for i in range(depth)
        }
    return fields


def _validated(kind: Any, fields: dict[str, Any], place: str) -> Any:
    try:
        return _adapter(kind).validate_python(fields)
    except ValidationError as error:
        raise InputError(f"{place}: {first_fault(error)}") from None


@cache
def _adapter(kind: Any) -> Any:
    return TypeAdapter(kind)
