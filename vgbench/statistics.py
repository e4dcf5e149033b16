"""Intervals (Student's t over few seeds, the bootstrap over many timings), slopes, and tests of many rows at once."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy import stats

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """An estimate with the ends of its 95 % confidence interval; ends are NaN where one sample tells nothing."""

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the interval's length."""
        return (self.high - self.low) / 2

    def within(self, form: str) -> str:
        """The estimate and half its interval as text, both in the format `form`."""
        return f"{self.value:{form}} ± {self.half_width:{form.lstrip('+')}}"


def first_over_last(log10: Float[np.ndarray, "*others layers"]) -> Float[np.ndarray, "*others"]:
    """log10 of the first layer's over the last one's; NaN where neither is finite."""
    with np.errstate(invalid="ignore"):
        return np.asarray(log10[..., 0] - log10[..., -1])


def t_interval(samples: Float[np.ndarray, "n"]) -> Interval:
    """Mean with a t-interval; a bootstrap of so few samples would cover 73 % (n = 3) to 83 % (n = 5), not 95 %."""
    n, mean = len(samples), float(np.mean(samples)) if len(samples) else float("nan")
    if n < 2 or not np.isfinite(samples).all():
        return Interval(mean, float("nan"), float("nan"))
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * np.std(samples, ddof=1) / np.sqrt(n))
    return Interval(mean, mean - reach, mean + reach)


def bootstrap_median(samples: Float[np.ndarray, "n"], resamples: int = 2000) -> Interval:
    """Median with a percentile bootstrap interval; deterministic."""
    result = stats.bootstrap(
        (samples,),
        np.median,
        n_resamples=resamples,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    low, high = result.confidence_interval
    return Interval(float(np.median(samples)), float(low), float(high))


def bootstrap_ratio(
    samples: Float[np.ndarray, "n"], reference: Float[np.ndarray, "m"], resamples: int = 2000
) -> Interval:
    """Median of independent samples over that of a reference's, with a percentile bootstrap interval; deterministic."""
    draw = np.random.default_rng(0)
    medians = [np.median(draw.choice(each, (resamples, len(each))), axis=1) for each in (samples, reference)]
    low, high = np.quantile(medians[0] / medians[1], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(np.median(samples) / np.median(reference)), float(low), float(high))


def guessing_reaches(chance: float, answers: int, tries: int) -> float:
    """The share of right answers that guessing exceeds in any of `tries` with a probability of 5 % at most.

    Guesses are right with the probability `chance`; the binomial quantile has Bonferroni's correction.
    """
    return float(stats.binom.ppf(1 - (1 - CONFIDENCE) / tries, answers, chance) / answers)


def slope(x: Shaped[np.ndarray, "n"], y: Float[np.ndarray, "n"]) -> float:
    """Slope of y over x by least squares, exactly 0 where rounding alone may have made it.

    The slope is the sum of (x_i - mean x) y_i / sum (x - mean x)^2. Each term has a relative error of at most eight
    units of rounding, 2**-53 each: four of y_i, a logarithm that is the sum of a mantissa's and an exponent's; one each
    of difference, product, quotient and denominator (Higham 2002, Accuracy and Stability of Numerical Algorithms,
    section 3.1). The terms' sum is rounded once (`math.fsum`), so it has the same bits on every processor. A slope
    within the bound that follows, 8 * 2**-53 times the sum of the terms' sizes, may have either sign, and is 0; so is
    that of a constant.

    Returns:
        The slope; NaN of fewer than two points, and where a value is not finite.
    """
    if len(x) < 2 or not np.isfinite(y).all():
        return float("nan")
    away = x - math.fsum(x) / len(x)
    terms = away * y / math.fsum(away**2)
    found = math.fsum(terms)
    return found if abs(found) > 8 * 2.0**-53 * math.fsum(np.abs(terms)) else 0.0


def p_below(samples: Float[np.ndarray, "n"], bound: float) -> float:
    """The p of a one-sided t-test that the mean of `samples` is below `bound`.

    Samples that are equal (to nine decimals, so that rounding does not decide) leave no doubt: 0 where they are below
    the bound, otherwise 1.
    """
    distance = np.round(np.asarray(samples, np.float64) - bound, 9)
    if np.ptp(distance) == 0:
        return 0.0 if distance[0] < 0 else 1.0
    t = np.mean(distance) / (np.std(distance, ddof=1) / np.sqrt(len(distance)))
    return float(stats.t.cdf(t, len(distance) - 1))


def p_differs(samples: Float[np.ndarray, "n"], value: float) -> float:
    """The p of a two-sided t-test that the mean of `samples` is not `value`; as sure of equal ones as `p_below`."""
    return min(1.0, 2 * min(p_below(samples, value), p_below(-samples, -value)))


def holm(p: Sequence[float], level: float = 0.05) -> Bool[np.ndarray, "n"]:
    """Which of the hypotheses with these p are rejected, with a chance of `level` at most that any is wrongly.

    The smallest p is held against level / n, the next against level / (n - 1), and so on until one is larger (Holm
    1979, A Simple Sequentially Rejective Multiple Test Procedure); the tests may depend on each other in any way.
    """
    values = np.asarray(p, np.float64)
    order = np.argsort(values)
    rejected = np.zeros(len(values), bool)
    rejected[order] = np.logical_and.accumulate(values[order] <= level / np.arange(len(values), 0, -1))
    return rejected
