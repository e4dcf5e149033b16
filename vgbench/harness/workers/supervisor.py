"""The supervised worker: one warm process that measures, replaced whenever it dies or hangs."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as OutOfTime
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessPool

from vgbench.errors import InputError
from vgbench.harness.outcome import Outcome, Stopwatch, record_of
from vgbench.harness.plan import Record, Task
from vgbench.harness.workers import process
from vgbench.harness.workers.visible_devices import Visible
from vgbench.plain import printable
from vgbench.records.origin import Provenance
from vgbench.records.schema import CostRecord, Status, trace_place

T = TypeVar("T")

ATTEMPTS = 2
"""How often a task is begun before the death of its worker counts as its outcome: a worker can also die from outside,
or of what earlier tasks left in it."""


class Supervisor:
    """Has tasks measured, one at a time, by a process of its own; this process needs no device.

    The process is replaced before it holds more than a process may.

    Args:
        device: as in `find_device`; the worker's default device if None.
        environment: variables that the worker has in addition, such as those that show it its devices alone.
        timeout: seconds that a task may take.
        precision: of timed ratios, as in `measure_cost`.
        compilations: how often a pair is compiled and timed, as in `RunOptions`.
        memory_limit: bytes of memory that the worker may take (Linux); no limit if None.
        trace: whether to trace some steps of each case that is timed.
    """

    def __init__(
        self,
        device: str | None,
        environment: Mapping[str, str] | None = None,
        *,
        timeout: float,
        precision: float,
        compilations: int | None,
        memory_limit: int | None,
        trace: bool = False,
    ) -> None:
        self._device = device
        self._environment = dict(environment or {})
        self._timeout = timeout
        self._timing, self._trace = (precision, compilations), trace
        self._memory_limit = memory_limit
        self._worn = False
        self._start()

    def _start(self) -> None:
        # A pool for each life of the worker: one that dies at a bad moment may leave the pool's locks taken.
        context: Any = multiprocessing.get_context("spawn")
        setting = self._environment, self._memory_limit
        self._pool = ProcessPool(max_workers=1, initializer=process.begin, initargs=setting, context=context)
        try:
            self._pid = self._pool.schedule(os.getpid).result()
        except (ProcessExpired, BrokenProcessPool):
            raise InputError(
                "the worker process ended before it could measure anything (above it may have said why; a script calls"
                " vgbench.run under `if __name__ == '__main__':`, since the worker imports it)"
            ) from None

    def prepare(self, pickled: bytes) -> Provenance:
        """Have the worker check the device and the pickled cases, and say what it measures with.

        Raises:
            InputError: the worker cannot serve them.
        """
        return self._ask(process.prepare, pickled)

    def origin(self) -> Provenance:
        """Have the worker say what it measures with.

        Raises:
            InputError: there is no such device.
        """
        return self._ask(process.origin)

    def visible(self) -> Visible:
        """Have the worker say which devices it sees.

        Raises:
            InputError: there is no such device.
        """
        return self._ask(process.visible)

    def _ask(self, question: Callable[..., T], *arguments: Any) -> T:
        try:
            return self._pool.schedule(question, args=[self._device, *arguments]).result()
        except (ProcessExpired, BrokenProcessPool) as error:
            _, reason = _death(getattr(error, "exitcode", None), killed_for_memory=False)
            raise InputError(f"{self._device or 'the default device'} cannot be used: {reason}") from None

    def execute(self, task: Task, origin: Provenance, stop: Callable[[], bool]) -> Outcome:
        """Have a task measured; its record says that `origin` measured it, and how often it was begun.

        Crashes, kills and hangs of the worker are outcomes. A hang is not tried again.

        Raises:
            KeyboardInterrupt: `stop` says so meanwhile.
        """
        if self._worn:
            self.close()
            self._start()
            self._worn = False
        attempt = 0
        while True:
            attempt += 1
            stopwatch, kills = Stopwatch(), _kills()
            arguments = [task, self._device, *self._timing, origin]
            try:
                future = self._pool.schedule(process.execute, args=arguments, timeout=self._timeout)
                outcome = self._result(future, stop)
            except OutOfTime:
                failure: tuple[Status, str] = "timeout", f"stopped after {self._timeout:g} seconds (see --timeout)"
            except (ProcessExpired, BrokenProcessPool) as error:
                failure = _death(getattr(error, "exitcode", None), _kills() > kills)
            else:
                self._worn = outcome.worn
                return self._traced(_begun(outcome, attempt - 1), task, stop)
            self.close()
            self._start()
            if task.beside:
                return self._apart(task, origin, stop)
            if failure[0] == "timeout" or attempt == ATTEMPTS:
                return Outcome(record_of(task, origin, stopwatch, *failure, attempt))

    def _traced(self, outcome: Outcome, task: Task, stop: Callable[[], bool]) -> Outcome:
        """The outcome with traces of the timed steps, if they are to be kept; a failure costs one trace alone."""
        if not self._trace:
            return outcome
        records, traces, notes = [], dict[str, bytes](), list[str]()
        for each, record in zip(task.together, outcome.records, strict=True):
            files, why = self._trace_of(each, record, stop)
            place = trace_place(each.id)
            traces |= {f"{place}/{name}": content for name, content in files.items()}
            notes += [f"no trace of {each.label}: {printable(why)}"] if why else []
            records.append(replace(record, trace=place) if files else record)
        first, *others = records
        return replace(outcome, record=first, beside=tuple(others), traces=traces, notes=tuple(notes))

    def _trace_of(self, task: Task, record: Record, stop: Callable[[], bool]) -> tuple[Mapping[str, bytes], str]:
        """The files of a trace of a step that was timed; without any, the reason, if it should have one."""
        if not isinstance(record, CostRecord) or record.cost is None:
            return {}, ""
        schedule, arguments = self._pool.schedule, [self._device, task.case]
        try:
            return self._result(schedule(process.step_trace, args=arguments, timeout=self._timeout), stop)
        except (OutOfTime, ProcessExpired, BrokenProcessPool) as error:
            self.close()
            self._start()
            return {}, f"the worker ended ({type(error).__name__})"

    def _apart(self, task: Task, origin: Provenance, stop: Callable[[], bool]) -> Outcome:
        """Have tasks measured one by one, since one of them ended the worker that measured them together."""
        alone = (replace(each, beside=()) for each in task.together)
        first, *others = (_begun(self.execute(each, origin, stop), 1) for each in alone)
        traces = {name: content for outcome in (first, *others) for name, content in outcome.traces.items()}
        notes = tuple(note for outcome in (first, *others) for note in outcome.notes)
        beside = tuple(other.record for other in others)
        return replace(first, beside=beside, worn=self._worn, traces=traces, notes=notes)

    def _result(self, future: Future[T], stop: Callable[[], bool]) -> T:
        while not wait([future], timeout=0.2).done:
            if stop():
                raise KeyboardInterrupt
            if not self._lives and not wait([future], timeout=2).done:
                raise ProcessExpired("exit code 0, which the pool takes for a good end", code=0)
        return future.result()

    @property
    def _lives(self) -> bool:
        return any(child.pid == self._pid for child in multiprocessing.active_children())

    def close(self) -> None:
        """End the worker at once, whatever it does."""
        if self._lives:
            os.kill(self._pid, signal.SIGKILL)  # asked to end, it would first finish what it compiles
        self._pool.stop()
        self._pool.join()


def _begun(outcome: Outcome, times: int) -> Outcome:
    """The outcome of tasks that were begun so often before it."""
    first, *others = (replace(record, attempts=record.attempts + times) for record in outcome.records)
    return replace(outcome, record=first, beside=tuple(others))


def _death(exit_code: int | None, killed_for_memory: bool) -> tuple[Status, str]:
    if killed_for_memory:
        return "out_of_memory", "the system ran out of memory and killed the worker"
    if exit_code is None:
        return "crashed", "the worker died"
    if exit_code >= 0:
        return "crashed", f"the worker ended with exit code {exit_code}"
    name = signal.Signals(-exit_code).name
    hint = "; if nobody did, the system may have run out of memory" if name == "SIGKILL" else ""
    return "crashed", f"the worker was ended by {name}{hint}"


def _kills() -> int:
    """How many processes the kernel has killed because memory ran out, since it booted; 0 where it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
