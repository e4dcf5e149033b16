"""The quickstart's cases at depths 4 and 16 under pytest-benchmark: `pytest benchmarks/ --benchmark-only`.

Three benchmarks a case: its gradient profile, its plain training step, and compiling that step. In `extra_info`, which
`--benchmark-json FILE` keeps, stand the case's `decay` (decades a layer, negative is vanishing), `examples_per_second`
(of the profile or the step; with compiling, of the step that came out), `device`, and the `form` of the blocks.
"""

import time
from collections.abc import Callable
from functools import cache, partial
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import vgbench as vg
from vgbench.data import batch_indices, load_dataset
from vgbench.harness.provenance import describe_device
from vgbench.measure.draw import first_batch
from vgbench.measure.numerics import numerics
from vgbench.measure.profile import profile
from vgbench.measure.step import TrainState, make_step, start
from vgbench.models import Network, build_network
from vgbench.models.network import Variables

# Executables that an earlier run left on disk would be read back, and that would be timed as compiling.
jax.config.update("jax_enable_compilation_cache", False)

DEPTHS = (4, 16)
CELLS = [cell for cell in vg.read_suite("quickstart").cells() if cell.axes["depth"] in DEPTHS]
each_case = pytest.mark.parametrize("case", [cell.case for cell in CELLS], ids=[cell.label for cell in CELLS])

WARM_UP_CALLS = 20


def warm_up(run: Callable[[], Any]) -> float:
    """Call a few times; return the median seconds a call, without the slow first half."""
    marks = [time.perf_counter()]
    for _ in range(WARM_UP_CALLS):
        run()
        marks.append(time.perf_counter())
    return median(np.diff(marks[WARM_UP_CALLS // 2 :]))


@cache
def decay(case: vg.Case) -> float:
    return vg.measure_gradients(case).decay.value


def describe(benchmark: BenchmarkFixture, case: vg.Case, form: str, seconds: float) -> None:
    benchmark.extra_info |= {
        "decay": decay(case),
        "examples_per_second": case.batch_size / seconds,
        "device": str(describe_device(jax.devices()[0])),
        "form": form,
    }


def median_seconds(benchmark: BenchmarkFixture, otherwise: float) -> float:
    """Median of what was timed; `otherwise` under --benchmark-disable, where nothing was."""
    return otherwise if benchmark.stats is None else benchmark.stats.stats.median


@cache
def drawn(case: vg.Case) -> tuple[Network, Variables, Any]:
    """The network in its timed form, its variables and its first batch; kept, since drawing takes a second."""
    dataset = load_dataset(case)
    rows = batch_indices(dataset.train.examples, case.batch_size, 1, case.seeds[0])[0]
    network = build_network(case, dataset.problem, scanned=case.timed_form == "scanned")
    with numerics(case.dtype, case.matmul_precision):
        variables = network.init(jax.random.key(case.seeds[0]))
        return network, variables, jax.device_put((dataset.train.x[rows], dataset.train.y[rows]))


class Training:
    """The plain step of a case in its timed form, and the state that it advances."""

    def __init__(self, case: vg.Case) -> None:
        self.case = case
        self.network, variables, batch = drawn(case)
        with numerics(case.dtype, case.matmul_precision):
            # A copy, since the first step takes its memory over.
            self.state: TrainState = start(self.network, case, jax.tree.map(jnp.copy, variables))
            self.inputs = batch, jax.device_put(np.float32(case.rates[0]))

    def compile(self) -> Callable[..., TrainState]:
        """Trace, lower and compile the step: a new function in every call, since jax remembers those it has seen."""

        def plain(state: TrainState, *inputs: Any) -> TrainState:
            return make_step(self.network, self.case)(state, *inputs)[0]

        with numerics(self.case.dtype, self.case.matmul_precision):
            return jax.jit(plain, donate_argnums=0).lower(self.state, *self.inputs).compile()

    def advance(self, step: Callable[..., TrainState]) -> None:
        """Make one blocked step; the old state is donated, so the new one takes its place."""
        self.state = jax.block_until_ready(step(self.state, *self.inputs))

    def check(self) -> None:
        """A network that diverged was not timed at what it is for."""
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(self.state.variables.params))


@each_case
@pytest.mark.benchmark(group="gradient profile", max_time=0.5)
def test_gradient_profile(benchmark: BenchmarkFixture, case: vg.Case) -> None:
    dataset = load_dataset(case)
    # The executable inside measure_gradients, which also loads data, draws variables and compiles.
    with numerics(case.dtype, "highest"):
        network = build_network(case, dataset.problem)
        inputs = (network.init(jax.random.key(case.seeds[0])), *first_batch(case, dataset, case.seeds[0]))
        compiled = jax.jit(partial(profile, network)).lower(*inputs).compile()

    def run() -> Any:
        return jax.block_until_ready(compiled(*inputs))

    warm = warm_up(run)
    norms = benchmark(run).activation
    assert norms.mantissa.shape == (case.depth,)
    assert (np.asarray(norms.mantissa) > 0).all()  # renormalised norms, so none may underflow
    describe(benchmark, case, "scanned" if case.scanned else "unrolled", median_seconds(benchmark, warm))


@each_case
@pytest.mark.benchmark(group="training step", max_time=0.5)
def test_training_step(benchmark: BenchmarkFixture, case: vg.Case) -> None:
    training = Training(case)
    step = training.compile()
    warm = warm_up(lambda: training.advance(step))
    benchmark(training.advance, step)
    training.check()
    describe(benchmark, case, case.timed_form, median_seconds(benchmark, warm))


@pytest.fixture(scope="module")
def imported() -> None:
    """Compile something beforehand, since the first time also imports what tracing and lowering need."""
    Training(CELLS[0].case).compile()


@each_case
@pytest.mark.usefixtures("imported")
@pytest.mark.benchmark(group="compile")
def test_compile(benchmark: BenchmarkFixture, case: vg.Case) -> None:
    training = Training(case)
    # The caches also hold the parts of jax.numpy that a step is made of, whichever case was the first to need them.
    step = benchmark.pedantic(training.compile, setup=jax.clear_caches, rounds=3)
    seconds = warm_up(lambda: training.advance(step))
    training.check()
    describe(benchmark, case, case.timed_form, seconds)
