"""How a run stands, read from its folder by another process."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from vgbench.errors import InputError
from vgbench.harness.occupied import Note, is_occupied, read_note
from vgbench.records import CellRecord, CostRecord, Manifest
from vgbench.store import Folder, device_folders, read_record

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
    at_work = is_occupied(root)
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
