"""The plain step of a case and of a reference, timed in interleaved rounds in one process on one device."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vgbench.errors import InputError
from vgbench.measure import PRECISION
from vgbench.measure.cost import Cost
from vgbench.measure.executable import Executable
from vgbench.measure.pairs import time_pair
from vgbench.measure.peaks import peak_flops_per_second
from vgbench.spec.case import Case


class Rounds(NamedTuple):
    """Seconds of one step of a case and of its reference in each round, [rounds]."""

    step: Float[np.ndarray, "rounds"]
    reference: Float[np.ndarray, "rounds"]


def with_compilations(cost: Cost, further: Sequence[Rounds]) -> Cost:
    """A cost with the rounds of further compilations of the same two steps."""
    if not further:
        return cost
    every = [Rounds(cost.step_seconds, cost.reference_seconds), *further]
    return replace(
        cost,
        step_seconds=np.concatenate([each.step for each in every]),
        reference_seconds=np.concatenate([each.reference for each in every]),
        compilation_rounds=tuple(len(each.step) for each in every),
    )


def comparable(case: Case, reference: Case) -> bool:
    """Whether the steps of two cases may be divided: in one form, or in two where nothing else differs.

    Scanning in place of unrolling changes a step's time by itself.
    """
    alike = case.model_copy(update={"block_execution": reference.block_execution})
    return case.timed_form == reference.timed_form or alike.cell_id == reference.cell_id


def measure_cost(case: Case, reference: Case, *, precision: float = PRECISION) -> Cost:
    """Time the plain step of `case` and of `reference` in one process, in rounds of random order.

    The step is the un-instrumented one, in the form that people run (`Case.timed_form`), compiled and warmed up before
    the first round; each sample is blocked. A case may be its own reference: the ratio then shows the noise.

    Args:
        case: what to time.
        reference: what to divide by; both must be timed in the same form, unless they differ in `block_execution`
            alone.
        precision: rounds go on until half the ratio's interval is at most this share of it, or for four seconds.

    Raises:
        InputError: the two would be timed in different forms, or the data cannot serve them.
    """
    if not comparable(case, reference):
        raise InputError(
            f"cost: {case.timed_form} and {reference.timed_form} blocks cannot be compared; scanning alone changes"
            f" a step's time (set block_execution of both to one form, or let nothing else differ)"
        )
    step_seconds, reference_seconds = measure_rounds(case, reference, precision=precision)
    timed, other = (_executable(each) for each in (case, reference))  # pyright: ignore[reportArgumentType]
    queued_seconds, product_flops_per_second, copy_bytes_per_second = timed.queued()
    return Cost(
        form=case.timed_form,
        step_seconds=step_seconds,
        reference_seconds=reference_seconds,
        queued_seconds=queued_seconds,
        compilation=timed.compilation,
        memory=timed.memory,
        reference_memory=other.memory,
        parameters=timed.parameters,
        step_flops=timed.flops,
        xla_flops=timed.xla_flops,
        product_flops_per_second=product_flops_per_second,
        batch_size=case.batch_size,
        reference_form=reference.timed_form,
        xla_bytes=timed.xla_bytes,
        copy_bytes_per_second=copy_bytes_per_second,
        peak_flops_per_second=peak_flops_per_second(case, timed.device.device_kind),
        device_seconds=timed.device_seconds(),
        reference_device_seconds=other.device_seconds(),
        energy=timed.energy(),
        reference_energy=other.energy(),
    )


def measure_rounds(case: Case, reference: Case, *, precision: float) -> Rounds:
    """The rounds of `measure_cost` alone, of programs that this process compiles."""
    timed, other = (_executable(each) for each in (case, reference))  # pyright: ignore[reportArgumentType]
    for each in (timed, other):
        each.warm_up()
    return Rounds(*time_pair(timed.sample, other.sample, precision))


@lru_cache(maxsize=2)
def _executable(case: Case) -> Executable:
    # Kept, so that a reference is compiled once for all the cells that are timed against it in turn.
    return Executable(case)
