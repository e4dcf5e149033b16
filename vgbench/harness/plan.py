"""The tasks of a suite, and which of them still have to be done."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vgbench.errors import InputError, OtherVersionError
from vgbench.measure.cost import cost_id
from vgbench.records.origin import Kind, Provenance
from vgbench.records.schema import RESULTS, CellRecord, CostRecord
from vgbench.records.seeds import lacking
from vgbench.records.store import Folder, read_record, set_aside
from vgbench.spec.case import Case
from vgbench.spec.suite import Cell

Record = CellRecord | CostRecord


@dataclass(frozen=True)
class Task:
    """Something to measure.

    Attributes:
        kind: a cell (gradients and training), or the cost of the pair of case and reference.
        label: in words, for people.
        case: what is measured.
        reference: the baseline that the cost is divided by.
        held: the cell's record that holds some of the case's evaluation seeds, to which the others are added.
        beside: further pairs of the same reference, which are timed in one round-robin with this one.
    """

    kind: Kind
    label: str
    case: Case
    reference: Case
    held: CellRecord | None = field(default=None, compare=False)
    beside: tuple["Task", ...] = field(default=(), compare=False)

    @property
    def id(self) -> str:
        """The cell id, or the pair's."""
        return self.case.cell_id if self.kind == "cell" else cost_id(self.case, self.reference)

    @property
    def together(self) -> tuple["Task", ...]:
        """The task, and those that are measured with it."""
        return self, *self.beside

    @property
    def action(self) -> str:
        """What is done, in words."""
        if self.held is not None:
            return f"measuring further seeds ({', '.join(map(str, self.remaining.seeds))}) of {self.label}"
        return f"{'measuring' if self.kind == 'cell' else 'timing'} {self.label}"

    @property
    def remaining(self) -> Case:
        """The case with the evaluation seeds alone that no record holds."""
        return (
            self.case
            if self.held is None
            else self.case.model_copy(update={"seeds": lacking(self.held, self.case.seeds)})
        )

    def record(self, folder: Folder) -> Path:
        """Where its record lies."""
        return folder.cell(self.id) if self.kind == "cell" else folder.cost(self.id)


@dataclass(frozen=True)
class Plan:
    """What a run finds in its folder.

    Attributes:
        missing: the tasks that have to be done, in order.
        present: the records of all others.
        attempts: how often a missing task has been begun before, by its id; none is 0.
        notes: what is worth saying about records that cannot be used, or are used all the same.
    """

    missing: tuple[Task, ...]
    present: Mapping[str, Record]
    attempts: Mapping[str, int]
    notes: tuple[str, ...]


def tasks_of(cells: Iterable[Cell]) -> tuple[Task, ...]:
    """The tasks of a suite's cells, place by place: all cells of a place, then their timings against the reference.

    A place is a combination of the swept axes' values. The places at which networks train come first, and of these the
    shallowest, so that a run has its first whole answer soon. Cells that are too deep are not timed. Cells that differ
    in their evaluation seeds alone are one task, which measures the seeds of all.
    """
    tasks: dict[tuple[Kind, str], Task] = {}
    for place in _places(cells):
        measured: list[tuple[Kind, Cell]] = [("cell", cell) for cell in place]
        timed: list[tuple[Kind, Cell]] = [("cost", cell) for cell in place if cell.timed]
        for kind, cell in (*measured, *timed):
            task = Task(kind, cell.label, cell.case, cell.reference)
            first = tasks.setdefault((kind, task.id), task)
            seeds = tuple(dict.fromkeys((*first.case.seeds, *task.case.seeds)))
            tasks[kind, task.id] = replace(first, case=first.case.model_copy(update={"seeds": seeds}))
    return tuple(tasks.values())


def _places(cells: Iterable[Cell]) -> list[list[Cell]]:
    """The cells of each place; those of equal depth in the order of the suite."""
    places: dict[str, list[Cell]] = {}
    for cell in cells:
        places.setdefault(repr(cell.axes), []).append(cell)

    def urgency(place: list[Cell]) -> tuple[bool, int]:
        return not any(cell.case.steps for cell in place), min(cell.case.depth for cell in place)

    return sorted(places.values(), key=urgency)


def survey(
    tasks: Sequence[Task], folder: Folder, origin: Provenance, *, keep_stale: bool = False, retry_failed: bool = False
) -> Plan:
    """Find out which tasks have no usable record, or one without some of their seeds; sets damaged records aside.

    A record is stale where what produced it differs from `origin` in the source, the versions, the flags or the
    device.

    Args:
        tasks: all that the run is to have done.
        folder: of the device.
        origin: what would produce records now.
        keep_stale: whether stale records are used, with the seeds that they have.
        retry_failed: whether records of failures are measured again.
    """
    missing, notes = [], []
    present: dict[str, Record] = {}
    attempts: dict[str, int] = {}
    stale: Counter[str] = Counter()
    for task in tasks:
        path = task.record(folder)
        try:
            record: Record | None = read_record(path, CellRecord if task.kind == "cell" else CostRecord)
        except OtherVersionError:
            stale["the form of the records"] += 1
            record = None
        except InputError as error:
            if path.exists():
                notes.append(f"{error}; set aside as {set_aside(path).name} and measured again")
            record = None
        if record is not None:
            changed = origin.differences(record.provenance, task.kind)
            stale.update(changed)
            again = retry_failed and record.status not in RESULTS
            if (keep_stale or not changed) and not again:
                if isinstance(record, CellRecord) and not changed and lacking(record, task.case.seeds):
                    missing.append(replace(task, held=record))
                else:
                    present[task.id] = record
                continue
            attempts[task.id] = record.attempts if again else 0
        missing.append(task)
    for what, count in stale.items():
        kept = keep_stale and what != "the form of the records"
        notes.append(f"stale: {count} {_records(count)} older than a change of {what}; {_done(kept)}")
    return Plan(tuple(missing), present, attempts, tuple(notes))


def _records(count: int) -> str:
    return "record is" if count == 1 else "records are"


def _done(kept: bool) -> str:
    return "kept" if kept else "measured again"
