"""The runner: from a suite to records, measuring only what is missing, whatever happens."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from multiprocessing import current_process
from pathlib import Path
from typing import Any

from vgbench.errors import InputError, unknown
from vgbench.harness.decide import rounds
from vgbench.harness.options import RunOptions, read_options
from vgbench.harness.plan import survey, tasks_of
from vgbench.harness.preregistration import fixed_in
from vgbench.harness.reuse import reuse as reuse_records
from vgbench.harness.run_lock import lock_run
from vgbench.harness.selection import Selection, select
from vgbench.harness.work import Observer, Work
from vgbench.harness.workers.executor import Executor
from vgbench.harness.workers.local import Local
from vgbench.harness.workers.ray import Ray
from vgbench.measure.cost import cost_id
from vgbench.measure.numerics import check_dtype
from vgbench.records.origin import Device
from vgbench.records.schema import Manifest, Row
from vgbench.records.store import Folder, device_folder, write_record
from vgbench.spec.suite import Cell, Suite


def run(
    suite: Suite | str | Path, out: str | Path | None = None, *, observers: Sequence[Observer] = (), **options: Any
) -> Path:
    """Measure every cell of a suite that is not measured yet, and the cost of every cell relative to its reference.

    A worker process measures; a script calls this under `if __name__ == "__main__":`, since that process imports it.

    Args:
        suite: a suite, the name of a built-in one, or the path of a TOML file.
        out: as in `RunOptions`.
        observers: are informed of the progress of the run.
        options: the fields of `vgbench.RunOptions` by name, such as `timeout=600`.

    Returns:
        The folder, to be read with `vgbench.load` and `vgbench.write_report`.

    Raises:
        InputError: the suite, an option, the device or the folder cannot be used, another run is at work there, or the
            folder is deleted, moved or replaced meanwhile.
        Interrupted: a signal ended the run; what had been measured is kept.
    """
    chosen = read_options({**options, "out": out})
    return measure(select(suite, chosen), chosen, observers)


def measure(selection: Selection, options: RunOptions, observers: Sequence[Observer] = ()) -> Path:
    """Measure what is selected; otherwise as `run`."""
    if getattr(current_process(), "_inheriting", False):
        raise InputError("a script calls vgbench.run under `if __name__ == '__main__':`, since its worker imports it")
    suite, cells = selection.suite, selection.cells
    out = options.out or Path("runs") / selection.folder
    for cell in cells:  # what the device's name alone tells, before a worker starts
        check_dtype(cell.case.dtype, (options.device or "").partition(":")[0])
    try:
        with lock_run(out) as lock, closing(_executor(options, cells)) as workers:
            origin = workers.prepare([cell.case for cell in cells])
            folder = device_folder(out, origin.device.slug)
            fixed, said = fixed_in(suite), _unidentified(out, origin.device)
            for placed, found in rounds(selection.placed, folder, selection.looks):
                rows = tuple(_row(place, cell) for place, cell in placed)
                content = suite.name, suite.title, suite.question, rows, origin, suite.claims, fixed, selection.looks
                tasks = tasks_of(cell for _, cell in placed)
                reused = reuse_records(tasks, folder, options.reuse, origin)
                plan = survey(tasks, folder, origin, keep_stale=options.keep_stale, retry_failed=options.retry_failed)
                plan = replace(plan, notes=(*said, *found, *reused, *plan.notes))
                if plan.missing:
                    workers.check()
                lock.check()
                manifest = Manifest(*content)
                write_record(folder.manifest, manifest)
                Work(plan, manifest, folder, origin, workers, lock, observers).go()
                said = ()
    except OSError as error:
        raise InputError(
            f"{error.filename or out}: cannot write records here: {error.strerror or error}; every finished"
            " measurement is kept, and the same command goes on from there once this is mended"
        ) from None
    return out


def _unidentified(out: Path, device: Device) -> tuple[str, ...]:
    """A line about records here of a device with the same name, from before records held the model."""
    older = out / replace(device, model=None, instructions=()).slug
    if device.model is None or not Folder(older).manifest.exists():
        return ()
    return (f"{older}: these records do not say which model of {device} they are of, so none of them is used",)


def _executor(options: RunOptions, cells: Sequence[Cell]) -> Executor:
    size = max((cell.case.devices for cell in cells), default=1)
    if options.executor == "local":
        if options.address is not None:
            raise InputError("address: is a Ray cluster's, so it needs executor 'ray'")
        return Local(options.device, size=size, **options.limits)
    if options.executor == "ray":
        return Ray(options.device, size=size, address=options.address or "auto", **options.limits)
    raise InputError(unknown("executor", options.executor, ("local", "ray")))


def _row(place: int, cell: Cell) -> Row:
    case, reference = cell.case, cell.reference
    pair = cost_id(case, reference) if cell.timed else None
    return Row(place, cell.mitigation, dict(cell.axes), case.cell_id, reference.cell_id, pair, case.seeds)
