"""Timing beside a reference: on synthetic clocks, what is found of a difference and what is not made of noise."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from vgbench.measure import PRECISION
from vgbench.measure.pairs import Rounds, Sampler, outliers, time_beside, verdict
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


def timed(
    samplers: Sequence[Sampler], reference: Sampler, precision: float = PRECISION, **options: Any
) -> list[Rounds]:
    """What is found of samplers that never fail."""
    found = time_beside(samplers, reference, precision, **options)
    assert all(isinstance(each, Rounds) for each in found)
    return [each for each in found if isinstance(each, Rounds)]


def verdicts(
    noise: Callable[[np.random.Generator], Iterator[float]], ratio: float, runs: int, together: int = 1
) -> list[str]:
    found = []
    for seed in range(runs):
        machine = Machine(noise(np.random.default_rng(seed)))
        samplers = [machine.work(0.01 * ratio)] * together
        every = timed(samplers, machine.work(0.01), clock=machine.clock)
        found += [verdict(bootstrap_median(each.step / each.reference)) for each in every]
    return found


RUNS = [20, pytest.param(200, marks=pytest.mark.slow)]


@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.parametrize("together", [1, 5])
@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
def test_a_step_beside_itself_is_hardly_ever_found_faster_or_slower(
    noise: Callable[[np.random.Generator], Iterator[float]], runs: int, together: int
) -> None:
    found = verdicts(noise, 1.0, runs // together, together)
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
        (found,) = timed([machine.work(0.001)], machine.work(0.001), precision, clock=machine.clock)
        return len(found.step), bootstrap_median(found.step / found.reference).half_width

    assert rounds(0.001, 0.02)[0] == 30
    many, width = rounds(0.04, 0.005)
    assert many > 100
    assert width <= 0.0051


def test_rounds_end_with_the_budget_however_wide_the_interval() -> None:
    machine = Machine(independent(np.random.default_rng(0), 1.0))
    (alone,) = timed([machine.work(0.1)], machine.work(0.1), 1e-6, budget=10.0, clock=machine.clock)
    assert 30 <= len(alone.step) < 80
    beside = timed([machine.work(0.1)] * 5, machine.work(0.1), 1e-6, budget=10.0, clock=machine.clock)
    assert all(30 <= len(each.step) < 80 for each in beside)  # what the others take is not theirs


def sequence(names: str, seed: int = 0) -> list[str]:
    """Who is sampled when, round by round, where `r` is the reference and each leaves after 30 rounds."""
    order: list[str] = []

    def sampler(name: str) -> Callable[[], float]:
        return lambda: order.append(name) or 1.0

    timed([sampler(name) for name in names], sampler("r"), 1.0, seed=seed)
    width = len(names) + 1
    return ["".join(order[i : i + width]) for i in range(0, len(order), width)]


@pytest.mark.parametrize("names", ["a", "ab", "abcde"])
def test_each_goes_before_the_reference_equally_often_in_random_order(names: str) -> None:
    rounds = sequence(names)
    assert len(rounds) == 30
    assert all(sorted(each) == sorted([*names, "r"]) for each in rounds)
    for name in names:
        first = [each.index(name) < each.index("r") for each in rounds]
        assert sum(first) == 15
        assert first not in (sorted(first), sorted(first, reverse=True))


def test_a_drift_within_rounds_cancels() -> None:
    places = {name: sum(each.index(name) for each in sequence("abcd")) for name in "abcdr"}
    assert set(places.values()) == {30 * 2}


def test_order_is_that_of_its_seed() -> None:
    assert sequence("abcd", 1) == sequence("abcd", 1) != sequence("abcd", 2)


def test_reference_is_in_the_middle_of_its_round() -> None:
    assert {each.index("r") for each in sequence("abcd")} == {2}


def test_intervals_are_those_of_pairs_where_noise_is_independent() -> None:
    """Four in one round-robin against four pairs, 20 times: as many rounds, as wide, and as often right."""
    ratios = np.asarray([1.0, 1.1, 0.8, 3.0])

    def intervals(parts: int, seed: int) -> list[tuple[int, float, bool]]:
        machine, found = Machine(independent(np.random.default_rng(seed))), []
        for chosen in np.split(ratios, parts):
            samplers = [machine.work(0.01 * each) for each in chosen]
            for ratio, rounds in zip(chosen, timed(samplers, machine.work(0.01), clock=machine.clock), strict=True):
                found_ratio = bootstrap_median(rounds.step / rounds.reference)
                right = found_ratio.low <= ratio <= found_ratio.high
                found.append((len(rounds.step), found_ratio.half_width / found_ratio.value, right))
        return found

    beside, pairs = (np.asarray([intervals(parts, seed) for seed in range(20)]) for parts in (1, 4))
    np.testing.assert_allclose(beside.mean(axis=(0, 1)), pairs.mean(axis=(0, 1)), rtol=0.1)
    for rounds, width, right in (beside.mean(axis=(0, 1)), pairs.mean(axis=(0, 1))):
        assert 30 <= rounds < 60
        assert width <= PRECISION
        assert 0.88 <= right <= 1


def test_each_leaves_when_its_own_interval_is_narrow_and_shares_the_rounds_until_then() -> None:
    draw = np.random.default_rng(0)
    quiet, loud = Machine(independent(draw, 0.001)), Machine(independent(draw, 0.08))
    first, second = timed([quiet.work(0.01), loud.work(0.02)], quiet.work(0.01), 0.01)
    assert len(first.step) == 30
    assert len(second.step) > 100
    np.testing.assert_array_equal(first.reference, second.reference[:30])


def test_one_that_fails_leaves_with_its_error_and_the_others_go_on() -> None:
    broken = ValueError("out of memory")

    def fails(after: int) -> Sampler:
        left = iter(range(after))

        def sample() -> float:
            if next(left, None) is None:
                raise broken
            return 1.0

        return sample

    first, second, third = time_beside([fails(7), lambda: 2.0, fails(0)], lambda: 1.0, PRECISION)
    assert first is third is broken
    assert isinstance(second, Rounds)
    assert second.step.tolist() == [2.0] * 30
    assert second.reference.tolist() == [1.0] * 30
    assert time_beside([lambda: 1.0, lambda: 2.0], fails(3), PRECISION) == (broken, broken)


def test_nothing_to_time_takes_no_sample() -> None:
    assert time_beside([], lambda: pytest.fail("a sample"), PRECISION) == ()


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
