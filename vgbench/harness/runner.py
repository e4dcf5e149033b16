"""The runner: from a suite to records, measuring only what is missing, whatever happens."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from multiprocessing import current_process
from pathlib import Path
from typing import Any

from vgbench.boundary.paths import check_folder_name
from vgbench.errors import InputError, unknown
from vgbench.harness.plan import survey, tasks_of
from vgbench.harness.preregistration import fixed_in
from vgbench.harness.reuse import reuse as reuse_records
from vgbench.harness.run_lock import lock_run
from vgbench.harness.shard import read_shard
from vgbench.harness.work import Observer, Work
from vgbench.harness.workers.executor import Executor
from vgbench.harness.workers.local import Local
from vgbench.harness.workers.ray import Ray
from vgbench.measure.cost import cost_id
from vgbench.measure.numerics import check_dtype
from vgbench.measure.pairs import PRECISION
from vgbench.records.origin import Device
from vgbench.records.schema import Manifest, Row
from vgbench.records.store import Folder, device_folder, write_record
from vgbench.spec.suite import Cell, Suite, read_suite

TIMEOUT = 3600.0
"""Seconds that one measurement may take if nobody says otherwise."""


def run(
    suite: Suite | str | Path,
    out: str | Path | None = None,
    *,
    settings: Mapping[str, Sequence[Any]] | None = None,
    only: Sequence[str] = (),
    shard: str | None = None,
    device: str | None = None,
    executor: str = "local",
    address: str | None = None,
    timeout: float = TIMEOUT,
    precision: float = PRECISION,
    memory_limit: int | None = None,
    retry_failed: bool = False,
    keep_stale: bool = False,
    reuse: Sequence[str | Path] = (),
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
        device: `cpu`, `gpu` or `tpu`, with `:i` for the i-th alone; the default backend's if None. Each device
            (each group of as many as the cases ask for) has a worker of its own.
        executor: `local`, or `ray` for a cluster that runs already (extra `ray`).
        address: of the Ray cluster; the one that this host belongs to if None.
        timeout: seconds that one measurement may take.
        precision: timing a pair goes on until half the 95 % interval of its ratio is at most this share of it, or for
            four seconds.
        memory_limit: bytes of memory that the worker may take (on Linux); no limit if None.
        retry_failed: measure again what failed before (out of memory, compile error, timeout, crash, skipped).
        keep_stale: keep records of another source, other versions or flags, where they are measured again otherwise.
        reuse: folders of other runs, of any suite, whose results of the same cells and pairs are copied before anything
            is measured, where the same source, versions and flags produced them on a like device.
        observers: are informed of the progress of the run.

    Returns:
        The folder, to be read with `vgbench.load` and `vgbench.write_report`.

    Raises:
        InputError: the suite, a setting, the device or the folder cannot be used, another run is at work there, or the
            folder is deleted, moved or replaced meanwhile.
        Interrupted: a signal ended the run; what had been measured is kept.
    """
    if getattr(current_process(), "_inheriting", False):
        raise InputError("a script calls vgbench.run under `if __name__ == '__main__':`, since its worker imports it")
    suite = (suite if isinstance(suite, Suite) else read_suite(suite)).select(settings, only)
    part = None if shard is None else read_shard(shard)
    name = check_folder_name(part.folder(suite.name) if part else suite.name)
    out = Path(out) if out is not None else Path("runs") / name
    placed = [(place, cell) for place, cell in enumerate(suite.cells()) if part is None or part.holds(cell.case)]
    cells = [cell for _, cell in placed]
    for cell in cells:  # what the device's name alone tells, before a worker starts
        check_dtype(cell.case.dtype, (device or "").partition(":")[0])
    size = max((cell.case.devices for cell in cells), default=1)
    limits = {"timeout": timeout, "precision": precision, "memory_limit": memory_limit}
    try:
        with lock_run(out) as lock, closing(_executor(executor, address, device, size=size, **limits)) as workers:
            origin = workers.prepare([cell.case for cell in cells])
            folder = device_folder(out, origin.device.slug)
            rows = tuple(_row(place, cell) for place, cell in placed)
            content = suite.name, suite.title, suite.question, rows, origin, suite.claims, fixed_in(suite)
            lock.check()
            write_record(folder.manifest, Manifest(*content))
            tasks = tasks_of(cells)
            reused = reuse_records(tasks, folder, [Path(each) for each in reuse], origin)
            plan = survey(tasks, folder, origin, keep_stale=keep_stale, retry_failed=retry_failed)
            plan = replace(plan, notes=(*_unidentified(out, origin.device), *reused, *plan.notes))
            Work(plan, folder, origin, workers, lock, observers).go()
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


def _executor(name: str, address: str | None, device: str | None, **options: Any) -> Executor:
    if name == "local":
        if address is not None:
            raise InputError("address: is a Ray cluster's, so it needs executor 'ray'")
        return Local(device, **options)
    if name == "ray":
        return Ray(device, address=address or "auto", **options)
    raise InputError(unknown("executor", name, ("local", "ray")))


def _row(place: int, cell: Cell) -> Row:
    pair = cost_id(cell.case, cell.reference) if cell.timed else None
    return Row(place, cell.mitigation, dict(cell.axes), cell.case.cell_id, cell.reference.cell_id, pair)
