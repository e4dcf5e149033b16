"""The cost of a case against a reference: the plain step of both, timed in interleaved rounds on one device."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field

from vgbench.boundary.schema import Count, Each, NonFinite, Positive
from vgbench.errors import InputError
from vgbench.measure import PRECISION, pairs
from vgbench.measure.executable import Compilation, Executable, Memory
from vgbench.measure.pairs import Verdict, time_pair
from vgbench.pictures.display import Displayed
from vgbench.spec.case import Case, content_id
from vgbench.statistics import Interval, bootstrap_median

FLOPS_AGREE = 0.2
"""The relative difference from which vgbench's and XLA's counts of a step's operations are said to differ."""

DURATION, SPEED = Each(1e-12, 1e12), Each(1e-9, 1e30)
"""Bounds of the seconds that a step can take, and of operations a second."""


@dataclass(frozen=True)
class Cost(Displayed):
    """The cost of a training step of a case, and of one of its reference.

    Attributes:
        form: of both networks, `unrolled` or `scanned`.
        step_seconds: latency, seconds of one step of the case that is waited for, in each round, [rounds].
        reference_seconds: the same of the reference.
        queued_seconds: seconds a step of the case where a queue of steps is waited for at its end, [queues].
        compilation: of the case's step.
        memory: of the case's step.
        reference_memory: of the reference's.
        parameters: trainable numbers of the case.
        step_flops: floating-point operations of the matrix products in one step, by the network's own count;
            what rematerialisation computes twice is counted once.
        xla_flops: all operations of one step by XLA's count, which takes a loop's body once; NaN where it has none.
        product_flops_per_second: operations a second of plain matrix products of the shape that the blocks' have,
            after each queue, [queues].
        batch_size: examples a step.
        device_peak_bytes: the most memory that was in use by the device's own statistics, in a process that did nothing
            else; None where it was not measured, or the device keeps none.
    """

    form: Literal["scan", "unroll"]
    step_seconds: Annotated[Float[np.ndarray, "rounds"], DURATION]
    reference_seconds: Annotated[Float[np.ndarray, "rounds"], DURATION]
    queued_seconds: Annotated[Float[np.ndarray, "queues"], DURATION]
    compilation: Compilation
    memory: Memory
    reference_memory: Memory
    parameters: Count
    step_flops: Count
    xla_flops: Annotated[NonFinite, Field(ge=0)]
    product_flops_per_second: Annotated[Float[np.ndarray, "queues"], SPEED]
    batch_size: Positive
    device_peak_bytes: Count | None = None

    def chart(self) -> Any:
        """The ratio of every round of timing as an Altair chart."""
        from vgbench.pictures.single import rounds_view, timing_rounds

        return rounds_view(timing_rounds(self.step_seconds, self.reference_seconds))

    def summary(self) -> str:
        """The cost in one line of words."""
        ratio = f"{self.ratio.value:.2f} [{self.ratio.low:.2f}, {self.ratio.high:.2f}] times the baseline's"
        blocks = {"scan": "scanned", "unroll": "unrolled"}[self.form]
        return f"A step, {blocks}, takes {self.latency * 1e3:.3g} ms, {ratio}: {self.verdict}"

    @cached_property
    def ratio(self) -> Interval:
        """Median over rounds of the case's step time over the reference's, with a bootstrap interval."""
        return bootstrap_median(self.step_seconds / self.reference_seconds)

    @property
    def verdict(self) -> Verdict:
        """Whether the step is slower or faster than the reference's by more than 3 %."""
        return pairs.verdict(self.ratio)

    @property
    def outliers(self) -> Bool[np.ndarray, "rounds"]:
        """The rounds whose ratio lies far from the others; they count all the same."""
        return pairs.outliers(self.step_seconds / self.reference_seconds)

    @property
    def latency(self) -> float:
        """Median seconds of a step that is waited for."""
        return float(np.median(self.step_seconds))

    @property
    def examples_per_second(self) -> float:
        """Throughput: examples trained on in a second where steps queue."""
        return self.batch_size / float(np.median(self.queued_seconds))

    @property
    def flops_per_second(self) -> float:
        """Operations of the matrix products in a second where steps queue."""
        return self.step_flops / float(np.median(self.queued_seconds))

    @property
    def utilisation(self) -> float:
        """That as a share of what a plain matrix product of the case's shape achieves; the median over the queues."""
        return float(np.median(self.step_flops / self.queued_seconds / self.product_flops_per_second))

    @property
    def memory_ratio(self) -> float:
        """Peak memory over the reference's; NaN where a device's compiler does not report it."""
        return self.memory.peak / self.reference_memory.peak if self.reference_memory.peak else float("nan")

    @property
    def flops_differ(self) -> bool:
        """Whether XLA's count is off the network's by over 20 %, as it must be under scan."""
        return bool(abs(self.xla_flops - self.step_flops) > FLOPS_AGREE * self.step_flops)


def cost_id(case: Case, reference: Case) -> str:
    """Identify the pair: its order matters, the suite does not."""
    return pair_id(case.cell_id, reference.cell_id)


def pair_id(cell_id: str, reference_id: str) -> str:
    """Identify the pair of two cells by their ids."""
    return content_id([cell_id, reference_id])


def measure_cost(case: Case, reference: Case, *, precision: float = PRECISION) -> Cost:
    """Time the plain step of `case` and of `reference` in one process, in rounds of random order.

    The step is the un-instrumented one, in the form that people run (`Case.timed_form`), compiled and warmed up before
    the first round; each sample is blocked. A case may be its own reference: the ratio then shows the noise.

    Args:
        case: what to time.
        reference: what to divide by; both must be timed in the same form.
        precision: rounds go on until half the ratio's interval is at most this share of it, or for four seconds.

    Raises:
        InputError: the two would be timed in different forms, or the data cannot serve them.
    """
    if case.timed_form != reference.timed_form:
        raise InputError(
            f"cost: {case.timed_form} and {reference.timed_form} blocks cannot be compared; scanning alone changes"
            f" a step's time (set block_execution of both to one form)"
        )
    timed, other = (_executable(each) for each in (case, reference))  # pyright: ignore[reportArgumentType]
    for each in (timed, other):
        each.warm_up()
    step_seconds, reference_seconds = time_pair(timed.sample, other.sample, precision)
    queued_seconds, product_flops_per_second = timed.queued()
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
    )


@lru_cache(maxsize=2)
def _executable(case: Case) -> Executable:
    # Kept, so that a reference is compiled once for all the cells that are timed against it in turn.
    return Executable(case)
