"""The plain training step of one case as an executable: seconds of compilation, memory, and timing."""

import time
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from vgbench.boundary.schema import Count, Seconds
from vgbench.data import load_dataset
from vgbench.measure.draw import draw, first_batch
from vgbench.measure.energy import Energy, energy_of, meter_of
from vgbench.measure.mesh import whole
from vgbench.measure.numerics import numerics
from vgbench.measure.roofs import copy, product
from vgbench.measure.step import TrainState, make_step, start
from vgbench.measure.trace import device_seconds
from vgbench.models import build_network
from vgbench.spec.case import Case

WARM_UP_SECONDS, WARM_UP_PARTS = 0.1, 50
SAMPLE_SECONDS = 0.01
"""A sample is as many blocked steps as fill this time, since the clock and the scheduler blur shorter ones."""
QUEUES, QUEUE_SECONDS = 5, 0.05
"""Queues of steps that are timed, each so long."""


@dataclass(frozen=True)
class Compilation:
    """Seconds that one step took from a Python function to its first result.

    Attributes:
        trace: Python to jaxpr.
        lower: jaxpr to StableHLO.
        compile: StableHLO to executable.
        first_run: the first call of the executable.
        persistent_cache: whether jax could read the executable from its cache on disk in place of compiling it.
    """

    trace: Seconds
    lower: Seconds
    compile: Seconds
    first_run: Seconds
    persistent_cache: bool

    @property
    def seconds(self) -> float:
        """Trace, lower and compile together."""
        return self.trace + self.lower + self.compile


@dataclass(frozen=True)
class Memory:
    """Bytes that a step needs on each device, as the compiled executable reports them.

    Attributes:
        parameters: trainable numbers.
        optimizer: its state.
        temporary: scratch memory.
        peak: the most that is held at once: arguments, results that do not take their places, and scratch memory.
    """

    parameters: Count
    optimizer: Count
    temporary: Count
    peak: Count


def _held(needs: Any) -> int:
    """The bytes that a program holds while it runs, by JAX's `CompiledMemoryStats`.

    Its `peak_memory_in_bytes` leaves scratch memory out on CPUs, and is 0 where the program comes from a cache.
    """
    results = needs.output_size_in_bytes - needs.alias_size_in_bytes
    return needs.argument_size_in_bytes + results + needs.temp_size_in_bytes


