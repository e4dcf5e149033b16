"""Looks: a claim may be judged after 3, 6, 9 and 12 seeds, by intervals that are wide enough for being judged so often.

Whoever adds seeds until a 95 % interval excludes a bound finds one that does too often. As in Pocock 1977, Group
sequential methods in the design and analysis of clinical trials, Biometrika 64, each look has the same confidence, so
high that the intervals of all looks cover the effect at once with 95 % (Jennison & Turnbull 1989, Interim analyses: the
repeated confidence interval approach). His constant holds for a known variance: t-intervals at the confidence that
belongs to it, 98.18 % for four looks, miss the effect in 5.6 % of runs at these numbers of seeds. `miss` gives the
exact probability for t-intervals.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import scipy

from vgbench.statistics import CONFIDENCE

ADDED = 3
"""Seeds that a look adds; the uniform cosine in `miss` holds for three alone."""
LOOKS = (3, 6, 9, 12)
"""How many seeds there are at each look."""
_NODES, _POINTS = 40, 2001
"""Of the quadratures over the share of the squares and over the cosine."""


@cache
def confidence() -> float:
    """The confidence of each look's t-interval with which those of all looks cover the effect at once with 95 %."""
    allowed = 1 - CONFIDENCE
    found = scipy.optimize.root_scalar(lambda level: miss(level) - allowed, bracket=(allowed / len(LOOKS), allowed))
    return 1 - float(found.root)


def miss(level: float, looks: Sequence[int] = LOOKS) -> float:
    """The probability that the t-interval of any look misses the effect, where each does with probability `level`.

    The differences by seed are independent and normal; subtract the effect. A look's t-statistic is a function of the
    cosine c between the n differences and (1, ..., 1): t = c sqrt((n - 1) / (1 - c^2)). The cosines are a Markov
    chain: the next one is sqrt(n b / (n + 3)) c + sqrt(3 (1 - b) / (n + 3)) u, where b ~ Beta(n / 2, 3 / 2) is the
    share of the first n in the sum of squares, and u, the cosine of the three that are added, is uniform in [-1, 1]
    (Archimedes). Its crossing of the bounds is integrated backwards over the looks, as in Jennison & Turnbull 1991,
    Exact calculations for sequential t, chi-square and F tests, Biometrika 78.

    Args:
        level: of each look.
        looks: numbers of seeds, three apart, the first of them 3.
    """
    seeds = np.asarray(looks)
    t = scipy.stats.t.ppf(1 - level / 2, seeds - 1)
    bounds = t / np.sqrt(t**2 + seeds - 1)
    cosine = np.linspace(-1, 1, 2 * _POINTS - 1)
    stays = np.ones_like(cosine)  # the probability that no later look misses, given the cosine at this one
    for n, bound in zip(seeds[-2::-1], bounds[:0:-1], strict=True):
        inside, area = _area(cosine, stays, bound)
        roots, weights = scipy.special.roots_jacobi(_NODES, ADDED / 2 - 1, n / 2 - 1)
        share = (1 + roots[:, None]) / 2
        middle, reach = np.sqrt(n * share / (n + ADDED)) * cosine, np.sqrt(ADDED * (1 - share) / (n + ADDED))
        mean = (np.interp(middle + reach, inside, area) - np.interp(middle - reach, inside, area)) / (2 * reach)
        stays = weights @ mean / weights.sum()
    return float(1 - _area(cosine, stays, bounds[0])[1][-1] / 2)


def _area(x: np.ndarray, y: np.ndarray, bound: float) -> tuple[np.ndarray, np.ndarray]:
    """Points from -bound to bound, and the integral of y over x from -bound to each of them."""
    inside = np.linspace(-bound, bound, _POINTS)
    heights = np.interp(inside, x, y)
    steps = (heights[1:] + heights[:-1]) / 2 * np.diff(inside)
    return inside, np.concatenate([[0.0], np.cumsum(steps)])
