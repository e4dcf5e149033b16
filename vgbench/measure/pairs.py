"""Two samplers in turn: interleaved rounds until the ratio is known well enough, and the verdict on it."""

import time
from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from vgbench.statistics import Interval, bootstrap_median

Sampler = Callable[[], float]
"""Takes one sample: seconds a step."""

Verdict = Literal["FASTER", "SLOWER", "SAME", "UNCLEAR"]

TOLERANCE = 0.03
"""A difference in time up to which two steps count as equally fast."""
BUDGET_SECONDS = 4.0
"""Where noise keeps the interval wide, timing ends after so long."""
ROUNDS_AT_LEAST, ROUNDS_AT_MOST, ROUNDS_BETWEEN = 30, 1000, 10
_OUTLYING = 3.5
_CONSISTENT = 1.4826  # makes the median absolute deviation of normal samples their standard deviation


def time_pair(
    first: Sampler,
    second: Sampler,
    precision: float,
    budget: float = BUDGET_SECONDS,
    clock: Callable[[], float] = time.perf_counter,
    rounds_at_least: int = ROUNDS_AT_LEAST,
) -> tuple[Float[np.ndarray, "rounds"], Float[np.ndarray, "rounds"]]:
    """Sample both in each round, the one or the other first, until their ratio is known to `precision`.

    What slows the machine for longer than a round slows both; who goes first alternates at random but equally often, so
    that a drift within rounds cancels. That the interval is narrow, and nothing else about it, ends the rounds.

    Args:
        first: the sampler of the case.
        second: that of its reference.
        precision: half the length of the ratio's 95 % interval over the ratio.
        budget: seconds after which the rounds end anyhow, once there are enough.
        clock: the seconds now.
        rounds_at_least: how many are enough.

    Returns:
        The samples of both, one a round.
    """
    draw, begin = np.random.default_rng(0), clock()
    samples: tuple[list[float], list[float]] = ([], [])
    while True:
        for first_goes_first in draw.permutation([True, False] * (ROUNDS_BETWEEN // 2)):
            for i in (0, 1) if first_goes_first else (1, 0):
                samples[i].append((first, second)[i]())
        times = np.asarray(samples)
        rounds = times.shape[1]
        if rounds < rounds_at_least:
            continue
        spent = clock() - begin > budget or rounds >= ROUNDS_AT_MOST
        ratio = bootstrap_median(times[0] / times[1])
        if spent or ratio.half_width <= precision * ratio.value:
            return times[0], times[1]


def verdict(ratio: Interval, tolerance: float = TOLERANCE) -> Verdict:
    """The verdict on a ratio of times, where its interval lies wholly on one side of each border of tolerance.

    `UNCLEAR` where it contains a border.
    """
    if ratio.low > 1 + tolerance:
        return "SLOWER"
    if ratio.high < 1 - tolerance:
        return "FASTER"
    return "SAME" if 1 - tolerance <= ratio.low and ratio.high <= 1 + tolerance else "UNCLEAR"


def outliers(ratios: Float[np.ndarray, "rounds"]) -> Bool[np.ndarray, "rounds"]:
    """Which ratios lie far off: a modified z-score above 3.5 (Iglewicz & Hoaglin 1993). None is ever dropped."""
    away = np.abs(ratios - np.median(ratios))
    return np.asarray(away > _OUTLYING * _CONSISTENT * np.median(away))
