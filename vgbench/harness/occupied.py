"""One run a folder: the lock that refuses a second one, and the note on how the first one stands."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from vgbench.errors import InputError
from vgbench.harness.standing import Standing
from vgbench.store import sweep, write_bytes

_LOCK = ".lock"
_NOTE = "running.json"


@dataclass(frozen=True)
class Note:
    """What a run says of itself while it goes on.

    Attributes:
        pid: number of its process.
        started: when, ISO 8601, UTC.
        now: what it does, in words.
        since: when that began.
        standing: how it stands.
    """

    pid: int
    started: str
    now: str
    since: str
    standing: Standing

    def __str__(self) -> str:
        return f"process {self.pid}, since {self.started}"


class Occupied:
    """A folder that is this process's alone as long as it holds this."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started = _now()

    def note(self, now: str, standing: Standing) -> None:
        """Leave word of what is done now, for `vgbench status`."""
        note = Note(os.getpid(), self._started, now, _now(), standing)
        write_bytes(self._folder / _NOTE, f"{json.dumps(asdict(note), indent=1)}\n".encode())


@contextmanager
def occupy(folder: Path) -> Iterator[Occupied]:
    """Make the folder, keep every other run out of it, and remove what a run that was killed left half-written.

    Raises:
        InputError: another run is at work there; says which.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        first = read_note(folder) or "it has just begun"
        raise InputError(f"{folder}: another run is at work here ({first}); wait for it, or stop it first") from None
    try:
        sweep(folder)
        yield Occupied(folder)
        (folder / _NOTE).unlink(missing_ok=True)
    finally:
        lock.release()


def is_occupied(folder: Path) -> bool:
    """Whether a run is at work in the folder now."""
    if not (folder / _LOCK).exists():
        return False
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    except OSError:  # nobody can write here, so nobody is at work
        return False
    lock.release()
    return False


def read_note(folder: Path) -> Note | None:
    """What the run that is, or was, at work in the folder last said; None if it said nothing, or ended well."""
    try:
        content = json.loads((folder / _NOTE).read_bytes())
        return Note(**{**content, "standing": Standing(**content["standing"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
