"""Files written atomically and durably: if the writer is killed, each file is either complete or as it was before."""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

_PART = re.compile(r"\.(?P<name>.+)\.\d+\.part")
_NEW, _OLD = ".being-published", ".being-replaced"


def write_bytes(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file, which is either complete or as it was before; `durable` as in `write_all`."""
    write_all({path: content}, durable=durable)


def write_all(contents: Mapping[Path, bytes], *, durable: bool = True) -> None:
    """Write all files or, if one cannot be written, none.

    First all are written under temporary names, then they are renamed in the order of `contents`. If the writer is
    killed during the renaming, the first files are new and the others as they were before.

    Args:
        contents: of each file.
        durable: whether to wait until the files would survive a failure of power, which takes some milliseconds.

    Raises:
        OSError: a file cannot be written.
    """
    parts: dict[Path, Path] = {}
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            parts[path] = path.with_name(f".{path.name}.{os.getpid()}.part")
            with parts[path].open("wb") as file:
                file.write(content)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
        for path, part in parts.items():
            part.replace(path)
        for folder in {path.parent: None for path in contents} if durable else ():
            _sync(folder)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)


def part_of(name: str) -> str | None:
    """The final name of a half-written file; None if `name` is not that of a half-written file."""
    match = _PART.fullmatch(name)
    return match and match["name"]


def replace_folder(place: Path, contents: Mapping[str, bytes]) -> None:
    """Replace the folder `place` by one with these files, which are given by their paths in the folder.

    If the writer is killed, either the old or the new folder is in place, or `restore_folder` puts the old one back.

    Raises:
        OSError: the new folder cannot be written; the old one is in place.
    """
    new, old = _temporary_folders(place)
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
    """Undo or finish a `replace_folder` that was killed: one folder is in place, and its temporary folders are gone."""
    new, old = _temporary_folders(place)
    if old.exists() and not place.exists():
        old.rename(place)
    for left in (new, old):
        if left.exists():
            shutil.rmtree(left)


def restore_folders(parent: Path) -> None:
    """Call `restore_folder` for every folder in `parent`."""
    for suffix in (_NEW, _OLD):
        for left in sorted(parent.glob(f".*{suffix}")):
            restore_folder(parent / left.name.removesuffix(suffix)[1:])


def _temporary_folders(place: Path) -> tuple[Path, Path]:
    return place.with_name(f".{place.name}{_NEW}"), place.with_name(f".{place.name}{_OLD}")


def _sync(folder: Path) -> None:
    """Make a rename durable; this is possible and needed only on POSIX."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
