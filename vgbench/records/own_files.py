"""Which files in a folder belong to vgbench: it removes no others, and refuses to write a run among others."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from vgbench.boundary.files import part_of
from vgbench.errors import InputError

LOCK, NOTE, SHOWN = ".lock", "running.json", ".shown.json"
_FILES = re.compile(
    r"\.lock|running\.json|\.shown\.json|table\.(md|csv|json|parquet|tex)|coordinates\.csv|report\.html|claims\.md"
    r"|pictures/[^/]+\.(png|svg|pdf|html)"
    r"|[^/]+/(manifest\.json|(cells|costs)/[0-9a-f]{16}\.(json|json\.gz|npz)(\.damaged)?"
    r"|traces/[0-9a-f]{16}/plugins/profile/steps/vgbench\.(xplane\.pb|trace\.json\.gz))"
)
"""The files of a run and its report, by their paths in its folder."""
_HARMLESS = re.compile(
    r"\.DS_Store|\.directory|Thumbs\.db|desktop\.ini"  # written by file managers
    r"|\.gitignore|\.gitattributes|\.gitkeep|.+\.(log|out|err)"  # the last three: written by schedulers
)
"""Names of other files that may be in a run's folder."""
_FOLDERS = ("lost+found", ".ipynb_checkpoints")


def check_ours(root: Path, advice: str) -> None:
    """Check that a folder belongs to a run: it is empty or missing, or contains a run.

    Args:
        root: the folder.
        advice: the end of the error message: what the user can do.

    Raises:
        InputError: the folder contains other files and no run.
        OSError: the folder cannot be read.
    """
    entries = sorted(root.iterdir()) if root.is_dir() else []
    foreign = [entry.name for entry in entries if any(_foreign_files(root, entry))]
    if foreign and not any(_is_record(entry / "manifest.json") for entry in entries):
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        raise InputError(f"{root}: holds other things than a run ({', '.join(foreign[:3])}{more}); {advice}")


def strangers(device: Path) -> list[Path]:
    """The files in the folder of a device that are not records."""
    return sorted(_foreign_files(device.parent, device))


def sweep(root: Path) -> None:
    """Remove half-written files of a run, which killed writers have left."""
    for pattern in ("", "*/", "*/cells/", "*/costs/", "*/traces/*/plugins/profile/steps/"):
        for left in root.glob(f"{pattern}.*.part"):
            inside = left.parent.resolve() == root.resolve() / left.parent.relative_to(root)  # no symbolic link
            if inside and part_of(left.name) and _is_ours(root, left):
                left.unlink(missing_ok=True)


def _foreign_files(root: Path, entry: Path) -> Iterator[Path]:
    """The files at and below a path that do not belong to the run in `root`."""
    if entry.name in _FOLDERS:
        return
    if entry.is_dir() and not entry.is_symlink():
        for each in entry.iterdir():
            yield from _foreign_files(root, each)
    elif not _is_ours(root, entry):
        yield entry


def _is_ours(root: Path, file: Path) -> bool:
    name = part_of(file.name) or file.name
    return bool(_HARMLESS.fullmatch(name) or _FILES.fullmatch(file.with_name(name).relative_to(root).as_posix()))


def _is_record(path: Path) -> bool:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and {"digest", "record"} <= content.keys()
