"""Probabilities that a loss takes for scores, and losses of scores that look like them."""

from typing import Any

import numpy as np
import pytest
from helpers.evidence import BLIND, LAYERS, RECORDS, evidence, names, over_records, rows

import vgbench as vg

LOST, KEPT = over_records(-1.0, -4.0), rows(-1.0, -1.2, layers=LAYERS)


@pytest.mark.parametrize(("classes", "floor"), [(10, 1.4612), (2, 0.3133)])
def test_a_softmax_applied_twice_is_recognised_by_the_least_loss_it_allows(classes: int, floor: float) -> None:
    chance = float(np.log(classes))
    levels = np.r_[chance, (chance + floor) / 2, np.full(7, floor * 1.01)]
    right = np.r_[0.1, 0.5, np.full(7, 0.95)]
    answer = vg.diagnose(evidence(loss=levels, chance=chance, accuracy=right, chance_accuracy=1 / classes))
    assert (answer.verdict, answer[0].confidence) == ("softmax applied twice", "likely")
    below = np.r_[levels[:8], floor * 0.9]
    assert "softmax applied twice" not in names(vg.diagnose(evidence(loss=below, chance=chance, accuracy=right)))


def test_labels_with_noise_are_no_softmax_that_is_applied_twice() -> None:
    answers = {"accuracy": np.linspace(0.1, 0.9, RECORDS)}
    loss = np.r_[2.30, np.linspace(1.8, 1.52, RECORDS - 1)]
    assert vg.verdict(evidence(loss=loss, **answers)) == "softmax applied twice"
    assert vg.verdict(evidence(loss=np.r_[2.45, loss[1:]], **answers)) == "nothing found"  # as logits begin
    peak = np.where(np.arange(RECORDS) == 1, 2.6, 2.2)  # above what probabilities can give
    assert vg.verdict(evidence(loss=loss, peak=peak, **answers)) == "nothing found"
    falls = np.linspace(2.3, 1.5, RECORDS)  # scores that are not sure yet
    assert vg.verdict(evidence(loss=falls, **answers)) == "nothing found"


def resting(start: float, end: float, classes: int, **more: Any) -> dict[str, Any]:
    """A run that comes to rest, whose batches differ in their losses by a tenth; no accuracy was recorded."""
    loss = np.r_[start, (start + end) / 2, np.full(RECORDS - 2, end)]
    run = {"loss": loss, "peak": np.r_[start, 1.1 * loss[1:]], "chance": float(np.log(classes)), "accuracy": None}
    return BLIND | run | more


def test_batches_that_differ_in_their_losses_and_hardly_in_their_gradients_tell_of_outputs_without_a_slope() -> None:
    words = resting(np.log(16), 2.07, 15)  # of sixteen words, one is never an answer
    assert vg.verdict(evidence(**words, gradient=LOST)) == "softmax applied twice"
    assert "softmax applied twice" not in names(vg.diagnose(evidence(**words, gradient=KEPT + 1)))  # words that vary
    whole = words | {"peak": words["loss"]}  # a batch that is always the same, whose gradient is gone at any minimum
    assert "softmax applied twice" not in names(vg.diagnose(evidence(**whole, gradient=LOST)))


def test_a_loss_that_rests_at_the_least_value_began_anywhere() -> None:
    sharp = resting(2.74, 2.12, 20)
    assert vg.verdict(evidence(**sharp, gradient=KEPT)) == "softmax applied twice"
    assert "softmax applied twice" not in names(vg.diagnose(evidence(**resting(2.74, 2.35, 20), gradient=KEPT)))
    assert "softmax applied twice" not in names(vg.diagnose(evidence(**resting(3.2, 2.12, 20), gradient=KEPT)))


def test_a_sigmoid_before_that_of_a_loss_is_recognised_in_the_same_way() -> None:
    likes = resting(0.70, 0.511, 2)
    assert vg.verdict(evidence(**likes, gradient=LOST)) == "softmax applied twice"
    assert "softmax applied twice" not in names(vg.diagnose(evidence(**likes, gradient=KEPT)))  # noisy labels
    stuck = resting(0.70, 0.69, 2)
    assert "softmax applied twice" not in names(vg.diagnose(evidence(**stuck, gradient=LOST)))


def test_answers_that_are_right_as_often_as_the_loss_allows_are_those_of_scores() -> None:
    two = resting(0.693, 0.37, 2, gradient=KEPT, chance_accuracy=0.5)
    assert "softmax applied twice" not in names(vg.diagnose(evidence(**two | {"accuracy": np.full(RECORDS, 0.85)})))
    assert vg.verdict(evidence(**two | {"accuracy": np.full(RECORDS, 0.97)})) == "softmax applied twice"


def test_a_loss_that_takes_off_a_part_alone_and_has_less_slope_than_scores_is_one_of_probabilities() -> None:
    part = resting(2.30, 1.76, 10, gradient=KEPT)
    assert vg.verdict(evidence(**part)) == "softmax applied twice"
    assert "softmax applied twice" not in names(vg.diagnose(evidence(**part | {"gradient": KEPT + 1})))  # noisy labels
    assert "softmax applied twice" not in names(vg.diagnose(evidence(**resting(2.5, 1.76, 10), gradient=KEPT)))
    few = resting(1.10, 0.72, 3, gradient=KEPT)  # of few classes with noise as much is left
    assert "softmax applied twice" not in names(vg.diagnose(evidence(**few)))
    assert "softmax applied twice" not in names(vg.diagnose(evidence(**part | {"accuracy": np.full(RECORDS, 0.3)})))


def test_what_begins_far_above_equal_probabilities_is_no_loss_of_probabilities() -> None:
    assert "softmax applied twice" not in names(vg.diagnose(evidence(**resting(1.64, 0.763, 4), gradient=KEPT)))
