"""What would decide a condition that is unclear, as far as its records tell."""

from collections.abc import Callable

import numpy as np

from vgbench.claims import signs
from vgbench.claims.statistics import Values
from vgbench.spec.claim import Rule
from vgbench.statistics import Interval, t_interval

_ENOUGH = (4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200, 300, 400, 500, 700, 1000)
"""Round numbers of seeds or cells; an estimate from a few seeds is no more precise."""


def by_seeds(rule: Rule, values: Values, confidence: float) -> str:
    """Which number of seeds would decide it, if their mean and their spread stay as they are in `values`."""
    if len(values) < 2:
        return "a second seed would give an interval"
    if not np.isfinite(values).all():
        unknown = np.count_nonzero(~np.isfinite(values))
        return f"more steps or another target may decide it: {unknown} of {len(values)} seeds have no known effect"
    spread = np.std(values, ddof=1)

    def interval(seeds: int) -> Interval:
        alike = np.resize([-1.0, 1.0], seeds)
        return t_interval(np.mean(values) + spread * (alike - alike.mean()) / np.std(alike, ddof=1), confidence)

    return _words(_enough(rule, interval, len(values)), "seeds")


def by_cells(rule: Rule, right: int, cells: int) -> str:
    """Which number of cells would decide it, if the share of those that are right stays as it is."""
    return _words(_enough(rule, lambda more: signs.wilson(round(more * right / cells), more), cells), "such cells")


def _enough(rule: Rule, interval: Callable[[int], Interval], there: int) -> int | None:
    return next((n for n in _ENOUGH if n > there and rule.judge(interval(n)) != "unclear"), None)


def _words(number: int | None, what: str) -> str:
    if number is None:
        return f"not even {_ENOUGH[-1]} {what} would decide it: the effect lies on the bound"
    return f"about {number} {what} would decide it"
