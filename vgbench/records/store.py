"""Records on disk: strict JSON beside .npz arrays, written atomically, never pickled."""

import dataclasses
import hashlib
import io
import json
import math
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel

from vgbench.boundary import strict_json
from vgbench.boundary.archive import read_arrays
from vgbench.boundary.schema import decode
from vgbench.errors import InputError
from vgbench.records.migrations import SCHEMA, migrated

T = TypeVar("T")

LARGEST_FILE = 2**30
"""Bytes of a file of records."""


class Folder:
    """The records of a run on one device: `ROOT/DEVICE/{manifest.json, cells/ID.json, costs/ID.json}`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest = path / "manifest.json"

    def cell(self, cell_id: str) -> Path:
        """Where the record of a cell lies."""
        return self.path / "cells" / f"{cell_id}.json"

    def cost(self, cost_id: str) -> Path:
        """Where the record of a pair's cost lies."""
        return self.path / "costs" / f"{cost_id}.json"


def device_folders(root: Path) -> list[Folder]:
    """The folders of all devices under `root`, by name.

    Raises:
        InputError: there is none.
    """
    folders = [Folder(manifest.parent) for manifest in sorted(root.glob("*/manifest.json"))]
    if not folders:
        raise InputError(f"{root}: no records here (a run writes DEVICE/manifest.json into its folder)")
    return folders


def write_record(path: Path, record: Any) -> None:
    """Write a dataclass as `path` (JSON), with its arrays in an .npz of the same stem if it has any.

    The JSON is renamed into place last and holds the arrays' digest, so a record that exists is complete.
    """
    arrays: dict[str, np.ndarray] = {}
    body = _encode(record, "", arrays)
    packed = b""
    if arrays:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        packed = buffer.getvalue()
        write_bytes(path.with_suffix(".npz"), packed)
    content = {"schema": SCHEMA, "digest": _digest(body, packed), "record": body}
    text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)
    write_bytes(path, f"{text}\n".encode())
    if not arrays:
        path.with_suffix(".npz").unlink(missing_ok=True)


def read_record(path: Path, kind: type[T]) -> T:
    """Read back what `write_record` wrote; all of a record counts as written by anybody.

    Raises:
        OtherVersionError: the record is whole, and its fields or members are not those of today.
        InputError: the record is missing, damaged, or not what `kind` says (`vgbench.boundary.schema`); names the file
            and the field, in one line.
    """
    packed_path = path.with_suffix(".npz")
    try:
        root = path.parents[2 if path.parent.name in ("cells", "costs") else 1]
        content = strict_json.loads(read_plain(path, root, LARGEST_FILE).decode())
        packed = read_plain(packed_path, root, LARGEST_FILE) if os.path.lexists(packed_path) else b""
        _check(content, packed)
        body = migrated(content["record"], content.get("schema", 1))
        arrays = read_arrays(packed) if packed else {}
    except FileNotFoundError:
        raise InputError(f"{path}: no such record") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: damaged record ({error})") from None
    return decode(kind, body, arrays, str(path))


def read_plain(path: Path, root: Path, largest: int) -> bytes:
    """Read a file below the folder `root`.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no plain file (a pipe or a device may never end), is reached by a link that leads out of
            `root`, or has more than `largest` bytes.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path.name} is no plain file")
    if not path.resolve().is_relative_to(root.resolve()):
        raise ValueError(f"{path.name} is a link that leads out of the folder")
    if status.st_size > largest:
        raise ValueError(f"{path.name} has more than {largest >> 20} MiB")
    return path.read_bytes()


def sweep(root: Path) -> None:
    """Remove what writers that were killed have left half-written."""
    for left in root.rglob(".*.part"):
        left.unlink(missing_ok=True)


def set_aside(path: Path) -> Path:
    """Rename a record that cannot be read, and its arrays, out of the way; returns its new path."""
    for part in (path.with_suffix(".npz"), path):
        if part.exists():
            part.replace(f"{part}.damaged")
    return Path(f"{path}.damaged")


def copy_record(path: Path, target: Path) -> None:
    """Copy a record and its arrays as they are; the JSON comes last, as in `write_record`."""
    content, arrays = path.read_bytes(), path.with_suffix(".npz")
    if arrays.exists():
        write_bytes(target.with_suffix(".npz"), arrays.read_bytes())
    else:
        target.with_suffix(".npz").unlink(missing_ok=True)
    write_bytes(target, content)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically and durably: it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _check(content: Any, packed: bytes) -> None:
    if not isinstance(content, dict) or content.keys() != {"digest", "record"}:
        raise ValueError("not a digest and a record")
    if content["digest"] != _digest(content["record"], packed):
        raise ValueError("its content does not match its digest")


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


def _sync(folder: Path) -> None:
    """Make a rename durable; only POSIX can, and needs to."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
