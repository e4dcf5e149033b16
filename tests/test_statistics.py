"""Slopes and exponents: least squares' own, and exactly 0 where nothing but rounding is left."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgbench.statistics import power_exponents, slope
from vgbench.theory.prediction import from_factors

LEVELS = st.floats(-1e4, 1e4)
LENGTHS = st.integers(2, 300)


@given(level=LEVELS, rise=LEVELS, length=LENGTHS)
def test_slope_is_that_of_least_squares(level: float, rise: float, length: int) -> None:
    x = np.arange(length, dtype=np.float64)
    y = level + rise * x + np.random.default_rng(0).normal(size=length)
    assert slope(x, y) == pytest.approx(np.polyfit(x, y, 1)[0], rel=1e-9, abs=1e-9)


@given(level=LEVELS, length=LENGTHS, first=st.integers(0, 9))
def test_slope_of_a_constant_is_exactly_zero(level: float, length: int, first: int) -> None:
    x = np.arange(first, first + length, dtype=np.float64)
    assert slope(x, np.full(length, level)) == 0


@given(level=LEVELS, length=LENGTHS, seed=st.integers(0, 99))
def test_slope_of_a_constant_with_rounding_errors_is_exactly_zero(level: float, length: int, seed: int) -> None:
    errors = np.random.default_rng(seed).integers(-2, 3, length) * 2.0**-53
    assert slope(np.arange(length, dtype=np.float64), level * (1 + errors)) == 0


def test_slope_that_is_small_but_above_its_rounding_is_kept() -> None:
    x = np.arange(8, dtype=np.float64)
    assert slope(x, 1 + 1e-14 * x) == pytest.approx(1e-14, rel=0.05)


@pytest.mark.parametrize("y", [[], [1.0], [-np.inf, -1.0, -1.0], [np.nan, 1.0]], ids=str)
def test_slope_of_one_point_or_of_what_is_not_finite_is_not_known(y: list[float]) -> None:
    assert np.isnan(slope(np.arange(len(y), dtype=np.float64), np.asarray(y)))


@pytest.mark.parametrize("factor", [1 - 2.0**-53, 1.0, 1 + 2.0**-52])
def test_factors_that_are_one_but_for_rounding_predict_no_decay(factor: float) -> None:
    assert from_factors(np.full(20, factor), "asymptotic", (), ()).decay == 0


def test_the_exponent_of_a_power_law_and_of_nothing_else() -> None:
    layers = np.arange(1.0, 61)
    scatter = 0.01 * np.random.default_rng(0).normal(size=(3, 60))
    assert power_exponents(-0.5 * np.log10(layers) + scatter) == pytest.approx([-0.5] * 3, abs=0.02)
    assert power_exponents(1 - 2 * np.log10(layers)[None]) == pytest.approx([-2])
    others = (0.3 * layers, 0 * layers, np.sqrt(layers), scatter[0], np.where(layers < 5, np.nan, -np.log10(layers)))
    for other in others:
        assert np.isnan(power_exponents(other[None])).all()
    assert np.isnan(power_exponents(-np.log10(layers)[None, :7])).all()
