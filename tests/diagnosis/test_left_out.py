"""Thresholds that are chosen with a family of faults left out."""

import sys
from pathlib import Path

import numpy as np
from helpers.evidence import STUCK, evidence

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "diagnosis"))
import left_out
from faults import FAULTS

from vgbench.diagnosis import thresholds


def test_a_threshold_that_fits_one_family_alone_has_another_value_without_it() -> None:
    # The published value is right of the first two pairs, and the larger one of the last two.
    found = {"SLOW": {3e-4: [1, 1, 0, 0], 6e-4: [0, 0, 1, 1]}, "QUICK": {0.1: [1, 1, 1, 1], 0.2: [1, 1, 1, 1]}}
    assert left_out.chosen_without(found, [False] * 4) == {}
    assert left_out.chosen_without(found, [True, False, False, False]) == {"SLOW": 6e-4}
    assert left_out.chosen_without(found, [False, False, True, True]) == {}


def test_other_thresholds_hold_for_a_while() -> None:
    before = thresholds.SLOW
    with left_out.changed({"SLOW": 1.0}):
        assert thresholds.SLOW == 1.0
    assert before == thresholds.SLOW


def test_a_family_is_answered_with_what_was_chosen_without_it() -> None:
    """Of one pair whose units are dead: the share of dead units from which they count as such is doubled."""
    born = next(each for each in FAULTS if each.cause[0] == "dead units")
    runs = [{way: evidence(**STUCK, dead=np.full((9, 10), 0.85)) for way in left_out.WAYS}, {}]
    runs[1] = {way: evidence() for way in left_out.WAYS}
    pair = left_out.Pair(born, [1.0, 0.1], runs)
    assert pair.answer().named("full")
    answers, moved = left_out.left_out([pair], {"DEAD": {0.8: [0], 1.6: [0]}}, lambda fault: fault.family)
    assert (moved, answers[0].named("full")) == ({born.family: []}, True)
    with left_out.changed({"DEAD": 1.6}):
        assert not pair.answer().named("full")
    assert left_out.worth(pair.answer()) == 2
