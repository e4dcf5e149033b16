"""Timing pairs: on synthetic clocks, what is found of a difference and what is not made of noise."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from vgbench.measure import PRECISION
from vgbench.measure.pairs import outliers, time_pair, verdict
from vgbench.statistics import Interval, bootstrap_median


class Machine:
    """A machine on which a unit of work takes as long as `noise` says, and whose clock is what work takes on it.

    Args:
        noise: yields relative durations, one a sample.
    """

    def __init__(self, noise: Iterator[float]) -> None:
        self.now = 0.0
        self._noise = noise

    def work(self, seconds: float) -> Callable[[], float]:
        def sample() -> float:
            taken = seconds * next(self._noise)
            self.now += taken
            return taken

        return sample

    def clock(self) -> float:
        return self.now


def independent(draw: np.random.Generator, scale: float = 0.03) -> Iterator[float]:
    while True:
        yield float(np.exp(scale * draw.standard_normal()))


def drifting(draw: np.random.Generator) -> Iterator[float]:
    """AR(1): a slow machine stays slow for some twenty samples."""
    level = 0.0
    while True:
        level = 0.95 * level + 0.03 * draw.standard_normal()
        yield float(np.exp(level + 0.01 * draw.standard_normal()))


def stepping(draw: np.random.Generator) -> Iterator[float]:
    """At some moment the machine becomes half as fast, and stays so."""
    noise, moment = independent(draw), draw.integers(0, 100)
    for i, each in enumerate(noise):
        yield each * (2.0 if i > moment else 1.0)


NOISES = {"independent": independent, "drifting": drifting, "stepping": stepping}


def verdicts(noise: Callable[[np.random.Generator], Iterator[float]], ratio: float, runs: int) -> list[str]:
    found = []
    for seed in range(runs):
        machine = Machine(noise(np.random.default_rng(seed)))
        samples = time_pair(machine.work(0.01 * ratio), machine.work(0.01), PRECISION, clock=machine.clock)
        found.append(verdict(bootstrap_median(samples[0] / samples[1])))
    return found


RUNS = [20, pytest.param(200, marks=pytest.mark.slow)]


@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
def test_a_step_beside_itself_is_hardly_ever_found_faster_or_slower(
    noise: Callable[[np.random.Generator], Iterator[float]], runs: int
) -> None:
    found = verdicts(noise, 1.0, runs)
    assert sum(each in ("FASTER", "SLOWER") for each in found) <= 0.05 * runs
    assert found.count("SAME") >= runs / 2


@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.parametrize(("ratio", "expected"), [(1.05, "SLOWER"), (1 / 1.05, "FASTER")])
def test_five_percent_are_found_under_one_percent_of_noise(ratio: float, expected: str, runs: int) -> None:
    found = verdicts(lambda draw: independent(draw, 0.01), ratio, runs)
    assert found.count(expected) >= 0.95 * runs


def test_rounds_go_on_until_the_interval_is_narrow() -> None:
    def rounds(scale: float, precision: float) -> tuple[int, float]:
        machine = Machine(independent(np.random.default_rng(0), scale))
        first, second = time_pair(machine.work(0.001), machine.work(0.001), precision, clock=machine.clock)
        return len(first), bootstrap_median(first / second).half_width

    assert rounds(0.001, 0.02)[0] == 30
    many, width = rounds(0.04, 0.005)
    assert many > 100
    assert width <= 0.0051


def test_rounds_end_with_the_budget_however_wide_the_interval() -> None:
    machine = Machine(independent(np.random.default_rng(0), 1.0))
    first, _ = time_pair(machine.work(0.1), machine.work(0.1), 1e-6, budget=10.0, clock=machine.clock)
    assert 30 <= len(first) < 80


def test_each_goes_first_equally_often_in_random_order() -> None:
    order: list[str] = []

    def sampler(name: str) -> Callable[[], float]:
        return lambda: order.append(name) or 1.0

    time_pair(sampler("a"), sampler("b"), 1.0)
    firsts = order[::2]
    assert len(order) == 60
    assert firsts.count("a") == firsts.count("b") == 15
    assert firsts not in (sorted(firsts), sorted(firsts, reverse=True))
    assert all({a, b} == {"a", "b"} for a, b in zip(order[::2], order[1::2], strict=True))


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1.031, 1.5, "SLOWER"),
        (1.029, 1.5, "UNCLEAR"),
        (0.5, 0.969, "FASTER"),
        (0.5, 0.971, "UNCLEAR"),
        (0.971, 1.029, "SAME"),
        (0.5, 1.5, "UNCLEAR"),
        (float("nan"), float("nan"), "UNCLEAR"),
    ],
)
def test_verdict_is_of_the_whole_interval(low: float, high: float, expected: str) -> None:
    assert verdict(Interval(1.0, low, high)) == expected


def test_outliers_are_flagged_where_they_stand() -> None:
    ratios = np.asarray([1.0, 1.01, 0.99, 1.02, 0.98, 3.0, 1.0])
    np.testing.assert_array_equal(np.flatnonzero(outliers(ratios)), [5])
