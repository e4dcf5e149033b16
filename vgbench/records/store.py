"""Records on disk: each is one file of strict JSON with its arrays as an .npz inside, and is never half-written.

The file of a published record is compressed, and its name ends with `.json.gz`.
"""

import binascii
import gzip
import hashlib
import io
import json
import os
import stat
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from vgbench.boundary import strict_json
from vgbench.boundary.archive import read_arrays
from vgbench.boundary.encoding import decoded, encoded
from vgbench.boundary.files import write_all
from vgbench.boundary.paths import is_id, within
from vgbench.boundary.schema import decode
from vgbench.errors import InputError
from vgbench.records.migrations import SCHEMA, migrated

T = TypeVar("T")

LARGEST_FILE = 2**30
"""Largest size of a record's file, in bytes."""


COMPRESSED = ".gz"
"""The end of the name of a file that is compressed."""


class _Content(NamedTuple):
    """A record as it was written: its schema version, its JSON, and its arrays as an .npz (empty if there are none)."""

    schema: int
    body: Any
    packed: bytes


class Folder:
    """The records of a run on one device: `ROOT/DEVICE/{manifest.json, cells/ID.json, costs/ID.json}`.

    Those of published runs are `cells/ID.json.gz` and `costs/ID.json.gz`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest = path / "manifest.json"

    def cell(self, cell_id: str) -> Path:
        """The path of a cell's record.

        Raises:
            InputError: the id is invalid, or the path leads out of the folder.
        """
        return self._place("cells", cell_id)

    def cost(self, cost_id: str) -> Path:
        """The path of the record of a pair's cost; raises as `cell` does."""
        return self._place("costs", cost_id)

    def _place(self, kind: str, name: str) -> Path:
        if not is_id(name):
            raise InputError(f"{self.manifest}: {name!r} is not the id of a record (16 hexadecimal digits)")
        path = self.path / kind / f"{name}.json"
        compressed = path.with_name(f"{path.name}{COMPRESSED}")
        return within(self.path, compressed if compressed.exists() and not path.exists() else path)

    def files(self, kind: str) -> list[Path]:
        """The files of all records in `cells` or `costs`, ordered by name."""
        return sorted(each for end in ("", COMPRESSED) for each in (self.path / kind).glob(f"[!.]*.json{end}"))


def device_folder(root: Path, device: str) -> Folder:
    """The folder of a device in `root`, which need not exist.

    Raises:
        InputError: it leads out of `root`.
    """
    folder = Folder(root / device)
    within(root, folder.manifest)
    return folder


def device_folders(root: Path) -> list[Folder]:
    """The folders of all devices in `root`, ordered by name.

    Raises:
        InputError: there is none, or one leads out of `root`.
    """
    names = [manifest.parent.name for manifest in sorted(root.glob("*/manifest.json"))]
    folders = [device_folder(root, name) for name in names if not name.startswith(".")]
    if not folders:
        raise InputError(f"{root}: no records here (a run writes DEVICE/manifest.json into its folder)")
    return folders


def record_id(path: Path) -> str:
    """The id in the name of a record's file."""
    return path.name.partition(".")[0]


def pack(record: Any) -> bytes:
    """The content of a record's file: a dataclass with its arrays, and a digest of both."""
    body, arrays = encoded(record)
    packed = io.BytesIO()
    if arrays:
        np.savez_compressed(packed, allow_pickle=False, **arrays)
    return _text(_Content(SCHEMA, body, packed.getvalue()))


def repack(path: Path, arrays: Callable[[bytes], bytes] = bytes) -> bytes:
    """The content of a record's file, read from `path`; arrays in a separate file, as in old records, are included.

    Args:
        path: of the file.
        arrays: makes the archive that the content is to hold from the one that it has, where it has one.

    Raises:
        InputError: the record is missing, truncated or altered; the message names the file.
    """
    content = _load(path)
    return _text(content._replace(packed=arrays(content.packed)) if content.packed else content)


def write_packed(contents: Mapping[Path, bytes]) -> None:
    """Write packed records: all of them or, if one cannot be written, none. Files with the same content stay."""
    files = {path: in_file(path, content) for path, content in contents.items()}
    write_all({path: content for path, content in files.items() if not _has_content(path, content)})
    for path in contents:
        _old_arrays(path).unlink(missing_ok=True)


def in_file(path: Path, content: bytes) -> bytes:
    """The content as it lies in a file of this name."""
    return gzip.compress(content, mtime=0) if path.suffix == COMPRESSED else content


def write_record(path: Path, record: Any) -> None:
    """Write a dataclass to `path`; the previous record stays in place until the new one is complete."""
    write_packed({path: pack(record)})


