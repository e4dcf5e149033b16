"""The quickstart's cases at depths 4 and 16 under pytest-benchmark: `pytest benchmarks/ --benchmark-only`."""

from collections.abc import Callable
from typing import TypeAlias

import pytest

import vgbench as vg

Benchmark: TypeAlias = Callable[[vg.Case], None]
DEPTHS = (4, 16)
CELLS = [cell for cell in vg.read_suite("quickstart").cells() if cell.axes["depth"] in DEPTHS]
each_case = pytest.mark.parametrize("case", [cell.case for cell in CELLS], ids=[cell.label for cell in CELLS])


@each_case
@pytest.mark.benchmark(group="gradient profile", max_time=0.5)
def test_gradient_profile(benchmark_profile: Benchmark, case: vg.Case) -> None:
    benchmark_profile(case)


@each_case
@pytest.mark.benchmark(group="training step", max_time=0.5)
def test_training_step(benchmark_step: Benchmark, case: vg.Case) -> None:
    benchmark_step(case)


@each_case
@pytest.mark.benchmark(group="compile")
def test_compile(benchmark_compile: Benchmark, case: vg.Case) -> None:
    benchmark_compile(case)
