"""Intervals (Student's t over few seeds, the bootstrap over many timings), slopes, and tests of many rows at once."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy
from jaxtyping import Bool, Float, Shaped

CONFIDENCE = 0.95
_FEWEST_LAYERS = 8


class Interval(NamedTuple):
    """An estimate with the ends of its 95 % confidence interval; the ends are NaN where there is no interval."""

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
    """log10 of the first layer's value over the last layer's; NaN where neither is finite."""
    with np.errstate(invalid="ignore"):
        return np.asarray(log10[..., 0] - log10[..., -1])


def t_interval(samples: Float[np.ndarray, "n"], confidence: float = CONFIDENCE) -> Interval:
    """Mean with a t-interval; a bootstrap of so few samples would cover 73 % (n = 3) to 83 % (n = 5), not 95 %."""
    n, mean = len(samples), float(np.mean(samples)) if len(samples) else float("nan")
    if n < 2 or not np.isfinite(samples).all():
        return Interval(mean, float("nan"), float("nan"))
    reach = float(scipy.special.stdtrit(n - 1, (1 + confidence) / 2) * np.std(samples, ddof=1) / np.sqrt(n))
    return Interval(mean, mean - reach, mean + reach)


def bootstrap_median(samples: Float[np.ndarray, "n"], sizes: Sequence[int] = (), resamples: int = 2000) -> Interval:
    """Median with a percentile bootstrap interval that resamples groups first and then samples in each; deterministic.

    Args:
        samples: of all groups, one group after the other.
        sizes: the number of samples in each group, at least one; empty for a single group.
        resamples: how many medians make the interval.
    """
    draw, length = np.random.default_rng(0), np.asarray(sizes or [len(samples)])
    chosen = draw.integers(len(length), size=(resamples, len(length), 1))
    first = np.cumsum(length) - length
    place = first[chosen] + draw.integers(length[chosen], size=(resamples, len(length), length.max()))
    drawn = np.where(np.arange(length.max()) < length[chosen], samples[place], np.inf).reshape(resamples, -1)
    drawn.sort(axis=1)  # with what is beyond the end of a group last
    known = length[chosen].sum(axis=(1, 2))
    middle = [np.take_along_axis(drawn, half[:, None], axis=1) for half in ((known - 1) // 2, known // 2)]
    low, high = np.quantile(np.mean(middle, axis=0), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(np.median(samples)), float(low), float(high))


def bootstrap_ratio(
    samples: Float[np.ndarray, "n"], reference: Float[np.ndarray, "m"], resamples: int = 2000
) -> Interval:
    """Median of the samples over the reference's median, with a percentile bootstrap interval; deterministic."""
    draw = np.random.default_rng(0)
    medians = [np.median(draw.choice(each, (resamples, len(each))), axis=1) for each in (samples, reference)]
    low, high = np.quantile(medians[0] / medians[1], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(np.median(samples) / np.median(reference)), float(low), float(high))


def guessing_reaches(chance: float, answers: int, tries: int) -> float:
    """The share of right answers that guessing exceeds in any of `tries` with a probability of at most 5 %.

    A guess is right with the probability `chance`. The binomial quantile has Bonferroni's correction.
    """
    return float(scipy.stats.binom.ppf(1 - (1 - CONFIDENCE) / tries, answers, chance) / answers)


def slope(x: Shaped[np.ndarray, "n"], y: Float[np.ndarray, "n"]) -> float:
    """Slope of y over x by least squares; exactly 0 if it may be nothing but rounding.

    The slope is the sum of (x_i - mean x) y_i / sum (x - mean x)^2. Each term has a relative error of at most eight
    rounding units, 2**-53 each: four from y_i, which is the sum of a mantissa's logarithm and an exponent's; one each
    from difference, product, quotient and denominator (Higham 2002, Accuracy and Stability of Numerical Algorithms,
    section 3.1). The sum of the terms is rounded once (`math.fsum`), so it has the same bits on every processor. If the
    slope is within the resulting bound, 8 * 2**-53 times the sum of the terms' magnitudes, its sign is unknown and the
    result is 0. The slope of a constant is 0, too.

    Returns:
        The slope; NaN if there are fewer than two points or a value is not finite.
    """
    if len(x) < 2 or not np.isfinite(y).all():
        return float("nan")
    away = x - math.fsum(x) / len(x)
    terms = away * y / math.fsum(away**2)
    found = math.fsum(terms)
    return found if abs(found) > 8 * 2.0**-53 * math.fsum(np.abs(terms)) else 0.0


def power_exponents(log10: Float[np.ndarray, "seeds layers"]) -> Float[np.ndarray, "seeds"]:
    """The exponent a of profiles that go as layer ** a, the first layer being 1; NaN where no power law shows.

    Slope of log10 over log10(layer) by least squares. It shows where that line leaves at most 5 % of the mean profile's
    variance, and at most half as much as a straight line over the layers, which is an exponential, or over their roots,
    which is a stretched one. Fewer than eight layers do not tell these apart.
    """
    layers = np.arange(1.0, log10.shape[-1] + 1)
    nothing = np.full(len(log10), np.nan)
    if len(layers) < _FEWEST_LAYERS or not np.isfinite(log10).all():
        return nothing
    mean = log10.mean(axis=0)
    power, exponential, stretched = (_unexplained(x, mean) for x in (np.log10(layers), layers, np.sqrt(layers)))
    shows = power <= min(0.05 * _unexplained(np.zeros_like(layers), mean), exponential / 2, stretched / 2)
    return np.asarray([slope(np.log10(layers), each) for each in log10]) if shows and mean.std() > 0 else nothing


def _unexplained(x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]) -> float:
    """The sum of squares that the least-squares line of y over x leaves; of a constant x, all of it about the mean."""
    away = y - y.mean()
    line = slope(x, y) * (x - x.mean()) if np.ptp(x) else 0.0
    return float(np.sum((away - line) ** 2))


def p_below(samples: Float[np.ndarray, "n"], bound: float) -> float:
    """The p-value of a one-sided t-test that the mean of `samples` is below `bound`.

    If all samples are equal (to nine decimals, so that rounding does not decide), it is 0 if they are below the bound,
    otherwise 1.
    """
    distance = np.round(np.asarray(samples, np.float64) - bound, 9)
    if np.ptp(distance) == 0:
        return 0.0 if distance[0] < 0 else 1.0
    t = np.mean(distance) / (np.std(distance, ddof=1) / np.sqrt(len(distance)))
    return float(scipy.special.stdtr(len(distance) - 1, t))


def p_differs(samples: Float[np.ndarray, "n"], value: float) -> float:
    """The p-value of a two-sided t-test that the mean of `samples` is not `value`; for equal samples see `p_below`."""
    return min(1.0, 2 * min(p_below(samples, value), p_below(-samples, -value)))


def holm(p: Sequence[float], level: float = 0.05) -> Bool[np.ndarray, "n"]:
    """Which hypotheses are rejected, given their p-values; the chance of any wrong rejection is at most `level`.

    The smallest p is compared with level / n, the next with level / (n - 1), and so on until one is larger (Holm 1979,
    A Simple Sequentially Rejective Multiple Test Procedure). The tests may depend on each other in any way.
    """
    values = np.asarray(p, np.float64)
    order = np.argsort(values)
    rejected = np.zeros(len(values), bool)
    rejected[order] = np.logical_and.accumulate(values[order] <= level / np.arange(len(values), 0, -1))
    return rejected
