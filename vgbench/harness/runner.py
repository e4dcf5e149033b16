"""The runner: from a suite to records, measuring only what is missing, whatever happens."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import current_process
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from vgbench.case import Case
from vgbench.errors import InputError
from vgbench.harness.interrupt import Interrupted, interrupts
from vgbench.harness.occupied import Occupied, occupy
from vgbench.harness.shard import read_shard
from vgbench.harness.standing import Standing, Tally
from vgbench.harness.supervisor import Supervisor
from vgbench.harness.tasks import Plan, Record, Task, survey, tasks_of
from vgbench.harness.worker import Ended
from vgbench.measure.cost import cost_id
from vgbench.measure.pairs import PRECISION
from vgbench.records import RESULTS, CellRecord, CostRecord, Manifest, Provenance, Row
from vgbench.store import Folder, write_record
from vgbench.suite import Cell, Suite, read_suite

TIMEOUT = 3600.0
"""Seconds that one measurement may take if nobody says otherwise."""


@runtime_checkable
class Observer(Protocol):
    """Whoever wants to know how a run stands."""

    def planned(self, plan: Plan, standing: Standing) -> None:
        """The run begins, with this to do."""

    def started(self, task: Task, standing: Standing) -> None:
        """A task begins."""

    def ended(self, task: Task, record: Record, standing: Standing) -> None:
        """A task has ended and its record is on disk."""

    def stopping(self) -> None:
        """The run was asked to stop, and will after what runs now."""


@runtime_checkable
class Executor(Protocol):
    """Whoever has tasks measured; `Supervisor` is one."""

    def prepare(self, cases: Iterable[Case]) -> Provenance:
        """Check the device and the cases, and say what they are measured with."""
        ...

    def execute(self, task: Task, stop: Callable[[], bool]) -> tuple[Ended, int]:
        """Have a task measured, or raise KeyboardInterrupt once `stop` says so; also returns how often it was begun."""
        ...


def run(
    suite: Suite | str | Path,
    out: str | Path | None = None,
    *,
    settings: Mapping[str, Sequence[Any]] | None = None,
    only: Sequence[str] = (),
    shard: str | None = None,
    device: str | None = None,
    timeout: float = TIMEOUT,
    precision: float = PRECISION,
    memory_limit: int | None = None,
    retry_failed: bool = False,
    keep_stale: bool = False,
    observers: Sequence[Observer] = (),
) -> Path:
    """Measure every cell of a suite that is not measured yet, and the cost of every cell beside its baseline.

    A worker process measures; a script calls this under `if __name__ == "__main__":`, since that process imports it.

    Args:
        suite: a suite, the name of a built-in one, or the path of a TOML file.
        out: folder for records, made if missing; `runs/NAME` if None, of a shard `runs/NAME-i-of-n`.
        settings: values to set for fields of the case, as in `Suite.select`.
        only: names of mitigations to keep, as in `Suite.select`.
        shard: `i/n` measures the i-th of n parts alone, with its costs; `merge` makes one run of all parts.
        device: `cpu`, `gpu` or `tpu`, with `:i` for the i-th; the default backend's first if None.
        timeout: seconds that one measurement may take.
        precision: timing a pair goes on until half the 95 % interval of its ratio is at most this share of it, or for
            four seconds.
        memory_limit: bytes of memory that the worker may take (on Linux); no limit if None.
        retry_failed: measure again what failed before (out of memory, compile error, timeout, crash, skipped).
        keep_stale: keep records of another source, other versions or flags, where they are measured again otherwise.
        observers: are told how the run stands.

    Returns:
        The folder, to be read with `vgbench.load` and `vgbench.write_report`.

    Raises:
        InputError: the suite, a setting, the device or the folder cannot be used, or another run is at work there.
        Interrupted: a signal ended the run; what had been measured is kept.
    """
    if getattr(current_process(), "_inheriting", False):
        raise InputError("a script calls vgbench.run under `if __name__ == '__main__':`, since its worker imports it")
    suite = (suite if isinstance(suite, Suite) else read_suite(suite)).select(settings, only)
    part = None if shard is None else read_shard(shard)
    out = Path(out) if out is not None else Path("runs") / (part.folder(suite.name) if part else suite.name)
    placed = [(place, cell) for place, cell in enumerate(suite.cells()) if part is None or part.holds(cell.case)]
    cells = [cell for _, cell in placed]
    try:
        with (
            occupy(out) as occupied,
            Supervisor(device, timeout=timeout, precision=precision, memory_limit=memory_limit) as worker,
        ):
            origin = worker.prepare(cell.case for cell in cells)
            folder = Folder(out / origin.device.slug)
            rows = tuple(_row(place, cell) for place, cell in placed)
            write_record(folder.manifest, Manifest(suite.name, suite.title, suite.question, rows, origin))
            plan = survey(tasks_of(cells), folder, origin, keep_stale=keep_stale, retry_failed=retry_failed)
            _Run(plan, folder, origin, worker, occupied, observers).go()
    except OSError as error:
        raise InputError(
            f"{error.filename or out}: cannot write records here: {error.strerror or error}; every finished"
            " measurement is kept, and the same command goes on from there once this is mended"
        ) from None
    return out


@dataclass(frozen=True)
class _Run:
    """One run, at work."""

    plan: Plan
    folder: Folder
    origin: Provenance
    worker: Executor
    occupied: Occupied
    observers: Sequence[Observer]

    def go(self) -> None:
        """Measure what is missing; stop early, with all that is finished kept, where a signal says so."""
        tally = Tally(list(self.plan.present.values()), self.plan.missing)
        records = dict(self.plan.present)
        for observer in self.observers:
            observer.planned(self.plan, tally.standing)
        with interrupts(self._stopping) as asked, suppress(KeyboardInterrupt):
            for task in self.plan.missing:
                if asked.stopping:
                    break
                self._started(task, tally.standing)
                record, programs = self._execute(task, records, lambda: asked.at_once)
                records[task.id] = record
                tally.ended(task, record, programs)
                for observer in self.observers:
                    observer.ended(task, record, tally.standing)
        if tally.standing.left:
            said = f"stopped with {tally.standing}; the same command goes on from here"
            raise Interrupted(said, asked.signal)

    def _started(self, task: Task, standing: Standing) -> None:
        self.occupied.note(task.action, standing)
        for observer in self.observers:
            observer.started(task, standing)

    def _execute(self, task: Task, records: Mapping[str, Record], stop: Callable[[], bool]) -> tuple[Record, int]:
        ended, attempts = _skipped(task, records) or self.worker.execute(task, stop)
        common: dict[str, Any] = {
            "case": task.case,
            "status": ended.status,
            "reason": ended.reason,
            "provenance": self.origin,
            "started": ended.started,
            "seconds": ended.seconds,
            "attempts": self.plan.attempts.get(task.id, 0) + attempts,
        }
        if task.kind == "cell":
            parts = {name: ended.measured.get(name) for name in ("gradients", "forward", "training")}
            record: Record = CellRecord(**parts, **common)
        else:
            record = CostRecord(reference=task.reference, cost=ended.measured.get("cost"), **common)
        write_record(task.record(self.folder), record)
        return record, ended.programs

    def _stopping(self) -> None:
        for observer in self.observers:
            observer.stopping()


def _skipped(task: Task, records: Mapping[str, Record]) -> tuple[Ended, int] | None:
    """A cost whose case or reference could not be measured is not tried: it would fail, or hang, as well."""
    if task.kind == "cost":
        for who, case in (("it", task.case), ("its baseline", task.reference)):
            record = records.get(case.cell_id)
            if record and record.status not in RESULTS:
                reason = f"{who} could not be measured ({record.status})"
                return Ended("skipped", reason, {}, record.started, 0.0), 0
    return None


def _row(place: int, cell: Cell) -> Row:
    pair = cost_id(cell.case, cell.reference) if cell.timed else None
    return Row(place, cell.mitigation, dict(cell.axes), cell.case.cell_id, cell.reference.cell_id, pair)
