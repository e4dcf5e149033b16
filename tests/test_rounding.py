"""The comparison of texts with figures: it overlooks the last digit, and nothing else."""

import pytest
from helpers.rounding import differences

ALIKE = [
    ("decay -0.1234 ± 0.0010", "decay -0.1235 ± 0.0009"),
    ("+0.0000", "-0.0001"),
    ("| 0.930 |\n| 9.99 |", "| 0.931 |\n| 10.0 |"),
    ("0.1,x", "0.09999999,x"),
    ("1,x", "1.000001,x"),
    ("+5.63e-07 [-6.12e-08, +1.2e-06]", "+5.64e-07 [-6.12e-08, +1.2e-06]"),
    ("1,234.5 of 7", "1,234.6 of 7"),
    ("same", "same"),
]
APART = [
    ("decay -0.1234", "decay -0.1236"),
    ("+0.0001", "-0.0001"),
    ("+5.63e-17", "-4.49e-17"),
    ("+5.63e-17", "+0"),
    ("0.1", "0.2000001"),
    ("at depth 8", "at depth 9"),
    ("12,345", "12,346"),
    ("cell 6d6543b7428568d3", "cell 6d6543b7428568d4"),
    ("jax 0.10.1", "jax 0.10.2"),
    ("2026-11-24", "2026-11-25"),
    ("| 0.930 |", "| **0.930** |"),
    ("| 0.930 |", "| -     |"),
    ("0.930", "0.930 departs"),
    ("a\nb", "a"),
    ("a  b", "a b"),
    ("inf", "1.0"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE, ids=str)
def test_figures_that_differ_by_their_last_digit_are_alike(one: str, other: str) -> None:
    assert differences(one, other) == differences(other, one) == []


@pytest.mark.parametrize(("one", "other"), APART, ids=str)
def test_everything_else_is_a_difference(one: str, other: str) -> None:
    assert len(differences(one, other)) == len(differences(other, one)) == 1


def test_a_difference_is_shown_with_its_line() -> None:
    assert differences("a\nb 1\nc", "a\nb 2\nc") == ["2: b 1 | b 2"]
