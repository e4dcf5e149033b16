"""The cost of a case against a reference: the plain step of both, timed in interleaved rounds on one device."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

import jax
import numpy as np
from jaxtyping import Float

from vgbench.case import Case, content_id
from vgbench.data import load_dataset
from vgbench.errors import InputError
from vgbench.measure.draw import draw, first_batch
from vgbench.measure.numerics import numerics
from vgbench.measure.step import TrainState, make_step, start
from vgbench.models import build_network
from vgbench.statistics import Interval, bootstrap_median

ROUNDS = 30
WARM_UP_SECONDS = 0.1
SAMPLE_SECONDS = 0.01
"""A sample is as many blocked steps as fill this time, since the clock and the scheduler blur shorter ones."""


@dataclass(frozen=True)
class Compilation:
    """Seconds that one step took from a Python function to its first result, and what the executable needs.

    Attributes:
        trace: Python to jaxpr.
        lower: jaxpr to StableHLO.
        compile: StableHLO to executable.
        first_run: the first call of the executable.
        argument_bytes: state, batch and rate.
        temporary_bytes: scratch memory of the executable.
    """

    trace: float
    lower: float
    compile: float
    first_run: float
    argument_bytes: int
    temporary_bytes: int

    @property
    def seconds(self) -> float:
        """Trace, lower and compile together."""
        return self.trace + self.lower + self.compile


@dataclass(frozen=True)
class Cost:
    """What a training step of a case costs beside one of its reference.

    Attributes:
        form: of both networks, `unrolled` or `scanned`.
        step_seconds: seconds of one blocked step of the case in each round, [rounds].
        reference_seconds: the same of the reference.
        compilation: of the case's step.
        parameters: trainable numbers of the case.
        step_flops: floating-point operations of the matrix products in one step.
        batch_size: examples a step.
    """

    form: Literal["scanned", "unrolled"]
    step_seconds: Float[np.ndarray, "rounds"]
    reference_seconds: Float[np.ndarray, "rounds"]
    compilation: Compilation
    parameters: int
    step_flops: int
    batch_size: int

    @cached_property
    def ratio(self) -> Interval:
        """Median over rounds of the case's step time over the reference's, with a bootstrap interval."""
        return bootstrap_median(self.step_seconds / self.reference_seconds)

    @property
    def examples_per_second(self) -> float:
        """Examples trained on in a second, at the median step."""
        return self.batch_size / float(np.median(self.step_seconds))


def cost_id(case: Case, reference: Case) -> str:
    """Identify the pair: its order matters, the suite that it stands in does not."""
    return content_id([case.cell_id, reference.cell_id])


def measure_cost(case: Case, reference: Case, *, rounds: int = ROUNDS) -> Cost:
    """Time the plain step of `case` and of `reference` in one process, in rounds of random order.

    The step is the un-instrumented one, in the form that people run (`Case.timed_form`), compiled and warmed up before
    the first round; each step is blocked. A case may be its own reference: the ratio then shows the noise.

    Args:
        case: what to time.
        reference: what to divide by; both must be timed in the same form.
        rounds: number of rounds, at least 30 for a published figure.

    Raises:
        InputError: the two would be timed in different forms, or the data cannot serve them.
    """
    if case.timed_form != reference.timed_form:
        raise InputError(
            f"cost: {case.timed_form} and {reference.timed_form} blocks cannot be compared; scanning alone changes"
            f" a step's time (set layers of both to one form)"
        )
    timed, other = (_timed(each) for each in (case, reference))  # pyright: ignore[reportArgumentType]
    for step in (timed, other):
        step.warm_up()
    samples: tuple[list[float], list[float]] = ([], [])
    for order in _orders(rounds):
        for i in order:
            samples[i].append((timed, other)[i].sample())
    return Cost(
        form=case.timed_form,
        step_seconds=np.asarray(samples[0]),
        reference_seconds=np.asarray(samples[1]),
        compilation=timed.compilation,
        parameters=timed.parameters,
        step_flops=timed.step_flops,
        batch_size=case.batch_size,
    )


def _orders(rounds: int) -> list[tuple[int, int]]:
    """Who goes first in each round: at random, but equally often, so that a drift within rounds cancels."""
    orders = [(0, 1), (1, 0)] * -(-rounds // 2)
    return [orders[i] for i in np.random.default_rng(0).permutation(len(orders))[:rounds]]


class _Timed:
    """One case's compiled step together with the state that it advances."""

    def __init__(self, case: Case) -> None:
        dataset = load_dataset(case)
        network = build_network(case, dataset.problem, scanned=case.timed_form == "scanned")
        with numerics(case.dtype, case.matmul_precision):
            state = start(network, case, draw(case, network, dataset, case.seeds[0]))
            self._inputs = (
                first_batch(case, dataset, case.seeds[0]),
                jax.device_put(np.float32(case.rates[0] if case.rates else 0.0)),
            )
            self._step, self.compilation, self._state = _compile(make_step(network, case), state, self._inputs)
        self.parameters = sum(leaf.size for leaf in jax.tree.leaves(state.variables.params))
        self.step_flops = case.batch_size * (network.forward_flops + network.backward_flops)
        self._steps = 1

    def _run(self, steps: int) -> float:
        """Advance by blocked steps; return seconds a step."""
        begin = time.perf_counter()
        for _ in range(steps):
            self._state = jax.block_until_ready(self._step(self._state, *self._inputs))
        return (time.perf_counter() - begin) / steps

    def warm_up(self) -> None:
        """Run for a while, and fix how many steps make one sample."""
        seconds = self._run(1)
        seconds = self._run(max(2, int(WARM_UP_SECONDS / seconds)))
        self._steps = max(1, round(SAMPLE_SECONDS / seconds))

    def sample(self) -> float:
        """Seconds a blocked step, over one sample."""
        return self._run(self._steps)


@lru_cache(maxsize=2)
def _timed(case: Case) -> _Timed:
    # Kept, so that a reference is compiled once for all the cells that are timed beside it in turn.
    return _Timed(case)


def _compile(step: Callable[..., Any], state: TrainState, inputs: tuple) -> tuple[Callable[..., Any], Compilation, Any]:
    def plain(state: TrainState, *inputs: Any) -> TrainState:
        return step(state, *inputs)[0]

    marks = [time.perf_counter()]

    def mark(value: Any) -> Any:
        marks.append(time.perf_counter())
        return value

    traced = mark(jax.jit(plain, donate_argnums=0).trace(state, *inputs))
    lowered = mark(traced.lower())
    compiled = mark(lowered.compile())
    state = mark(jax.block_until_ready(compiled(state, *inputs)))
    memory = compiled.memory_analysis()
    trace, lower, compile_, first_run = np.diff(marks).tolist()
    compilation = Compilation(
        trace, lower, compile_, first_run, memory.argument_size_in_bytes, memory.temp_size_in_bytes
    )
    return compiled, compilation, state
