"""Cost against benefit: trainable depth, time to the target and its price, and the Pareto front."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from helpers.command_line import vgbench
from helpers.made import in_bits, measured, snapshots, training, write_run

from vgbench.measure.training import TrainingCurves
from vgbench.report import load
from vgbench.report.benefit import Merits, on_front, reaches_target, steps_to_target, trainable_depth
from vgbench.spec.case import Case

CASE = Case(depth=3, width=4, seeds=(0, 1), learning_rates=(0.1,))


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


def test_price_of_reaching_the_target_is_seconds_times_the_price_of_an_hour(tmp_path: Path) -> None:
    write_run(tmp_path, [("baseline", measured(CASE, 0.95))])
    data = load(tmp_path, price=7.2)
    assert data["price_to_target"].tolist() == pytest.approx((data["seconds_to_target"] * 0.002).tolist())
    assert load(tmp_path)["price_to_target"].isna().all()
    plain = vgbench("report", tmp_path, "--format", "md", "--wide").out
    shown = vgbench("report", tmp_path, "--format", "md,latex,html", "--wide", "--price", "7.2").out
    assert "price ↓" not in plain
    for text in (shown, *((tmp_path / name).read_text() for name in ("table.md", "table.tex", "report.html"))):
        assert "price: 7.2 an hour of one device, for the training steps of the median seed" in text
    assert "| price ↓ |" in " ".join((tmp_path / "table.md").read_text().split())


def test_every_device_of_a_case_is_paid_for(tmp_path: Path) -> None:
    case = CASE.model_copy(update={"devices": 4})
    write_run(tmp_path, [("baseline", measured(case, 0.95))])
    data = load(tmp_path, price=3600.0)
    assert data["price_to_target"].tolist() == (4 * data["seconds_to_target"]).tolist()


@pytest.mark.parametrize("price", ["0", "-1", "nan", "inf"])
def test_price_that_is_none_is_refused(tmp_path: Path, price: str) -> None:
    write_run(tmp_path, [("baseline", measured(CASE, 0.95))])
    result = vgbench("report", tmp_path, "--price", price)
    assert (result.code, f"price: {price} is not a positive number" in result.err) == (2, True)
