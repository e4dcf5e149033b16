"""The runner: from a suite to records, measuring only what is missing."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import jax

from vgbench.errors import InputError, OtherVersionError
from vgbench.harness.provenance import find_device, provenance
from vgbench.harness.worker import Task, execute
from vgbench.measure.cost import cost_id
from vgbench.records import CellRecord, CostRecord, Manifest, Row
from vgbench.store import Folder, read_record, write_record
from vgbench.suite import Cell, Suite, read_suite


@runtime_checkable
class Observer(Protocol):
    """Whoever wants to know how a run stands."""

    def planned(self, missing: Sequence[Task], finished: int, notes: Sequence[str]) -> None:
        """The run begins: these tasks are to be done, so many are done already, and this is worth saying."""

    def started(self, task: Task) -> None:
        """A task begins."""

    def ended(self, task: Task, record: CellRecord | CostRecord) -> None:
        """A task has ended and its record is on disk."""


def run(
    suite: Suite | str | Path,
    out: str | Path | None = None,
    *,
    settings: Mapping[str, Sequence[Any]] | None = None,
    only: Sequence[str] = (),
    device: str | None = None,
    observer: Observer | None = None,
) -> Path:
    """Measure every cell of a suite that is not measured yet, and the cost of every cell beside its baseline.

    Args:
        suite: a suite, the name of a built-in one, or the path of a TOML file.
        out: folder for records, made if missing; `runs/NAME` if None.
        settings: values to set for fields of the case, as in `Suite.select`.
        only: names of mitigations to keep, as in `Suite.select`.
        device: `cpu`, `gpu` or `tpu`, with `:i` for the i-th; the default backend's first if None.
        observer: is told how the run stands.

    Returns:
        The folder, to be read with `vgbench.load` and `vgbench.write_report`.

    Raises:
        InputError: the suite, a setting, the device or the folder cannot be used.
    """
    suite = (suite if isinstance(suite, Suite) else read_suite(suite)).select(settings, only)
    cells = suite.cells()
    out = Path(out) if out is not None else Path("runs") / suite.name
    chosen = find_device(device)
    origin = provenance(chosen)
    folder = Folder(out / origin.device.slug)
    rows = tuple(map(_row, cells))
    try:
        write_record(folder.manifest, Manifest(suite.name, suite.title, suite.question, rows, origin))
        missing, notes = _missing(plan(cells), folder, origin.source)
        if observer:
            observer.planned(missing, len(plan(cells)) - len(missing), notes)
        for task in missing:
            if observer:
                observer.started(task)
            with jax.default_device(chosen):
                record = execute(task, origin)
            write_record(_path(folder, task), record)
            if observer:
                observer.ended(task, record)
    except OSError as error:
        raise InputError(f"{error.filename or out}: cannot write records here: {error.strerror}") from None
    return out


def plan(cells: Iterable[Cell]) -> tuple[Task, ...]:
    """The tasks of a suite's cells: each is measured, then (unless it is too deep) timed beside its baseline."""
    return tuple(
        Task(kind, cell.label, cell.case, cell.reference)
        for cell in cells
        for kind in ("cell", "cost")
        if kind == "cell" or cell.timed
    )


def _row(cell: Cell) -> Row:
    pair = cost_id(cell.case, cell.reference)
    return Row(cell.mitigation, dict(cell.axes), cell.case.cell_id, cell.reference.cell_id, pair)


def _path(folder: Folder, task: Task) -> Path:
    return folder.cell(task.id) if task.kind == "cell" else folder.cost(task.id)


def _missing(tasks: Sequence[Task], folder: Folder, source: str) -> tuple[list[Task], list[str]]:
    """Those tasks without a usable record, and notes on records that are there but cannot be used."""
    missing, notes, stale = [], [], 0
    for task in tasks:
        path = _path(folder, task)
        if path.exists():
            try:
                record = read_record(path, CellRecord if task.kind == "cell" else CostRecord)
            except OtherVersionError:
                stale += 1
            except InputError as error:
                notes.append(f"{error}; measured again")
            else:
                if record.provenance.source == source and record.status != "crashed":
                    continue
                stale += record.provenance.source != source
        missing.append(task)
    if stale:
        notes.append(f"{stale} records are stale (made by another version of the source) and measured again")
    return missing, notes
