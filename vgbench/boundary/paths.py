"""Names and paths from records and suites: none may lead out of its folder."""

import re
from pathlib import Path

from vgbench.errors import InputError

_ID = re.compile(r"[0-9a-f]{16}")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)  # by Windows


def is_id(name: str) -> bool:
    """Whether a name is the id of a cell or a pair: 16 hexadecimal digits."""
    return _ID.fullmatch(name) is not None


def check_folder_name(name: str) -> str:
    """Return `name` if it is a valid folder name on every system.

    Raises:
        InputError: it is not; the message says why.
    """
    if not name or name.startswith(".") or name.endswith((".", " ")):
        reason = "it is empty, begins with a dot, or ends with a dot or a space"
    elif not name.isprintable() or set(name) & set('<>:"/\\|?*'):
        reason = 'it contains a control character, or one of < > : " / \\ | ? *'
    elif _RESERVED.fullmatch(name):
        reason = "Windows reserves it for a device"
    else:
        return name
    raise InputError(f"{name!r} cannot be the name of a folder: {reason}")


def within(folder: Path, path: Path) -> Path:
    """Return `path` if it lies in `folder`.

    Raises:
        InputError: it leads elsewhere, by `..` or through a symbolic link.
    """
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # symbolic links in a circle
        inside = False
    if not inside:
        raise InputError(f"{path}: leads out of {folder}, by '..' or through a symbolic link")
    return path
