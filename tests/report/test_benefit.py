"""Cost against benefit: trainable depth, time to the target and the Pareto front."""

import dataclasses

import numpy as np
import pytest
from helpers.made import in_bits, snapshots, training

from vgbench.measure.training import TrainingCurves
from vgbench.report.benefit import Merits, on_front, reaches_target, steps_to_target, trainable_depth


@pytest.mark.parametrize(
    ("trains", "depth"),
    [
        ({4: True, 8: True, 16: False}, 8),
        ({16: True, 4: True, 8: True}, 16),
        ({4: True, 8: False, 16: True}, 4),
        ({4: False, 8: True}, 0),
        ({}, 0),
    ],
)
def test_trainable_depth_goes_as_far_as_every_depth_trains(trains: dict[int, bool], depth: int) -> None:
    assert trainable_depth(trains) == depth


@pytest.mark.parametrize(("accuracies", "reaches"), [((0.1, 0.9, 0.95), True), ((0.1, 0.8, 0.95), False)])
def test_the_median_seed_decides(accuracies: tuple[float, ...], reaches: bool) -> None:
    assert reaches_target(training(*accuracies)) is reaches


@pytest.mark.parametrize(("bits", "reaches"), [((2.0, 2.9, 9.0), True), ((2.0, 3.1, 9.0), False)])
def test_the_median_seed_decides_where_lower_is_better(bits: tuple[float, ...], reaches: bool) -> None:
    assert reaches_target(in_bits(training(*bits), target=3.0)) is reaches


def at_snapshots(validation: np.ndarray) -> TrainingCurves:
    """Curves of three seeds with these validation accuracies at steps 0, 25 and 50."""
    return dataclasses.replace(
        training(0.9, 0.9, 0.9),
        step=np.asarray([0, 25, 50]),
        validation_metric=validation,
        snapshots=snapshots(3, 3, 2),
    )


def test_steps_to_target_are_the_median_seeds_first() -> None:
    validation = np.asarray([[0.0, 0.95, 0.5], [0.0, 0.0, 0.95], [0.0, 0.0, 0.0]])
    assert steps_to_target(at_snapshots(validation)) == 50
    assert steps_to_target(at_snapshots(np.zeros((3, 3)))) == np.inf
    assert steps_to_target(in_bits(at_snapshots(5 - validation), target=4.5)) == 50


def merits(step: float, seconds: float, decay: float = 0.0) -> Merits:
    return Merits(step_ratio=step, memory_ratio=1.0, decay=decay, depth=-8, seconds=seconds)


def test_front_holds_what_nothing_beats_in_everything() -> None:
    rows = [merits(1.0, 5.0), merits(2.0, 3.0), merits(2.0, 4.0), merits(3.0, 3.0), merits(1.0, 5.0)]
    assert on_front([("a", row) for row in rows]) == [True, True, False, False, True]


def test_front_is_that_of_a_group_and_leaves_out_what_is_not_timed() -> None:
    rows = [("a", merits(1.0, 1.0)), ("b", merits(2.0, 2.0)), None]
    assert on_front(rows) == [True, True, None]


def test_what_is_not_known_counts_as_worst() -> None:
    rows = [("a", merits(1.0, float("nan"))), ("a", merits(1.0, 2.0)), ("a", merits(0.5, float("nan")))]
    assert on_front(rows) == [False, True, True]
