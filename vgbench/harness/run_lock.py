"""One run a folder: the lock that refuses a second one, and the note on how the first one stands."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from vgbench.boundary import strict_json
from vgbench.boundary.schema import decode
from vgbench.errors import InputError
from vgbench.harness.progress import Progress
from vgbench.records.schema import CellRecord, CostRecord, Manifest
from vgbench.records.store import LARGEST_FILE, Folder, device_folders, read_plain, read_record, sweep, write_bytes

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
        progress: how it stands.
    """

    pid: int
    started: str
    now: str
    since: str
    progress: Progress

    def __str__(self) -> str:
        return f"process {self.pid}, since {self.started}"


class RunLock:
    """A folder that is this process's alone as long as it holds this."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started = _now()

    def note(self, now: str, progress: Progress) -> None:
        """Leave word of what is done now, for `vgbench status`."""
        note = Note(os.getpid(), self._started, now, _now(), progress)
        write_bytes(self._folder / _NOTE, f"{json.dumps(asdict(note), indent=1)}\n".encode())


@contextmanager
def locked(folder: Path) -> Iterator[RunLock]:
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
        yield RunLock(folder)
        (folder / _NOTE).unlink(missing_ok=True)
    finally:
        lock.release()


def is_locked(folder: Path) -> bool:
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
    path = folder / _NOTE
    try:
        return decode(Note, strict_json.loads(read_plain(path, folder, LARGEST_FILE).decode()), {}, str(path))
    except (OSError, ValueError):
        return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


MISSING = "missing"
DAMAGED = "damaged"


@dataclass(frozen=True)
class DeviceStatus:
    """The records of a run on one device.

    Attributes:
        manifest: what the run set out to measure.
        counts: how many of its measurements ended with each status, `missing` and `damaged` ones too.
    """

    manifest: Manifest
    counts: dict[str, int]


@dataclass(frozen=True)
class RunStatus:
    """How a run stands.

    Attributes:
        devices: the records, device by device.
        at_work: whether a process is at work in the folder now.
        note: what it last said; of a run that was stopped, what it did then.
    """

    devices: tuple[DeviceStatus, ...]
    at_work: bool
    note: Note | None

    @property
    def all_ok(self) -> bool:
        """Whether every measurement is there and ok."""
        return all(device.counts.keys() <= {"ok"} for device in self.devices)


def read_status(directory: str | Path) -> RunStatus:
    """Read how the run in a folder stands, without disturbing it.

    Raises:
        InputError: no run is there.
    """
    root = Path(directory)
    at_work = is_locked(root)
    if at_work and not any(root.glob("*/manifest.json")):
        return RunStatus((), at_work, read_note(root))
    return RunStatus(tuple(map(_device, device_folders(root))), at_work, read_note(root))


def _device(folder: Folder) -> DeviceStatus:
    manifest = read_record(folder.manifest, Manifest)
    cells = {folder.cell(row.cell_id): CellRecord for row in manifest.rows}
    costs = {folder.cost(row.cost_id): CostRecord for row in manifest.rows if row.cost_id}
    return DeviceStatus(manifest, Counter(_status(path, form) for path, form in {**cells, **costs}.items()))


def _status(path: Path, form: type[CellRecord] | type[CostRecord]) -> str:
    try:
        return read_record(path, form).status
    except InputError:
        return DAMAGED if path.exists() else MISSING
