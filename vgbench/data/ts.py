"""The .ts format of the UCR and UEA archives: a line of text for each labelled series."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from vgbench.errors import InputError

Labelled = tuple[Float[np.ndarray, "series steps channels"], Int[np.ndarray, "series"], tuple[str, ...]]
"""Series, the number of the class of each, and the names of the classes."""


def read_ts(path: Path) -> Labelled:
    """Read one file: a header of lines with # and @, then for each series its channels and its class, a colon between.

    Raises:
        InputError: the file cannot be read, or its series differ in length, lack numbers or a class; names it.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    header, data = _parted(path, lines)
    words = header.get("@classlabel", [])
    if words[:1] != ["true"] or not words[1:]:
        raise InputError(f"{path}: its header names no classes (@classLabel true NAME NAME ...)")
    if header.get("@timestamps", ["false"])[0].lower() == "true":
        raise InputError(f"{path}: its series have time stamps; only series of equal steps can be read")
    classes = tuple(words[1:])
    parts = [line.strip().rsplit(":", 1) for line in data if line.strip()]
    if not parts:
        raise InputError(f"{path}: holds no series after @data")
    wrong = next((part[-1] for part in parts if len(part) < 2 or part[1] not in classes), None)
    if wrong is not None:
        raise InputError(f"{path}: a series ends in {wrong[:40]!r}, not in a class (there are: {', '.join(classes)})")
    return _series(path, [part[0] for part in parts]), np.asarray([classes.index(part[1]) for part in parts]), classes


def _parted(path: Path, lines: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """The words of each line of the header by its first one, and the lines after @data."""
    start = next((number for number, line in enumerate(lines) if line.strip().lower() == "@data"), None)
    if start is None:
        raise InputError(f"{path}: not a .ts file (it has no line @data)")
    words = [line.split() for line in lines[:start] if line.startswith("@")]
    return {first.lower(): rest for first, *rest in words}, lines[start + 1 :]


def _series(path: Path, texts: list[str]) -> Float[np.ndarray, "series steps channels"]:
    try:
        found = np.asarray([[channel.split(",") for channel in text.split(":")] for text in texts], np.float64)
    except ValueError:
        raise InputError(f"{path}: its series differ in length or channels, or a value is no number") from None
    if not np.isfinite(found).all():
        raise InputError(f"{path}: holds numbers that are not finite")
    return found.swapaxes(1, 2)
