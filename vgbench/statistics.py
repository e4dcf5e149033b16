"""Intervals: Student's t over few seeds, the bootstrap over many timings."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
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