def read_record(path: Path, kind: type[T]) -> T:
    """Read a record that `write_record` wrote; its whole content is treated as untrusted.

    Records of earlier schema versions are converted (`vgbench.records.migrations`).

    Raises:
        OtherVersionError: the record is undamaged, but has fields or members that are unknown here.
        InputError: the record is missing, damaged, or does not match `kind` (`vgbench.boundary.schema`); the message
            names the file and the field in one line.
    """
    content = _load(path)
    try:
        _check_name(path, content, kind)
        arrays = read_arrays(content.packed) if content.packed else {}
        tree = migrated(decoded(content.body, arrays), content.schema)
    except ValueError as error:
        raise InputError(f"{path}: damaged record ({error})") from None
    return decode(kind, tree, str(path))


def read_plain(path: Path, root: Path, largest: int) -> bytes:
    """Read a file in the folder `root`.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not a regular file (a pipe or a device may never end), is a link that leads out of `root`, or
            has more than `largest` bytes.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path.name} is not a regular file")
    if not path.resolve().is_relative_to(root.resolve()):
        raise ValueError(f"{path.name} is a link that leads out of the folder")
    if status.st_size > largest:
        raise ValueError(f"{path.name} has more than {largest >> 20} MiB")
    return path.read_bytes()


def set_aside(path: Path) -> Path:
    """Rename a record that cannot be read, and its arrays, to `*.damaged`; returns the new path."""
    for part in (_old_arrays(path), path):
        if part.exists():
            part.replace(f"{part}.damaged")
    return Path(f"{path}.damaged")


def _load(path: Path) -> _Content:
    """The record at `path` as it was written; only its digest is checked.

    Raises:
        InputError: it is missing or damaged; the message names the file.
    """
    root = path.parents[2 if path.parent.name in ("cells", "costs") else 1]
    try:
        found = _fields(strict_json.loads(_unpacked(path, read_plain(path, root, LARGEST_FILE)).decode()))
        content = _Content(found.get("schema", 1), found["record"], _arrays(path, root, found.get("arrays")))
        _check_digest(found["digest"], content)
    except FileNotFoundError:
        raise InputError(f"{path}: no such record") from None
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: damaged record ({error})") from None
    return content


def _unpacked(path: Path, content: bytes) -> bytes:
    if path.suffix != COMPRESSED:
        return content
    with gzip.open(io.BytesIO(content)) as file:
        unpacked = file.read(LARGEST_FILE + 1)
    if len(unpacked) > LARGEST_FILE:
        raise ValueError(f"it unpacks to more than {LARGEST_FILE >> 20} MiB")
    return unpacked


def _fields(found: Any) -> dict[str, Any]:
    known = {"schema", "digest", "record", "arrays"}
    if not isinstance(found, dict) or not {"digest", "record"} <= found.keys() <= known:
        raise ValueError("it does not have the fields 'digest' and 'record'")
    return found


def _check_digest(digest: Any, content: _Content) -> None:
    if digest != _digest(content):
        raise ValueError("its content does not match its digest")


def _arrays(path: Path, root: Path, text: Any) -> bytes:
    beside = _old_arrays(path)
    if text is None:
        return read_plain(beside, root, LARGEST_FILE) if os.path.lexists(beside) else b""
    try:
        packed = b64decode(text, validate=True)
    except (TypeError, binascii.Error):
        raise ValueError("its arrays are not base64") from None
    if b64encode(packed).decode() != text:  # the last digit has unused bits
        raise ValueError("its arrays are not canonical base64")
    return packed


def _old_arrays(path: Path) -> Path:
    """The file of a record's arrays; only old records have one."""
    return path.with_name(f"{record_id(path)}.npz")


def _check_name(path: Path, content: _Content, kind: type) -> None:
    """Raise `ValueError` if a file is named by an id that is not its record's."""
    id_of = getattr(kind, "id_of", None)
    if id_of is None or not is_id(record_id(path)):
        return
    try:
        known = id_of(content.body, content.schema)
    except (KeyError, TypeError, AttributeError):
        return  # decoding reports what is missing
    if known != record_id(path):
        raise ValueError(f"it is the record of {known}, under another name")


def _has_content(path: Path, content: bytes) -> bool:
    return path.exists() and path.read_bytes() == content


def _text(content: _Content) -> bytes:
    version = {} if content.schema == 1 else {"schema": content.schema}
    arrays = b64encode(content.packed).decode()
    found = {**version, "digest": _digest(content), "record": content.body, "arrays": arrays}
    return f"{json.dumps(found, indent=1, allow_nan=False, ensure_ascii=False)}\n".encode()


def _digest(content: _Content) -> str:
    """The hash of the whole content; that of version 1 does not include the version."""
    hashed = content.body if content.schema == 1 else [content.schema, content.body]
    return hashlib.sha256(json.dumps(hashed, sort_keys=True).encode() + content.packed).hexdigest()
