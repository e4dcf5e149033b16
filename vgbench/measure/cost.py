"""The cost of a case against a reference: what was measured of the plain step of both, and what follows from it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field

from vgbench.boundary.schema import ContentId, Count, Each, NonNegative, Positive
from vgbench.measure import pairs
from vgbench.measure.energy import Energy
from vgbench.measure.executable import Compilation, Memory
from vgbench.measure.pairs import Verdict
from vgbench.pictures.display import Displayed
from vgbench.spec.case import Case, content_id
from vgbench.statistics import Interval, bootstrap_median

_WORDS: dict[str, str] = {"scan": "scanned", "unroll": "unrolled"}
FLOPS_AGREE = 0.2
"""The relative difference from which vgbench's and XLA's counts of a step's operations are said to differ."""

Form = Literal["scan", "unroll"]

LAUNCH_BOUND = 2.0
"""The ratio of the time between steps in a queue to the device's own from which a step is bound by its launch."""

DURATION, SPEED = Each(1e-12, 1e12), Each(1e-9, 1e30)
"""Bounds of the seconds that a step can take, and of operations or bytes a second."""


@dataclass(frozen=True)
class Cost(Displayed):
    """The cost of a training step of a case, and of one of its reference.

    Attributes:
        form: of the case's blocks, `scan` or `unroll`.
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
        reference_form: of the reference's blocks; None in records that are older than this field, where it is `form`.
        xla_bytes: bytes that the operations of one step read and write by XLA's count, which takes a loop's body once;
            NaN where it has none.
        copy_bytes_per_second: bytes a second, read and written, of a plain copy of as much memory as the step holds,
            after each queue, [queues]; None in older records.
        peak_flops_per_second: operations a second that the devices could do at the case's dtype and precision, as their
            maker states it; None where it is unknown.
        device_seconds: seconds a step in a queue that the device is at work by the profiler's trace; None where the
            profiler does not see it, as on CPUs.
        reference_device_seconds: the same of the reference.
        energy: of the case's steps; None where no counter of the device can be read.
        reference_energy: of the reference's.
        compilation_rounds: how many of the rounds belong to each compilation of the two steps, in their order; empty
            where all are of one.
        group: the id of the cases that were timed in one round-robin, which share the reference's samples; None in
            older records, whose pairs were timed one by one.
        order_seed: of the random order of the cases within rounds; None in older records.
    """

    form: Form
    step_seconds: Annotated[Float[np.ndarray, "rounds"], DURATION]
    reference_seconds: Annotated[Float[np.ndarray, "rounds"], DURATION]
    queued_seconds: Annotated[Float[np.ndarray, "queues"], DURATION]
    compilation: Compilation
    memory: Memory
    reference_memory: Memory
    parameters: Count
    step_flops: Count
    xla_flops: NonNegative
    product_flops_per_second: Annotated[Float[np.ndarray, "queues"], SPEED]
    batch_size: Positive
    device_peak_bytes: Count | None = None
    reference_form: Form | None = None
    xla_bytes: NonNegative = float("nan")
    copy_bytes_per_second: Annotated[Float[np.ndarray, "queues"], SPEED] | None = None
    peak_flops_per_second: Annotated[float, Field(gt=0)] | None = None
    device_seconds: Annotated[float, Field(gt=0)] | None = None
    reference_device_seconds: Annotated[float, Field(gt=0)] | None = None
    energy: Energy | None = None
    reference_energy: Energy | None = None
    compilation_rounds: tuple[Positive, ...] = ()
    group: ContentId | None = None
    order_seed: Count | None = None

    def chart(self) -> Any:
        """The ratio of every round of timing as an Altair chart."""
        from vgbench.pictures.single import rounds_view, timing_rounds

        return rounds_view(timing_rounds(self.step_seconds, self.reference_seconds))

    def summary(self) -> str:
        """The cost in one line of words."""
        ratio = f"{self.ratio.value:.2f} [{self.ratio.low:.2f}, {self.ratio.high:.2f}] times the baseline's"
        return f"A step, {self.forms}, takes {self.latency * 1e3:.3g} ms, {ratio}: {self.verdict}"

    @property
    def forms(self) -> str:
        """Whether the blocks are scanned or unrolled, and the reference's, where those are not alike."""
        other = self.reference_form or self.form
        return _WORDS[self.form] if other == self.form else f"{_WORDS[self.form]} over {_WORDS[other]}"

    @cached_property
    def ratio(self) -> Interval:
        """Median over rounds of the case's step time over the reference's, with a bootstrap interval.

        With several compilations, the bootstrap resamples compilations first and then the rounds of each, since a
        compiler that chooses kernels by timing them may choose others the next time.
        """
        return bootstrap_median(self.step_seconds / self.reference_seconds, self.compilation_rounds)

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
    def bytes_per_second(self) -> float:
        """Bytes that a copy reads and writes in a second, median over the queues; NaN where it was not measured."""
        return float("nan") if self.copy_bytes_per_second is None else float(np.median(self.copy_bytes_per_second))

    @property
    def intensity(self) -> float:
        """Operations for each byte that is read or written, both by XLA's count; NaN where it has none.

        It has none of scanned blocks: XLA counts a loop's body once, and the arrays that it slices as a whole.
        """
        counted = self.xla_bytes and self.form == "unroll"
        return self.xla_flops / self.xla_bytes if counted else float("nan")

    @property
    def roof(self) -> float:
        """Operations a second that plain products, or a plain copy at the step's intensity, allow: the lower of both.

        The roofline of Williams, Waterman & Patterson (2009), measured in the same run as the step; NaN where the
        intensity or the copy is unknown.
        """
        return float(np.minimum(np.median(self.product_flops_per_second), self.intensity * self.bytes_per_second))

    @property
    def peak_share(self) -> float | None:
        """Operations of the matrix products in a second over the peak that the devices' maker states (MFU)."""
        return None if self.peak_flops_per_second is None else self.flops_per_second / self.peak_flops_per_second

    @property
    def launch_bound(self) -> bool | None:
        """Whether the device is idle for more than half of a queue, so that ratios compare launches, not work.

        None where the device's own time is unknown.
        """
        if self.device_seconds is None:
            return None
        return float(np.median(self.queued_seconds)) > LAUNCH_BOUND * self.device_seconds

    @property
    def device_ratio(self) -> float | None:
        """The device's own time for a step over that for the reference's; None where one of them is unknown."""
        if self.device_seconds is None or self.reference_device_seconds is None:
            return None
        return self.device_seconds / self.reference_device_seconds

    @property
    def energy_ratio(self) -> float | None:
        """Joules a step over the reference's; None where they are unknown."""
        if self.energy is None or self.reference_energy is None:
            return None
        return self.energy.joules_per_step / self.reference_energy.joules_per_step

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
