"""Which rows of a table are among the best, by tests that allow for how many rows are compared."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vgbench.statistics import holm, p_lower


class Outcome(NamedTuple):
    """How a row's training ended.

    Attributes:
        group: what it has in common with the rows that it is compared to.
        seeds: the evaluation seeds.
        accuracy: the test accuracy with each.
    """

    group: Hashable
    seeds: tuple[int, ...]
    accuracy: Float[np.ndarray, "seeds"]


def among_best(rows: Sequence[Outcome | None]) -> list[bool | None]:
    """Whether each row of a table is not worse than the best of its group, which has the highest mean accuracy.

    Every other row with the same seeds is tested against it, paired by seed, with Holm's correction over the whole
    table. None where there is no test: the row is None, or has a single seed.
    """
    groups: dict[Hashable, dict[int, Outcome]] = {}
    for index, row in enumerate(rows):
        if row and len(row.seeds) > 1:
            groups.setdefault(row.group, {})[index] = row
    verdicts: list[bool | None] = [None] * len(rows)
    tests: dict[int, float] = {}
    for outcomes in groups.values():
        best = max(outcomes, key=lambda index: outcomes[index].accuracy.mean())
        verdicts[best] = True
        for index, outcome in outcomes.items():
            if index != best and outcome.seeds == outcomes[best].seeds:
                tests[index] = p_lower(outcome.accuracy, outcomes[best].accuracy)
    for index, rejected in zip(tests, holm(list(tests.values())), strict=True):
        verdicts[index] = not rejected
    return verdicts
