"""What would decide a claim: so many seeds or cells that the interval of an effect like the measured one is clear."""

import numpy as np
import pytest

from vgbench.claims import undecided
from vgbench.spec.claim import Rule

ABOVE = Rule(above=0.0)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        # The half interval of n seeds of spread 1 is 0.925 at 7 and 0.836 at 8; 0.499 at 18 and 0.468 at 20.
        ([0.9 - 1, 0.9, 0.9 + 1], "about 8 seeds would decide it"),
        ([-0.48 - 1, -0.48, -0.48 + 1], "about 20 seeds would decide it"),
        ([-1.0, 0.0, 1.0], "not even 1000 seeds would decide it: the effect lies on the bound"),
        ([0.5], "a second seed would give an interval"),
        (
            [0.5, np.nan, np.nan],
            "more steps or another target may decide it: 2 of 3 seeds have no known effect",
        ),
    ],
)
def test_seeds_that_would_decide(values: list[float], words: str) -> None:
    assert undecided.by_seeds(ABOVE, np.asarray(values), 0.95) == words


def test_wider_intervals_need_more_seeds() -> None:
    assert undecided.by_seeds(ABOVE, np.asarray([-0.1, 0.9, 1.9]), 0.98) == "about 10 seeds would decide it"


def test_cells_that_would_decide() -> None:
    # Wilson's interval of 60 of 80 begins at 0.645 and that of 75 of 100 at 0.657.
    assert undecided.by_cells(Rule(above=0.65), 6, 8) == "about 100 such cells would decide it"
    assert undecided.by_cells(Rule(above=0.75), 6, 8).startswith("not even 1000 such cells would decide it")
