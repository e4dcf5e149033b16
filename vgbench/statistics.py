"""Intervals (Student's t over few seeds, the bootstrap over many timings) and tests of many rows at once."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
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


def p_lower(samples: Float[np.ndarray, "n"], reference: Float[np.ndarray, "n"]) -> float:
    """The p of a paired one-sided t-test that the mean of `samples` is lower than the reference's; 1 where equal."""
    differences = np.asarray(samples, np.float64) - reference
    if not differences.any():
        return 1.0
    with np.errstate(divide="ignore"):  # equal differences: their mean is certain
        t = np.mean(differences) / (np.std(differences, ddof=1) / np.sqrt(len(differences)))
    return float(stats.t.cdf(t, len(differences) - 1))


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
