"""How rows compare with the best: the t-test in closed form, Holm's correction by hand, and the groups of a table."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgbench.report.best import MARGIN, Outcome, against_best
from vgbench.statistics import holm, p_below, p_differs

chances = st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.0125, 0.025, 0.05]), max_size=8)


def outcome(*accuracy: float, group: object = "depth 4", seeds: tuple[int, ...] | None = None) -> Outcome:
    return Outcome(group, seeds or tuple(range(len(accuracy))), np.asarray(accuracy))


@pytest.mark.parametrize(
    ("samples", "p"),
    [
        ((-0.1, -0.2, -0.3), 0.5 - math.sqrt(3 / 14)),  # t = -2 sqrt 3; with 2 degrees 1/2 + t / 2 sqrt(2 + t^2)
        ((0.1, 0.2, 0.3), 0.5 + math.sqrt(3 / 14)),
        ((-0.25, 0.0), 0.25),  # t = -1; with 1 degree 1/2 + atan(t) / pi
        ((-0.25, 0.25), 0.5),
        ((-0.25, -0.25), 0.0),
        ((0.25, 0.25), 1.0),
        ((0.0, 0.0, 0.0), 1.0),
        ((-0.3 + 0.1, -0.2, -0.1 - 0.1), 0.0),  # equal but for rounding
    ],
)
def test_p_is_that_of_the_t_test(samples: tuple[float, ...], p: float) -> None:
    for bound in (0.0, 0.5):
        assert p_below(np.asarray(samples) + bound, bound) == pytest.approx(p, abs=1e-12)


@pytest.mark.parametrize(
    ("samples", "p"), [((0.1, 0.2, 0.3), 1 - math.sqrt(6 / 7)), ((-0.25, 0.25), 1), ((0.5, 0.5), 0)]
)
def test_p_of_two_sides_is_twice_the_smaller_of_one(samples: tuple[float, ...], p: float) -> None:
    for sign in (1, -1):
        assert p_differs(sign * np.asarray(samples) + 0.5, 0.5) == pytest.approx(p, abs=1e-12)
    assert p_differs(np.asarray([0.1, 0.2, 0.3]), 0.2) == pytest.approx(1)
    assert p_differs(np.asarray([0.2, 0.2]), 0.2) == 1


def test_rounding_does_not_decide_of_samples_that_equal_the_bound() -> None:
    assert p_below(np.asarray([0.98, 0.48, 0.3]) - np.asarray([1.0, 0.5, 0.32]), -0.02) == 1


@pytest.mark.parametrize(
    ("p", "rejected"),
    [
        ([], []),
        ([0.05], [True]),
        ([0.051], [False]),
        ([0.01, 0.02, 0.03], [True, True, True]),  # against 0.0167, 0.025, 0.05; Bonferroni rejects the first alone
        ([0.03, 0.02, 0.01], [True, True, True]),
        ([0.01, 0.04, 0.03, 0.005], [True, False, False, True]),  # 0.03 is above 0.025, and there it ends
        ([0.04, 0.03], [False, False]),  # 0.04 would be below its 0.05, but is not asked any more
        ([0.025, 0.025], [True, True]),
    ],
)
def test_holm_rejects_what_is_computed_by_hand(p: list[float], rejected: list[bool]) -> None:
    assert holm(p).tolist() == rejected


@given(p=chances)
def test_holm_rejects_all_that_bonferroni_rejects_and_no_more_than_no_correction(p: list[float]) -> None:
    rejected = holm(p)
    assert all(rejected[i] for i, each in enumerate(p) if each <= 0.05 / len(p))
    assert all(each <= 0.05 for i, each in enumerate(p) if rejected[i])


@given(p=chances)
def test_holm_rejects_the_smaller_before_the_larger_whatever_their_order(p: list[float]) -> None:
    rejected = holm(p)
    assert holm(p[::-1]).tolist() == rejected[::-1].tolist()
    assert max([each for i, each in enumerate(p) if rejected[i]], default=0) <= min(
        [each for i, each in enumerate(p) if not rejected[i]], default=1
    )


@given(p=chances.filter(bool), smaller=st.floats(0, 1), data=st.data())
def test_smaller_p_never_saves_a_hypothesis(p: list[float], smaller: float, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(p) - 1))
    less = [*p[:index], p[index] * smaller, *p[index + 1 :]]
    assert (holm(less) >= holm(p)).all()


def test_row_that_is_clearly_worse_is_distinguished_from_one_that_is_as_good_and_one_that_may_be_either() -> None:
    best = outcome(0.90, 0.91, 0.92)
    rows = [outcome(0.1, 0.11, 0.1), outcome(0.899, 0.91, 0.919), outcome(0.8, 0.9, 0.95), best]
    assert against_best(rows) == ["worse", "within", "undecided", "best"]


def test_wide_scatter_makes_no_row_as_good_as_the_best() -> None:
    # Of 3 seeds one is near the best: a mean far below it that a test of "not worse" would let pass.
    assert against_best([outcome(0.96, 0.97, 0.975), outcome(0.2, 0.1, 0.45)]) == ["best", "worse"]
    assert against_best([outcome(0.96, 0.97, 0.975), outcome(0.1, 0.2, 0.96)]) == ["best", "undecided"]


def test_equal_rows_are_as_good_as_the_best() -> None:
    assert against_best([outcome(0.5, 0.7)] * 3) == ["best", "within", "within"]


def test_pairing_by_seed_shows_a_small_difference_that_scatter_would_hide() -> None:
    best, steady = outcome(0.50, 0.70, 0.90), outcome(0.49, 0.689, 0.891)
    assert against_best([best, steady]) == ["best", "within"]
    shuffled = outcome(0.891, 0.49, 0.689)
    assert against_best([best, shuffled]) == ["best", "undecided"]


def test_margin_is_where_the_verdict_turns() -> None:
    best = outcome(0.5, 0.7, 0.9)
    for behind, rank in ((0.9, "within"), (1.1, "worse")):
        assert against_best([best, outcome(*(best.score - behind * MARGIN))]) == ["best", rank]


def test_correction_counts_the_comparisons_of_all_groups() -> None:
    best = outcome(0.52, 0.52, 0.52)
    worse = outcome(0.4, 0.3, 0.2)  # 0.1, 0.2 and 0.3 below the margin: p = 0.037, as above
    equal = outcome(0.5, 0.5, 0.5, group="depth 8")
    assert against_best([best, worse]) == ["best", "worse"]
    assert against_best([best, worse, equal]) == ["best", "worse", "best"]  # a group of one has no comparison
    # 0.037 is above 0.05 / 2.
    assert against_best([best, worse, equal, equal]) == ["best", "undecided", "best", "within"]


def test_every_group_has_a_best_of_its_own() -> None:
    low = [outcome(0.1, 0.1, group="depth 8"), outcome(0.05, 0.05, group="depth 8")]
    assert against_best([outcome(0.9, 0.9), *low]) == ["best", "best", "worse"]
    assert against_best([outcome(0.9, 0.9), outcome(0.1, 0.1)]) == ["best", "worse"]


def test_row_without_training_or_a_second_seed_or_the_seeds_of_the_best_has_no_standing() -> None:
    best = outcome(0.9, 0.91)
    assert against_best([None, best, outcome(1.0), outcome(0.1, 0.1, seeds=(0, 2))]) == [None, "best", None, None]
    assert against_best([None, outcome(1.0)]) == [None, None]
    assert against_best([]) == []


def test_rows_that_are_just_beyond_the_margin_are_seldom_called_as_good() -> None:
    draw = np.random.default_rng(0)
    called = 0
    for _ in range(400):
        seeds = draw.normal(0, 0.01, 4)
        rows = [outcome(*(0.9 - behind + seeds + draw.normal(0, 0.01, 4))) for behind in (0, 0.03, 0.03, 0.03, 0.03)]
        called += "within" in against_best(rows)[1:]
    assert called <= 0.05 * 400
