"""Files written atomically and durably: whatever kills the writer, each is there whole, or as it was before."""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

_PART = re.compile(r"\.(?P<name>.+)\.\d+\.part")
_NEW, _OLD = ".being-published", ".being-replaced"


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file: it is there whole, or as it was before."""
    write_all({path: content})


def write_all(contents: Mapping[Path, bytes]) -> None:
    """Write files: all of them or, where one cannot be written, none.

    All are on disk under other names before the first gets its own. A writer that is killed while names are given
    leaves the first ones new and the others as they were, in the order of `contents`.

    Raises:
        OSError: one cannot be written.
    """
    parts: dict[Path, Path] = {}
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            parts[path] = path.with_name(f".{path.name}.{os.getpid()}.part")
            with parts[path].open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for path, part in parts.items():
            part.replace(path)
        for folder in {path.parent: None for path in contents}:
            _sync(folder)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)


def part_of(name: str) -> str | None:
    """The name of the file that a half-written one was to become; None if `name` is no half-written file's."""
    match = _PART.fullmatch(name)
    return match and match["name"]


def replace_folder(place: Path, contents: Mapping[str, bytes]) -> None:
    """Put a folder of these files, by their paths in it, in the place of another one, which is removed.

    A writer that is killed meanwhile leaves one of the two in its place, or the other one where `restore_folder` finds
    it.

    Raises:
        OSError: it cannot be written; the other one is in its place.
    """
    new, old = _beside(place)
    restore_folder(place)
    try:
        write_all({new / name: content for name, content in contents.items()})
        if place.exists():
            place.rename(old)
        new.rename(place)
        _sync(place.parent)
    finally:
        restore_folder(place)


def restore_folder(place: Path) -> None:
    """Undo or finish what a killed `replace_folder` has begun: one folder is in its place and none beside it."""
    new, old = _beside(place)
    if old.exists() and not place.exists():
        old.rename(place)
    for left in (new, old):
        if left.exists():
            shutil.rmtree(left)


def restore_folders(parent: Path) -> None:
    """Do so for every folder in `parent`."""
    for suffix in (_NEW, _OLD):
        for left in sorted(parent.glob(f".*{suffix}")):
            restore_folder(parent / left.name.removesuffix(suffix)[1:])


def _beside(place: Path) -> tuple[Path, Path]:
    return place.with_name(f".{place.name}{_NEW}"), place.with_name(f".{place.name}{_OLD}")


def _sync(folder: Path) -> None:
    """Make a rename durable; only POSIX can, and needs to."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
