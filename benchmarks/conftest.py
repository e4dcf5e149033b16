"""vgbench's measurements as fixtures of pytest-benchmark, for whoever gates a change on them: each takes a case.

In `extra_info`, which `--benchmark-json FILE` keeps, stand the case's `decay` (decades a layer, negative is vanishing),
`examples_per_second` (of the profile or the step; with compiling, of the step that came out), `device`, and the `form`
of the blocks.
"""

import time
from collections.abc import Callable
from functools import cache, partial
from statistics import median
from typing import Any, TypeAlias

import jax
import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.measure.draw import draw, first_batch
from vgbench.measure.executable import Executable
from vgbench.measure.numerics import numerics
from vgbench.measure.profile import profile
from vgbench.models import build_network
from vgbench.records.provenance import describe_device

# Executables that an earlier run left on disk would be read back, and that would be timed as compiling.
jax.config.update("jax_enable_compilation_cache", False)

Benchmark: TypeAlias = Callable[[vg.Case], None]
WARM_UP_CALLS = 20


@pytest.fixture
def benchmark_profile(benchmark: BenchmarkFixture) -> Benchmark:
    """Time the executable inside `measure_gradients`, which also loads data, draws variables and compiles."""

    def timed(case: vg.Case) -> None:
        dataset = load_dataset(case)
        with numerics(case.dtype, "highest"):
            network = build_network(case, dataset.problem)
            inputs = draw(case, network, dataset, case.seeds[0]), *first_batch(case, dataset, case.seeds[0])
            compiled = jax.jit(partial(profile, network)).lower(*inputs).compile()

        def run() -> Any:
            return jax.block_until_ready(compiled(*inputs))

        warm = _warm_up(run)
        norms = benchmark(run).activation
        assert norms.mantissa.shape == (case.depth,)
        assert (np.asarray(norms.mantissa) > 0).all()  # renormalised norms, so none may underflow
        _describe(benchmark, case, "scan" if case.scanned else "unroll", _median_seconds(benchmark, warm))

    return timed


@pytest.fixture
def benchmark_step(benchmark: BenchmarkFixture) -> Benchmark:
    """Time the plain training step in the form that people run, each step waited for."""

    def timed(case: vg.Case) -> None:
        executable = Executable(case)
        warm = _warm_up(executable.step)
        benchmark(executable.step)
        _check(executable)
        _describe(benchmark, case, case.timed_form, _median_seconds(benchmark, warm))

    return timed


@pytest.fixture
def benchmark_compile(benchmark: BenchmarkFixture) -> Benchmark:
    """Time tracing, lowering and compiling that step, and its first run."""

    def timed(case: vg.Case) -> None:
        executable = Executable(case)  # compiles once, since the first time also imports what tracing needs
        # The caches also hold the parts of jax.numpy that a step is made of, whichever case was the first to need them.
        benchmark.pedantic(executable.compile, setup=jax.clear_caches, rounds=3)
        seconds = _warm_up(executable.step)
        _check(executable)
        _describe(benchmark, case, case.timed_form, seconds)

    return timed


def _warm_up(run: Callable[[], Any]) -> float:
    """Call a few times; return the median seconds a call, without the slow first half."""
    marks = [time.perf_counter()]
    for _ in range(WARM_UP_CALLS):
        run()
        marks.append(time.perf_counter())
    return median(np.diff(marks[WARM_UP_CALLS // 2 :]))


def _check(executable: Executable) -> None:
    """A network that diverged was not timed at what it is for."""
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(executable.state.variables.params))


@cache
def _decay(case: vg.Case) -> float:
    return vg.measure_gradients(case).decay.value


def _describe(benchmark: BenchmarkFixture, case: vg.Case, form: str, seconds: float) -> None:
    benchmark.extra_info |= {
        "decay": _decay(case),
        "examples_per_second": case.batch_size / seconds,
        "device": describe_device(jax.devices()[0]).long_name,
        "form": form,
    }


def _median_seconds(benchmark: BenchmarkFixture, otherwise: float) -> float:
    """Median of what was timed; `otherwise` under --benchmark-disable, where nothing was."""
    return otherwise if benchmark.stats is None else benchmark.stats.stats.median
