"""Runs as they lie on disk: each row of a run's table with its records."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vgbench.records import CellRecord, CostRecord, Manifest, Provenance, Row
from vgbench.store import device_folders, read_record


@dataclass(frozen=True)
class Entry:
    """A row of a run together with its records; a record is None before it is measured."""

    row: Row
    cell: CellRecord | None
    reference: CellRecord | None
    cost: CostRecord | None

    @property
    def origins(self) -> list[Provenance]:
        """What produced its own records."""
        return [record.provenance for record in (self.cell, self.cost) if record]


@dataclass(frozen=True)
class Run:
    """A run on one device."""

    manifest: Manifest
    entries: tuple[Entry, ...]


def origins(runs: Sequence[Run]) -> list[str]:
    """What produced the records, in words and in the order of the rows; a manifest's where it has none."""
    found = dict.fromkeys(
        str(origin)
        for run in runs
        for origin in [each for entry in run.entries for each in entry.origins] or [run.manifest.provenance]
    )
    return list(found)


def read_runs(root: Path) -> list[Run]:
    """Read the run of every device under `root`.

    Raises:
        InputError: no run is there, or a record is damaged; names the file.
    """
    return [_read_run(folder) for folder in device_folders(root)]


def _read_run(folder: Any) -> Run:
    manifest = read_record(folder.manifest, Manifest)
    cells: dict[str, CellRecord] = {}
    for row in manifest.rows:
        for cell_id in (row.cell_id, row.reference_id):
            if cell_id not in cells and folder.cell(cell_id).exists():
                cells[cell_id] = read_record(folder.cell(cell_id), CellRecord)
    entries = []
    for row in manifest.rows:
        path = folder.cost(row.cost_id) if row.cost_id else None
        cost = read_record(path, CostRecord) if path and path.exists() else None
        entries.append(Entry(row, cells.get(row.cell_id), cells.get(row.reference_id), cost))
    return Run(manifest, tuple(entries))
