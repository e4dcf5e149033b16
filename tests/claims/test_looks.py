"""Looks at claims: the intervals' confidence is exact, which a simulation shows, and some effects need few seeds."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from vgbench.claims.looks import LOOKS, confidence, miss

POCOCK = 2.361
"""His bound on z for four looks and 5 %, table 1 of the paper; also table 2.1 of Jennison & Turnbull 2000."""


def decided(effect: float, level: float, runs: int) -> tuple[float, float]:
    """The share of simulated runs that are decided at some look, and how many seeds they take on average."""
    draws = np.random.default_rng(0).normal(effect, 1, (runs, LOOKS[-1]))
    done, seeds = np.zeros(runs, bool), np.full(runs, LOOKS[-1])
    for look in LOOKS:
        t = stats.ttest_1samp(draws[:, :look], 0, axis=1).statistic
        now = ~done & (np.abs(t) > stats.t.ppf(1 - level / 2, look - 1))
        seeds[now], done = look, done | now
    return float(done.mean()), float(seeds.mean())


def test_one_look_misses_as_often_as_its_interval_does() -> None:
    assert miss(0.05, (3,)) == pytest.approx(0.05, abs=1e-9)


def test_all_looks_miss_in_one_run_of_twenty() -> None:
    assert miss(1 - confidence()) == pytest.approx(0.05, abs=1e-9)
    assert confidence() == pytest.approx(0.98380, abs=1e-5)


def test_more_looks_miss_more_often_up_to_the_sum_of_each() -> None:
    found = [miss(0.02, LOOKS[:looks]) for looks in (1, 2, 3, 4)]
    assert all(before < after for before, after in pairwise(found))
    assert found[-1] < 4 * 0.02


@pytest.mark.parametrize("level", [0.01, 2 * stats.norm.sf(POCOCK), 0.1])
def test_probability_of_a_miss_is_that_of_a_simulation(level: float) -> None:
    runs = 20_000
    share, _ = decided(0.0, level, runs)
    assert share == pytest.approx(miss(level), abs=4 * np.sqrt(miss(level) / runs))


@pytest.mark.slow
def test_simulated_error_is_the_nominal_one_and_clear_effects_need_few_seeds() -> None:
    runs = 400_000
    error, _ = decided(0.0, 1 - confidence(), runs)
    assert error == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / runs))
    known, _ = decided(0.0, 2 * stats.norm.sf(POCOCK), runs)
    assert known > 0.054, "the bound for a known variance errs too often with few seeds"
    for effect, share, seeds in ((0.8, 0.560, 10.14), (1.0, 0.763, 9.25), (1.2, 0.901, 8.31), (1.5, 0.984, 7.12)):
        assert decided(effect, 1 - confidence(), runs) == pytest.approx((share, seeds), abs=0.02)
