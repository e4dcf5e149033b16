"""What the worker process does: it measures a task, and says how it ended."""

import pickle
import traceback
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax

from vgbench.data import load_dataset
from vgbench.errors import InputError, UnknownError
from vgbench.harness.outcome import Outcome, Stopwatch, record_of
from vgbench.harness.plan import Task
from vgbench.harness.workers.compilations import compilations_on, further_rounds
from vgbench.harness.workers.peak_memory import device_peak_bytes
from vgbench.measure.coordinates import measure_coordinates
from vgbench.measure.cost import Cost
from vgbench.measure.mesh import whole
from vgbench.measure.numerics import check_dtype
from vgbench.measure.pairs import Rounds
from vgbench.measure.profiles import measure_profiles, train_and_profile
from vgbench.measure.room import exhausted
from vgbench.measure.shared import programs_made, worn
from vgbench.measure.timing import measure_costs, with_compilations
from vgbench.plain import printable
from vgbench.records.origin import Provenance
from vgbench.records.provenance import find_device, provenance
from vgbench.records.schema import Status
from vgbench.records.status import judged
from vgbench.spec.case import Case

_COMPILER = ("jax._src.compiler", "jax._src.interpreters.mlir")


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


class _End(NamedTuple):
    """How a task ended: its status, the reason, and what was measured before, by the record's field."""

    status: Status
    reason: str
    measured: dict[str, Any]


def execute(task: Task, device: str | None, precision: float, compilations: int | None, origin: Provenance) -> Outcome:
    """Measure a cell, or the costs of pairs to this precision; whatever goes wrong in it is an outcome.

    Args:
        task: what is measured.
        device: as in `find_device`.
        precision: of timed ratios, as in `measure_cost`.
        compilations: how often a pair is compiled and timed, as in `RunOptions`.
        origin: what its record says of who measured it.
    """
    stopwatch, before = Stopwatch(len(task.together)), programs_made()
    ends = [_cell(task, device)] if task.kind == "cell" else _costs(task, device, precision, compilations)
    first, *others = (
        record_of(each, origin, stopwatch, end.status, end.reason, **end.measured)
        for each, end in zip(task.together, ends, strict=True)
    )
    return Outcome(first, programs_made() - before, worn(), tuple(others))


def _cell(task: Task, device: str | None) -> _End:
    measured: dict[str, Any] = {}
    try:
        with jax.default_device(find_device(device)):
            case, tuned = task.remaining, task.held.training if task.held else None
            profiles = None
            try:
                if case.steps:
                    measured["training"], profiles = train_and_profile(case, tuned)
            finally:  # what training began with is worth knowing where it failed
                measured["gradients"], measured["forward"] = profiles or measure_profiles(case)
            measured["coordinates"] = measure_coordinates(case) if case.coordinate_steps else None
            return _End(*judged(measured["gradients"], measured.get("training")), measured)
    except BaseException as error:  # sys.exit, too: a failing cell must not take the others with it
        return _End(*classify(error), measured)


def _costs(task: Task, device: str | None, precision: float, compilations: int | None) -> list[_End]:
    cases = [each.case for each in task.together]
    try:
        with jax.default_device(find_device(device)):
            costs = measure_costs(cases, task.reference, precision=precision)
            times = compilations_on(device, compilations) - 1
            further = further_rounds(device, cases, task.reference, precision, times)
            done = [i for i, cost in enumerate(costs) if isinstance(cost, Cost)]
            peaks = dict(zip(done, device_peak_bytes(device, [cases[i] for i in done]), strict=True))
            return [_timed(*each, peaks.get(i)) for i, each in enumerate(zip(costs, further, strict=True))]
    except BaseException as error:
        return [_End(*classify(error), {})] * len(cases)


def _timed(cost: Cost | BaseException, further: Sequence[Rounds], peak: int | None) -> _End:
    if isinstance(cost, BaseException):
        return _End(*classify(cost), {})
    return _End("ok", "", {"cost": replace(with_compilations(cost, further), device_peak_bytes=peak)})


def classify(error: BaseException) -> tuple[Status, str]:
    """The status that an exception while measuring means, and the reason in one line."""
    text = printable(f"{error}".strip().partition("\n")[0])
    reason = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if isinstance(error, InputError):
        return "skipped", text
    if exhausted(error):
        return "out_of_memory", reason
    modules = (frame.f_globals.get("__name__") for frame, _ in traceback.walk_tb(error.__traceback__))
    if any(module in _COMPILER for module in modules):
        return "compile_error", reason
    return "crashed", reason
