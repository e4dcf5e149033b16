"""A run at work: tasks are begun as workers get free, and each is on disk before it counts."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from dataclasses import replace
from typing import Protocol, runtime_checkable

from vgbench.boundary.files import write_all
from vgbench.boundary.paths import within
from vgbench.harness.interrupt import Interrupted, Interrupts, interrupts
from vgbench.harness.outcome import Outcome, Stopwatch, record_of
from vgbench.harness.places import pairs_of_place, round_robin
from vgbench.harness.plan import Plan, Record, Task
from vgbench.harness.progress import Progress, Tally
from vgbench.harness.rows import Rows
from vgbench.harness.run_lock import RunLock
from vgbench.harness.workers.executor import Executor, WorkerLostError
from vgbench.harness.workers.supervisor import ATTEMPTS
from vgbench.records.origin import Provenance
from vgbench.records.runs import Run
from vgbench.records.schema import RESULTS, CellRecord, Manifest, Row
from vgbench.records.seeds import joined
from vgbench.records.store import Folder, write_record

_POLL_SECONDS = 0.2
_WORN = "the worker process has come to hold much memory or many memory maps; another one goes on in its place"


@runtime_checkable
class Observer(Protocol):
    """Is informed of the progress of a run."""

    def planned(self, plan: Plan, progress: Progress) -> None:
        """The run begins, with this to do."""

    def started(self, task: Task, progress: Progress) -> None:
        """A task begins."""

    def ended(self, task: Task, record: Record, progress: Progress) -> None:
        """A task has ended and its record is on disk.

        Of a task that adds seeds it is the record of those alone, which are on disk together with those before. Where
        they could not be measured, what is on disk is the record from before.
        """

    def completed(self, run: Run, rows: Sequence[Row]) -> None:
        """Rows of the table are complete.

        Args:
            run: with the entries of all rows that are complete by now, and of no others.
            rows: those of them that have become so.
        """

    def noted(self, note: str) -> None:
        """Something happened that changes no measurement."""

    def stopping(self) -> None:
        """The run was asked to stop, and will after what runs now."""


class Work:
    """One run, at work.

    Args:
        plan: what is to be done.
        manifest: the rows that it is to fill.
        folder: of the device.
        origin: provenance of the records of tasks that were not measured.
        executor: has tasks measured.
        lock: of the folder, in which the run notes what it does now.
        observers: are informed of the progress of the run.
    """

    def __init__(
        self,
        plan: Plan,
        manifest: Manifest,
        folder: Folder,
        origin: Provenance,
        executor: Executor,
        lock: RunLock,
        observers: Sequence[Observer],
    ) -> None:
        self._plan, self._folder, self._origin = plan, folder, origin
        self._executor, self._lock, self._observers = executor, lock, observers
        timers = 1 if origin.device.platform == "cpu" else executor.workers  # as `may_take` has it
        self._tally = Tally(list(plan.present.values()), plan.missing, executor.workers, timers)
        self._records = dict(plan.present)
        self._rows = Rows(manifest, self._records)
        self._waiting = list(plan.missing)
        self._running: dict[Future[Outcome], Task] = {}
        self._begun = dict(plan.attempts)

    def go(self) -> None:
        """Measure what is missing; stop early, with all that is finished kept, where a signal says so.

        Raises:
            Interrupted: a signal said so.
            InputError: the workers cannot go on, or the folder is gone.
        """
        for observer in self._observers:
            observer.planned(self._plan, self._tally.progress)
        with interrupts(self._stopping) as asked, suppress(KeyboardInterrupt):
            while self._running or (self._waiting and not asked.stopping):
                self._check()
                self._begin(asked)
                if asked.at_once:
                    raise KeyboardInterrupt
                if not self._running and self._waiting:
                    time.sleep(_POLL_SECONDS)  # all workers are lost, and may come back
                for future in wait(self._running, _POLL_SECONDS, FIRST_COMPLETED).done:
                    self._end(future)
                self._report_rows()
        if self._tally.progress.left:
            said = f"stopped with {self._tally.progress}; the same command goes on from here"
            raise Interrupted(said, asked.signal)

    def _begin(self, asked: Interrupts) -> None:
        """Begin whatever can be begun, in the order of the plan, in which a place's cells come before its timings."""
        cells = {task.id for task in (*self._waiting, *self._running.values()) if task.kind == "cell"}
        begun = {task.id for task in self._waiting if self._begun_here(task)}
        for task in list(self._waiting):
            if asked.stopping or len(self._running) == self._executor.workers:
                return
            if task not in self._waiting:
                continue  # it was begun together with one before it
            if task.kind == "cost":
                pairs = pairs_of_place(task, self._waiting, begun)
                if any(cells & {pair.case.cell_id, pair.reference.cell_id} for pair in pairs):
                    continue  # which of them are tried depends on how they end
                pairs = [pair for pair in pairs if not self._skipped(pair)]
                if task not in pairs:
                    continue
                task = round_robin(task, pairs)
            future = self._executor.submit(task)
            if future is None:
                return  # no worker is free, or a timing has to wait for others to end, which no others may delay
            self._running[future] = task
            self._started(task)

    def _skipped(self, task: Task) -> bool:
        """Whether a cost is not to be tried; its record then says why."""
        reason = _unmeasurable(task, self._records)
        if reason:
            self._started(task)
            self._keep(task, Outcome(record_of(task, self._origin, Stopwatch(), "skipped", reason, attempts=0)))
        return bool(reason)

    def _started(self, task: Task) -> None:
        for each in task.together:
            self._waiting.remove(each)
        actions = [each.action for running in self._running.values() for each in running.together] or [task.action]
        more = [f"{len(actions) - 2} more"] if len(actions) > 2 else []
        self._lock.note(", ".join([*actions[:2], *more]), self._tally.progress)
        for each in task.together:
            for observer in self._observers:
                observer.started(each, self._tally.progress)

    def _end(self, future: Future[Outcome]) -> None:
        task = self._running.pop(future)
        try:
            outcome = future.result()
        except WorkerLostError as error:
            for each in reversed(task.together):
                self._lost(each, error)
            return
        if outcome.traces:  # before the records, so that none names a trace that is not there
            self._check()
            root = self._folder.path
            write_all({within(root, root / name): content for name, content in outcome.traces.items()})
        for each, record in zip(task.together, outcome.records, strict=True):
            self._keep(each, replace(outcome, record=record) if each is task else Outcome(record))

    def _lost(self, task: Task, error: WorkerLostError) -> None:
        self._begun[task.id] = self._begun.get(task.id, 0) + 1
        if self._begun_here(task) < ATTEMPTS:
            self._waiting.insert(0, task)
            return
        self._keep(task, Outcome(record_of(task, self._origin, Stopwatch(), "crashed", str(error), attempts=0)))

    def _begun_here(self, task: Task) -> int:
        """How often a task that is to be begun was begun in this run."""
        return self._begun.get(task.id, 0) - self._plan.attempts.get(task.id, 0)

    def _keep(self, task: Task, outcome: Outcome) -> None:
        record = replace(outcome.record, attempts=self._begun.get(task.id, 0) + outcome.record.attempts)
        self._check()
        kept = _extended(task.held, record) if task.held else record
        if kept is not task.held:
            write_record(task.record(self._folder), kept)
        self._records[task.id] = kept
        self._tally.ended(task, record, outcome.programs)
        for observer in self._observers:
            observer.ended(task, record, self._tally.progress)
            for note in (*outcome.notes, *([_WORN] if outcome.worn else [])):
                observer.noted(note)

    def _report_rows(self) -> None:
        """Inform the observers of rows that are complete now, while this process has nothing else to do."""
        rows = self._rows.fresh(self._records)
        if rows and self._observers:
            run = self._rows.run(self._records)
            for observer in self._observers:
                observer.completed(run, rows)

    def _check(self) -> None:
        """Write nothing into a folder that is not the one any more in which the run began."""
        self._lock.check(self._folder.manifest)

    def _stopping(self) -> None:
        for observer in self._observers:
            observer.stopping()


def _extended(held: CellRecord, record: Record) -> CellRecord:
    """The record with the seeds that were added to it; as it was where they could not be measured."""
    if not isinstance(record, CellRecord) or record.status not in RESULTS:
        return held
    return replace(joined([held, record]), seconds=held.seconds + record.seconds)


def _unmeasurable(task: Task, records: Mapping[str, Record]) -> str:
    """Why a cost is not tried: it would fail, or hang, as its case or its reference did; empty where it may succeed."""
    for who, case in (("it", task.case), ("its baseline", task.reference)):
        record = records.get(case.cell_id)
        if record and record.status not in RESULTS:
            return f"{who} could not be measured ({record.status})"
    return ""
