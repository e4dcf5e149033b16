"""How the rows of a table compare with the best of it, by tests that allow for how many rows are compared."""

from collections.abc import Hashable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from vgbench.statistics import holm, p_below

Rank = Literal["best", "within", "worse", "undecided"]
"""Best mean metric of its group; shown to be less than `MARGIN` behind that; shown to be more; neither shown."""

MARGIN = 0.02
"""What a row's test metric, in its unit, may be behind the best one's and count as equally good."""


class Outcome(NamedTuple):
    """How a row's training ended.

    Attributes:
        group: what it has in common with the rows that it is compared to.
        seeds: the evaluation seeds.
        score: the test metric with each, or minus it where lower is better.
    """

    group: Hashable
    seeds: tuple[int, ...]
    score: Float[np.ndarray, "seeds"]


def against_best(rows: Sequence[Outcome | None]) -> list[Rank | None]:
    """How each row of a table compares with the best of its group, which has the highest mean score.

    Every other row with the same seeds is tested against it by one-sided t-tests paired by seed: that it is less than
    `MARGIN` behind it (a test of non-inferiority), and that it is more. Each of the two has Holm's correction over the
    whole table, at level 0.05. None where there is no test: the row is None, has a single seed, or other seeds than the
    best.
    """
    groups: dict[Hashable, dict[int, Outcome]] = {}
    for index, row in enumerate(rows):
        if row and len(row.seeds) > 1:
            groups.setdefault(row.group, {})[index] = row
    ranks: list[Rank | None] = [None] * len(rows)
    behind: dict[int, np.ndarray] = {}
    for outcomes in groups.values():
        best = max(outcomes, key=lambda index: outcomes[index].score.mean())
        ranks[best] = "best"
        for index, outcome in outcomes.items():
            if index != best and outcome.seeds == outcomes[best].seeds:
                behind[index] = outcomes[best].score - outcome.score
    within = holm([p_below(each, MARGIN) for each in behind.values()])
    worse = holm([p_below(-each, -MARGIN) for each in behind.values()])
    for index, is_within, is_worse in zip(behind, within, worse, strict=True):
        ranks[index] = "within" if is_within else "worse" if is_worse else "undecided"
    return ranks
