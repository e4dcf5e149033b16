"""Which rows are among the best: the t-test in closed form, Holm's correction by hand, and the groups of a table."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgbench.report.best import Outcome, among_best
from vgbench.statistics import holm, p_lower

chances = st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.0125, 0.025, 0.05]), max_size=8)


def outcome(*accuracy: float, group: object = "depth 4", seeds: tuple[int, ...] | None = None) -> Outcome:
    return Outcome(group, seeds or tuple(range(len(accuracy))), np.asarray(accuracy))


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ((-0.1, -0.2, -0.3), 0.5 - math.sqrt(3 / 14)),  # t = -2 sqrt 3; with 2 degrees 1/2 + t / 2 sqrt(2 + t^2)
        ((0.1, 0.2, 0.3), 0.5 + math.sqrt(3 / 14)),
        ((-0.25, 0.0), 0.25),  # t = -1; with 1 degree 1/2 + atan(t) / pi
        ((-0.25, 0.25), 0.5),
        ((-0.25, -0.25), 0.0),
        ((0.0, 0.0, 0.0), 1.0),
    ],
)
def test_p_is_that_of_the_paired_t_test(differences: tuple[float, ...], p: float) -> None:
    reference = np.asarray([0.5, 0.75, 0.625])[: len(differences)]
    assert p_lower(reference + differences, reference) == pytest.approx(p, abs=1e-12)


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


def test_row_that_is_clearly_worse_is_not_among_the_best() -> None:
    assert among_best([outcome(0.1, 0.11, 0.1), outcome(0.9, 0.91, 0.92), outcome(0.9, 0.92, 0.9)]) == [
        False,
        True,
        True,
    ]


def test_equal_rows_are_all_among_the_best() -> None:
    assert among_best([outcome(0.5, 0.7)] * 3) == [True] * 3


def test_pairing_by_seed_tells_a_small_but_steady_difference() -> None:
    best, steady = outcome(0.50, 0.70, 0.90), outcome(0.49, 0.689, 0.891)
    assert among_best([best, steady]) == [True, False]
    shuffled = outcome(0.891, 0.49, 0.689)
    assert among_best([best, shuffled]) == [True, True]


def test_correction_counts_the_comparisons_of_all_groups() -> None:
    best = outcome(0.5, 0.5, 0.5)
    worse = outcome(0.4, 0.3, 0.2)  # p = 0.037, as above
    equal = outcome(0.5, 0.5, 0.5, group="depth 8")
    assert among_best([best, worse]) == [True, False]
    assert among_best([best, worse, equal]) == [True, False, True]  # a group of one has no comparison
    assert among_best([best, worse, equal, equal]) == [True, True, True, True]  # 0.037 is above 0.05 / 2


def test_every_group_has_a_best_of_its_own() -> None:
    low = [outcome(0.1, 0.1, group="depth 8"), outcome(0.05, 0.07, group="depth 8")]
    assert among_best([outcome(0.9, 0.9), *low]) == [True, True, True]
    assert among_best([outcome(0.9, 0.9), outcome(0.1, 0.1)]) == [True, False]


def test_row_without_training_or_a_second_seed_or_the_seeds_of_the_best_has_no_verdict() -> None:
    best = outcome(0.9, 0.91)
    assert among_best([None, best, outcome(1.0), outcome(0.1, 0.1, seeds=(0, 2))]) == [None, True, None, None]
    assert among_best([None, outcome(1.0)]) == [None, None]
    assert among_best([]) == []
