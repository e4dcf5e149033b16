"""Reusing records of other runs: a cell or a pair that another suite has measured is not measured again."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from vgbench.errors import InputError, OtherVersionError
from vgbench.harness.plan import Record, Task
from vgbench.records.origin import Provenance
from vgbench.records.schema import RESULTS, CellRecord, CostRecord
from vgbench.records.seeds import joined, lacking
from vgbench.records.store import Folder, device_folders, read_record, repack, write_packed, write_record


def reuse(tasks: Sequence[Task], folder: Folder, sources: Sequence[Path], origin: Provenance) -> tuple[str, ...]:
    """Copy from other runs, of any suite, the results that `folder` lacks.

    Only what was measured on a like device by the same source, versions and flags as `origin` counts; where several
    runs have it, the first one's. Seeds of a cell that the record there lacks are added to it.

    Args:
        tasks: all that the run is to have done.
        folder: of the device, in the run's own folder.
        sources: folders of other runs.
        origin: what would produce records now.

    Returns:
        A line for each source, on how many records of it are used.

    Raises:
        InputError: a folder holds no run, or a record in it is damaged.
    """
    notes = []
    for root in sources:
        used = sum(_copy(task, each, folder, origin) for each in device_folders(root) for task in tasks)
        notes.append(f"reused: {used} {'record' if used == 1 else 'records'} of {root}")
    return tuple(notes)


def _copy(task: Task, source: Folder, folder: Folder, origin: Provenance) -> bool:
    path, target = task.record(source), task.record(folder)
    found = _usable(task, path, origin) if path.exists() else None
    if found is None:
        return False
    with suppress(InputError):  # the run sets aside what it cannot read
        held = _usable(task, target, origin) if target.exists() else None
        if held is None:
            write_packed({target: repack(path)})
            return True
        added = set(lacking(held, task.case.seeds)) - set(lacking(found, task.case.seeds))
        if added and isinstance(held, CellRecord) and isinstance(found, CellRecord):
            with suppress(ValueError):  # tuning came out otherwise there
                write_record(target, joined([held, found]))
                return True
    return False


def _usable(task: Task, path: Path, origin: Provenance) -> Record | None:
    """A record, if it is a result that would come out the same now."""
    try:
        record = read_record(path, CellRecord if task.kind == "cell" else CostRecord)
    except OtherVersionError:
        return None
    return record if record.status in RESULTS and not origin.differences(record.provenance, task.kind) else None
