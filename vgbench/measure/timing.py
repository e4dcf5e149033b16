"""The cost of cases: their plain steps and their reference's, timed in rounds in one process on one device."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vgbench.measure import PRECISION
from vgbench.measure.cost import Cost
from vgbench.measure.executable import Executable
from vgbench.measure.pairs import Rounds
from vgbench.measure.peaks import peak_flops_per_second
from vgbench.measure.round_robin import RoundRobin, timed_beside
from vgbench.spec.case import Case


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
    (measured,) = measure_costs([case], reference, precision=precision)
    if isinstance(measured, BaseException):
        raise measured
    return measured


def measure_costs(
    cases: Sequence[Case], reference: Case, *, precision: float = PRECISION
) -> tuple[Cost | BaseException, ...]:
    """Time the plain steps of several cases and of their reference as `measure_cost` does, in one round-robin.

    Each round has one sample of the reference, which all cases share. Where the programs do not fit into the memory
    together, there are several round-robins.

    Returns:
        The cost of each case, or why it could not be measured.
    """
    return timed_beside(cases, reference, precision, _cost)


def measure_rounds(cases: Sequence[Case], reference: Case, *, precision: float) -> tuple[Rounds | BaseException, ...]:
    """The rounds of `measure_costs` alone, of programs that this process compiles."""
    return timed_beside(cases, reference, precision, lambda group, timed, rounds: rounds)


def _cost(group: RoundRobin, timed: Executable, rounds: Rounds) -> Cost:
    queued_seconds, product_flops_per_second, copy_bytes_per_second = timed.queued()
    return Cost(
        form=timed.case.timed_form,
        step_seconds=rounds.step,
        reference_seconds=rounds.reference,
        queued_seconds=queued_seconds,
        compilation=timed.compilation,
        memory=timed.memory,
        reference_memory=group.reference.memory,
        parameters=timed.parameters,
        step_flops=timed.flops,
        xla_flops=timed.xla_flops,
        product_flops_per_second=product_flops_per_second,
        batch_size=timed.case.batch_size,
        reference_form=group.reference.case.timed_form,
        xla_bytes=timed.xla_bytes,
        copy_bytes_per_second=copy_bytes_per_second,
        peak_flops_per_second=peak_flops_per_second(timed.case, timed.device.device_kind),
        device_seconds=timed.device_seconds(),
        reference_device_seconds=group.device_seconds,
        energy=timed.energy(),
        reference_energy=group.energy,
        group=group.id,
        order_seed=group.seed,
    )
