"""One run a folder: the lock that refuses a second one, and the note on how the first one stands."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from vgbench.boundary import strict_json
from vgbench.boundary.files import write_bytes
from vgbench.boundary.schema import decode
from vgbench.errors import InputError
from vgbench.harness.progress import Progress
from vgbench.records.own_files import LOCK, NOTE, check_ours, sweep
from vgbench.records.schema import CellRecord, CostRecord, Manifest, places
from vgbench.records.seeds import lacking
from vgbench.records.store import LARGEST_FILE, Folder, device_folders, read_plain, read_record

_PATIENCE_SECONDS, _POLL_SECONDS = 1.0, 0.02
"""How long a lock may be taken before somebody is said to be at work: `is_occupied` takes it for a moment."""
_ASKED_SECONDS = 0.2
"""How long `is_occupied` itself waits for others that ask."""


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
        self._identity = _identity(folder / LOCK)

    def check(self, *paths: Path) -> None:
        """Make sure that the folder is still the one that was locked, and holds these files.

        Raises:
            InputError: it was deleted, moved or replaced, or a file is gone.
        """
        if _identity(self._folder / LOCK) != self._identity or not all(path.exists() for path in paths):
            raise InputError(
                f"{self._folder}: was deleted, moved or replaced while the run was at work, which has stopped; put it"
                " back, or give --out its new place, and the same command goes on from there (where it is gone for"
                " good, the command measures everything again)"
            )

    def note(self, now: str, progress: Progress) -> None:
        """Leave word of what is done now, for `vgbench status`; raises as `check` does."""
        self.check()
        note = Note(os.getpid(), self._started, now, _now(), progress)
        content = f"{json.dumps(asdict(note), indent=1)}\n".encode()
        write_bytes(self._folder / NOTE, content, durable=False)  # it says nothing once this process is gone


@contextmanager
def lock_run(folder: Path) -> Iterator[RunLock]:
    """Make the folder, keep every other run out of it, and remove what a run that was killed left half-written.

    Raises:
        InputError: another run is at work there, says which; or the folder holds other things than a run.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    check_ours(folder, f"a run has a folder to itself, an empty or new one, such as {folder / 'run'}")
    with locked(folder):
        sweep(folder)
        yield RunLock(folder)
        (folder / NOTE).unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep every other process out of a folder.

    Raises:
        InputError: another one is at work there; says which.
        OSError: the folder cannot be written.
    """
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=_PATIENCE_SECONDS, poll_interval=_POLL_SECONDS)
    except Timeout:
        first = read_note(folder) or "it has just begun"
        raise InputError(f"{folder}: another run is at work here ({first}); wait for it, or stop it first") from None
    try:
        yield
    finally:
        lock.release()


def is_locked(folder: Path) -> bool:
    """Whether a run is at work in the folder now."""
    if not (folder / LOCK).exists():
        return False
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=_ASKED_SECONDS, poll_interval=_POLL_SECONDS)
    except Timeout:
        return True
    except OSError:  # nobody can write here, so nobody is at work
        return False
    lock.release()
    return False


def read_note(folder: Path) -> Note | None:
    """What the run that is, or was, at work in the folder last said; None if it said nothing, or ended well."""
    path = folder / NOTE
    try:
        return decode(Note, strict_json.loads(read_plain(path, folder, LARGEST_FILE).decode()), str(path))
    except (OSError, ValueError):
        return None


def _identity(file: Path) -> tuple[int, int] | None:
    """What tells a file from another one that takes its name; None where there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


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
    own: dict[Path, tuple[int, ...]] = {}
    for row in manifest.rows:
        path = folder.cell(row.cell_id)
        own[path] = (*own.get(path, ()), *row.seeds)
    costs = {path for kind, path in places(folder, manifest) if kind == "cost"}
    found = [*(_status(path, CellRecord, seeds) for path, seeds in own.items()), *(_status(path) for path in costs)]
    return DeviceStatus(manifest, Counter(found))


def _status(path: Path, kind: type[CellRecord | CostRecord] = CostRecord, seeds: Sequence[int] = ()) -> str:
    try:
        record = read_record(path, kind)
    except InputError:
        return DAMAGED if path.exists() else MISSING
    return MISSING if lacking(record, seeds) else record.status
