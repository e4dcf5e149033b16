"""Records on disk: strict JSON, with arrays as an .npz inside it, each a file of its own that is never half there."""

import dataclasses
import hashlib
import io
import json
import math
import zipfile
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

import numpy as np
from pydantic import BaseModel

from vgbench.boundary.files import write_all
from vgbench.boundary.paths import is_id, within
from vgbench.errors import InputError, OtherVersionError

T = TypeVar("T")

_DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile, RecursionError)


class Folder:
    """The records of a run on one device: `ROOT/DEVICE/{manifest.json, cells/ID.json, costs/ID.json}`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest = path / "manifest.json"

    def cell(self, cell_id: str) -> Path:
        """Where the record of a cell lies.

        Raises:
            InputError: it is no id, or its place lies outside the folder.
        """
        return self._place("cells", cell_id)

    def cost(self, cost_id: str) -> Path:
        """Where the record of a pair's cost lies; raises as `cell` does."""
        return self._place("costs", cost_id)

    def _place(self, kind: str, name: str) -> Path:
        if not is_id(name):
            raise InputError(f"{self.manifest}: {name!r} is no id of a record (16 hexadecimal digits)")
        return within(self.path, self.path / kind / f"{name}.json")


def device_folder(root: Path, device: str) -> Folder:
    """The folder of a device under `root`, there or not.

    Raises:
        InputError: it lies outside `root`.
    """
    folder = Folder(root / device)
    within(root, folder.manifest)
    return folder


def device_folders(root: Path) -> list[Folder]:
    """The folders of all devices under `root`, by name.

    Raises:
        InputError: there is none, or one lies outside `root`.
    """
    names = [manifest.parent.name for manifest in sorted(root.glob("*/manifest.json"))]
    folders = [device_folder(root, name) for name in names if not name.startswith(".")]
    if not folders:
        raise InputError(f"{root}: no records here (a run writes DEVICE/manifest.json into its folder)")
    return folders


def pack(record: Any) -> bytes:
    """A dataclass with its arrays as the content of one file, which holds a digest of both."""
    arrays: dict[str, np.ndarray] = {}
    body = _encode(record, "", arrays)
    packed = io.BytesIO()
    if arrays:
        np.savez_compressed(packed, allow_pickle=False, **arrays)
    return _text(body, packed.getvalue())


def repack(path: Path) -> bytes:
    """The same of the record at `path`, whose arrays may also lie, as they did once, in a file beside it.

    Raises:
        InputError: the record is missing, truncated or altered; names the file.
    """
    body, packed = _load(path)
    try:
        return _text(body, packed)
    except _DAMAGE as error:
        raise InputError(f"{path}: damaged record ({error})") from None


def write_packed(contents: Mapping[Path, bytes]) -> None:
    """Write packed records: all of them or, where one cannot be written, none. What is there already stays."""
    write_all({path: content for path, content in contents.items() if not _holds(path, content)})
    for path in contents:
        _old_arrays(path).unlink(missing_ok=True)


def write_record(path: Path, record: Any) -> None:
    """Write a dataclass as `path`; the record that was there before is there until this one takes its place."""
    write_packed({path: pack(record)})


def read_record(path: Path, kind: type[T]) -> T:
    """Read back what `write_record` wrote.

    Raises:
        InputError: the record is missing, truncated or altered; names the file.
    """
    body, packed = _load(path)
    try:
        _check_name(path, body, kind)
        arrays: dict[str, np.ndarray] = {}
        if packed:
            with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
                arrays = dict(archive)
    except _DAMAGE as error:
        raise InputError(f"{path}: damaged record ({error})") from None
    with suppress(ValueError, TypeError, KeyError, AttributeError):
        decoded = _decode(kind, body, arrays)
        if isinstance(decoded, kind):
            return decoded
    # Its digest holds, so nothing is damaged: it is whole, and its fields or members are not those of today.
    told = "written by another version of vgbench, with other fields, or with a plug-in that is not installed"
    raise OtherVersionError(f"{path}: {told}")


def set_aside(path: Path) -> Path:
    """Rename a record that cannot be read, and its arrays, out of the way; returns its new path."""
    for part in (_old_arrays(path), path):
        if part.exists():
            part.replace(f"{part}.damaged")
    return Path(f"{path}.damaged")


def _load(path: Path) -> tuple[Any, bytes]:
    """The record at `path` as JSON, and its arrays as an .npz, as they were written."""
    try:
        content = json.loads(path.read_bytes())
        packed = _arrays(path, content)
        if content["digest"] != _digest(content["record"], packed):
            raise ValueError("its content does not match its digest")
        return content["record"], packed
    except FileNotFoundError:
        raise InputError(f"{path}: no such record") from None
    except _DAMAGE as error:
        raise InputError(f"{path}: damaged record ({error})") from None


def _arrays(path: Path, content: dict[str, Any]) -> bytes:
    if "arrays" in content:
        packed = b64decode(content["arrays"], validate=True)
        if b64encode(packed).decode() != content["arrays"]:  # the last digit has bits that count for nothing
            raise ValueError("its arrays are not what was written")
        return packed
    beside = _old_arrays(path)
    return beside.read_bytes() if beside.exists() else b""


def _old_arrays(path: Path) -> Path:
    """Where a record's arrays lay before they came into its own file, as they still do in records of that time."""
    return path.with_suffix(".npz")


def _check_name(path: Path, body: Any, kind: type) -> None:
    """A record that is looked up by its id is the one of that id; the name of one that lies elsewhere says nothing."""
    known = getattr(kind, "id_of", None)
    if known and is_id(path.stem) and known(body) != path.stem:
        raise ValueError(f"it is the record of {known(body)}, under another one's name")


def _holds(path: Path, content: bytes) -> bool:
    return path.exists() and path.read_bytes() == content


def _text(body: Any, packed: bytes) -> bytes:
    content = {"digest": _digest(body, packed), "record": body, "arrays": b64encode(packed).decode()}
    return f"{json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)}\n".encode()


def _digest(body: Any, packed: bytes) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode() + packed).hexdigest()


def _encode(value: Any, place: str, arrays: dict[str, np.ndarray]) -> Any:
    """Turn `value` into strict JSON: arrays go to `arrays` under their place, non-finite numbers become tagged text."""
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


def _decode(kind: Any, value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if value is None:
        return None
    if isinstance(value, dict) and "$array" in value:
        return arrays[value["$array"]]
    if isinstance(value, dict) and "$float" in value:
        return float(value["$float"])
    options = [option for option in get_args(kind) if option is not NoneType]
    if NoneType in get_args(kind) and len(options) == 1:
        kind = options[0]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind.model_validate(value)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return kind(**{name: _decode(hints[name], item, arrays) for name, item in value.items()})
    if isinstance(value, list):
        return tuple(_decode(options[0] if options else Any, item, arrays) for item in value)
    return value
