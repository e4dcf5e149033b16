"""Reads runs from disk: each row of a run's table with its records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vgbench.records.origin import device_names
from vgbench.records.schema import CellRecord, CostRecord, Manifest, Row, places
from vgbench.records.seeds import chosen
from vgbench.records.store import Folder, device_folders, read_record, record_id


@dataclass(frozen=True)
class Entry:
    """A row of a run with its records, those of cells with the row's seeds alone; None if it is not measured yet."""

    row: Row
    cell: CellRecord | None
    reference: CellRecord | None
    cost: CostRecord | None

    @property
    def records(self) -> list[CellRecord | CostRecord]:
        """The row's own records that are measured."""
        return [record for record in (self.cell, self.cost) if record]


@dataclass(frozen=True)
class Run:
    """A run on one device.

    Attributes:
        manifest: what the run was to measure.
        device: the name of its device, unique among the runs that were read together.
        entries: the rows of its table.
    """

    manifest: Manifest
    device: str
    entries: tuple[Entry, ...]


def origins(runs: Sequence[Run]) -> dict[str, str]:
    """Each provenance of the records as text, in the order of the rows, with the days of measurement.

    A run without records has the provenance of its manifest and no days.
    """
    days: dict[str, set[str]] = {}
    for run in runs:
        records = [record for entry in run.entries for record in entry.records]
        if not records:
            days.setdefault(str(run.manifest.provenance), set())
        for record in records:
            days.setdefault(str(record.provenance), set()).add(record.started[:10])
    return {origin: " to ".join(sorted({min(when), max(when)})) if when else "" for origin, when in days.items()}


def footer(runs: Sequence[Run]) -> list[str]:
    """The lines below a table that say what produced the records and when; numbered if there are several."""
    known = origins(runs)
    lines = [f"{origin}; measured on {when}" if when else origin for origin, when in known.items()]
    return [f"({i}) {line}" for i, line in enumerate(lines, start=1)] if len(lines) > 1 else lines


def swept(runs: Sequence[Run]) -> list[str]:
    """The names of the swept axes, in the order of the suite."""
    return list(dict.fromkeys(name for run in runs for entry in run.entries for name in entry.row.axes))


def read_runs(root: Path) -> list[Run]:
    """Read the run of every device in the folder `root`.

    Raises:
        InputError: there is no run, or a record is damaged; the message names the file.
    """
    folders = device_folders(root)
    manifests = [read_record(folder.manifest, Manifest) for folder in folders]
    names = device_names(manifest.provenance.device for manifest in manifests)
    return [
        Run(manifest, names[manifest.provenance.device], read_entries(folder, manifest))
        for folder, manifest in zip(folders, manifests, strict=True)
    ]


def read_entries(folder: Folder, manifest: Manifest) -> tuple[Entry, ...]:
    """Read the records of a manifest's rows; raises `InputError` where one is damaged, with the name of its file."""
    there = {(kind, record_id(path)): path for kind, path in places(folder, manifest) if path.exists()}
    cells = {name: read_record(path, CellRecord) for (kind, name), path in there.items() if kind == "cell"}
    costs = {name: read_record(path, CostRecord) for (kind, name), path in there.items() if kind == "cost"}
    return entries_of(manifest.rows, cells, costs)


def entries_of(
    rows: Sequence[Row], cells: Mapping[str, CellRecord], costs: Mapping[str, CostRecord]
) -> tuple[Entry, ...]:
    """Rows with their records, which are given by their ids."""

    @cache  # a reference is one record for all its rows, and for its own
    def cell(name: str, seeds: tuple[int, ...]) -> CellRecord | None:
        return chosen(cells[name], seeds) if name in cells else None

    return tuple(
        Entry(row, cell(row.cell_id, row.seeds), cell(row.reference_id, row.seeds), costs.get(row.cost_id or ""))
        for row in rows
    )
