"""What the worker process does: it measures a task, and says how it ended."""

import pickle
import traceback
from dataclasses import replace
from typing import Any

import jax

from vgbench.data import load_dataset
from vgbench.errors import InputError, UnknownError
from vgbench.harness.outcome import Outcome, Stopwatch, record_of
from vgbench.harness.plan import Task
from vgbench.harness.workers.compilations import compilations_on, further_rounds
from vgbench.harness.workers.peak_memory import device_peak_bytes
from vgbench.measure.coordinates import measure_coordinates
from vgbench.measure.mesh import whole
from vgbench.measure.numerics import check_dtype
from vgbench.measure.profiles import measure_profiles
from vgbench.measure.shared import programs_made, worn
from vgbench.measure.timing import measure_cost, with_compilations
from vgbench.measure.training import measure_training
from vgbench.plain import printable
from vgbench.records.origin import Provenance
from vgbench.records.provenance import find_device, provenance
from vgbench.records.schema import Status
from vgbench.records.status import judged
from vgbench.spec.case import Case

_COMPILER = ("jax._src.compiler", "jax._src.interpreters.mlir")
_EXHAUSTED = ("RESOURCE_EXHAUSTED", "Out of memory")


def prepare(device: str | None, pickled: bytes) -> Provenance:
    """Find the device, check what can only be checked where cases are measured, and say who measures them.

    Args:
        device: as in `find_device`.
        pickled: the cases, unpickled only here, since a member that this process does not know must be an error with a
            name.

    Returns:
        The provenance of all that this process measures on that device.

    Raises:
        InputError: no such device, or too few, one without a case's dtype, an unknown member, or data that cannot serve
            a case.
    """
    chosen = find_device(device)
    try:
        cases: list[Case] = pickle.loads(pickled)
    except UnknownError as error:
        raise InputError(
            f"the worker process: {error}\n(it knows the members of vgbench, of plug-ins and of the script that called"
            " it, not those of an interactive session)"
        ) from None
    for dtype in {case.dtype for case in cases}:
        check_dtype(dtype, chosen.platform)
    for case in {(str(case.data), case.batch_size): case for case in cases}.values():
        load_dataset(case)
    with jax.default_device(chosen):
        for case in {case.devices: case for case in cases}.values():
            whole(case)
    return provenance(chosen)


def execute(task: Task, device: str | None, precision: float, compilations: int | None, origin: Provenance) -> Outcome:
    """Measure a cell, or a cost to this precision; whatever goes wrong in it is an outcome.

    Args:
        task: what is measured.
        device: as in `find_device`.
        precision: of a timed ratio, as in `measure_cost`.
        compilations: how often a pair is compiled and timed, as in `RunOptions`.
        origin: what its record says of who measured it.
    """
    stopwatch, measured, before = Stopwatch(), dict[str, Any](), programs_made()
    status: Status
    try:
        with jax.default_device(find_device(device)):
            if task.kind == "cell":
                case, tuned = task.remaining, task.held.training if task.held else None
                measured["gradients"], measured["forward"] = measure_profiles(case)
                measured["training"] = measure_training(case, tuned=tuned) if case.steps else None
                measured["coordinates"] = measure_coordinates(case) if case.coordinate_steps else None
                status, reason = judged(measured["gradients"], measured["training"])
            else:
                cost = measure_cost(task.case, task.reference, precision=precision)
                times = compilations_on(device, compilations) - 1
                further = further_rounds(device, task.case, task.reference, precision, times)
                peak = device_peak_bytes(device, task.case)
                measured["cost"] = replace(with_compilations(cost, further), device_peak_bytes=peak)
                status, reason = "ok", ""
    except BaseException as error:  # sys.exit, too: a failing cell must not take the others with it
        status, reason = classify(error)
    record = record_of(task, origin, stopwatch, status, reason, **measured)
    return Outcome(record, programs_made() - before, worn())


def classify(error: BaseException) -> tuple[Status, str]:
    """The status that an exception while measuring means, and the reason in one line."""
    text = printable(f"{error}".strip().partition("\n")[0])
    reason = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if isinstance(error, InputError):
        return "skipped", text
    exhausted = isinstance(error, jax.errors.JaxRuntimeError) and any(words in text for words in _EXHAUSTED)
    if isinstance(error, MemoryError) or exhausted:
        return "out_of_memory", reason
    modules = (frame.f_globals.get("__name__") for frame, _ in traceback.walk_tb(error.__traceback__))
    if any(module in _COMPILER for module in modules):
        return "compile_error", reason
    return "crashed", reason