class Executable:
    """One case's compiled plain step together with the state that it advances.

    Attributes:
        case: whose step it is.
        compilation: what compiling took.
        memory: what the executable needs.
        parameters: trainable numbers.
        flops: operations of the matrix products in one step, by the network's own count.
        xla_flops: all operations by XLA's count, which takes a loop's body once; NaN where it has none.
        xla_bytes: bytes that they read and write, by the same count.
    """

    def __init__(self, case: Case) -> None:
        dataset = load_dataset(case)
        network = build_network(case, dataset.problem, scanned=case.timed_form == "scan")
        self.case = case
        self._step = make_step(network, case)
        with numerics(case.dtype, case.matmul_precision):
            rate = case.learning_rates[0] if case.learning_rates else 0.0
            state = start(network, case, draw(case, network, dataset, case.seeds[0]), rate)
            # As a flat list: taking a tree of ten small layers apart at every call costs 5 % of their step.
            self._leaves, self._tree = jax.tree.flatten(jax.device_put(state, whole(case)))
            self._inputs = (
                first_batch(case, dataset, case.seeds[0]),
                jax.device_put(np.float32(rate), whole(case)),
            )
        params = jax.tree.leaves(state.variables.params)
        self.parameters = sum(leaf.size for leaf in params)
        self.flops = case.batch_size * (network.forward_flops + network.backward_flops)
        self.compilation = self.compile()
        needs, counted = self._run.memory_analysis(), self._run.cost_analysis() or {}
        self.memory = Memory(
            parameters=sum(leaf.nbytes for leaf in params),
            optimizer=sum(leaf.nbytes for leaf in jax.tree.leaves(state.optimizer)),
            temporary=needs.temp_size_in_bytes,
            peak=_held(needs),
        )
        # It counts for one of the devices.
        self.xla_flops, self.xla_bytes = (
            case.devices * float(counted.get(name, np.nan)) for name in ("flops", "bytes accessed")
        )
        self._network, self._steps = network, 1

    def compile(self) -> Compilation:
        """Trace, lower, compile and run the step once: anew in every call, as a function that jax has not seen."""

        def plain(leaves: list[Array], *inputs: Any) -> list[Array]:
            return jax.tree.leaves(self._step(jax.tree.unflatten(self._tree, leaves), *inputs)[0])

        marks = [time.perf_counter()]

        def mark(value: Any) -> Any:
            marks.append(time.perf_counter())
            return value

        with numerics(self.case.dtype, self.case.matmul_precision):
            program = jax.jit(plain, donate_argnums=0, out_shardings=whole(self.case))
            traced = mark(program.trace(self._leaves, *self._inputs))
            lowered = mark(traced.lower())
            self._run: Any = mark(lowered.compile())
            self._leaves = mark(jax.block_until_ready(self._run(self._leaves, *self._inputs)))
        config: Any = jax.config
        on_disk = bool(config.jax_enable_compilation_cache and config.jax_compilation_cache_dir)
        return Compilation(*np.diff(marks).tolist(), persistent_cache=on_disk)

    @property
    def state(self) -> TrainState:
        """Of training; each step consumes it and leaves the next."""
        return jax.tree.unflatten(self._tree, self._leaves)

    def step(self) -> None:
        """Take one step and wait for it."""
        self._leaves = jax.block_until_ready(self._run(self._leaves, *self._inputs))

    def _blocked(self, steps: int) -> float:
        """Seconds a step, over so many that are waited for one by one."""
        begin = time.perf_counter()
        for _ in range(steps):
            self.step()
        return (time.perf_counter() - begin) / steps

    def warm_up(self) -> None:
        """Run for a while, and fix how many steps make one sample.

        The fastest part counts, which nothing disturbed: samples of less work than the others' would be disturbed more
        seldom, and their median would be too low beside theirs.
        """
        first = min(self._blocked(1) for _ in range(3))
        fit = int(WARM_UP_SECONDS / first)
        steps, parts = max(1, fit // WARM_UP_PARTS), max(2, min(WARM_UP_PARTS, fit))
        self._steps = max(1, round(SAMPLE_SECONDS / min(self._blocked(steps) for _ in range(parts))))

    def sample(self) -> float:
        """Seconds of a step that is waited for, over one sample."""
        return self._blocked(self._steps)

    @property
    def device(self) -> Any:
        """The first device that the step runs on."""
        return next(iter(self._leaves[0].devices()))

    def _queue(self, steps: int) -> None:
        """Take steps of which the last alone is waited for."""
        for _ in range(steps):
            self._leaves = self._run(self._leaves, *self._inputs)
        jax.block_until_ready(self._leaves)

    @property
    def _queued(self) -> int:
        """Steps in a queue."""
        return max(2, round(self._steps * QUEUE_SECONDS / SAMPLE_SECONDS))

    def device_seconds(self) -> float | None:
        """Seconds of a step in a queue that the device is at work; None on CPUs, which the profiler does not see so."""
        if self.device.platform == "cpu":
            return None
        busy = device_seconds(lambda: self._queue(self._queued))
        return None if busy is None else busy / self._queued

    def energy(self) -> Energy | None:
        """The energy of a step in a queue; None where no counter of it can be read, or for several devices."""
        meter = meter_of(self.device) if self.case.devices == 1 else None
        if meter is None:
            return None

        def steps() -> int:
            self._queue(self._queued)
            return self._queued

        return energy_of(meter, steps)

    def queued(self) -> tuple[Float[np.ndarray, "queues"], ...]:
        """Time queues of steps, each waited for at its end alone and followed by plain products and a plain copy.

        Returns:
            Seconds a step in each queue, and right after it operations a second of the products and bytes a second of
            the copy.
        """

        def seconds() -> float:
            begin = time.perf_counter()
            self._queue(self._queued)
            return (time.perf_counter() - begin) / self._queued

        with numerics(self.case.dtype, self.case.matmul_precision):
            roofs = product(self.case, self._network), copy(self.case, self.memory.peak)
        rounds = [(seconds(), *(roof.per_second() for roof in roofs)) for _ in range(QUEUES)]
        return tuple(np.asarray(rounds).T)
