"""The time left: from finished tasks of the same kind, nearest in size."""

from typing import Any

import pytest

from vgbench.case import Case
from vgbench.harness.estimate import Estimate
from vgbench.harness.worker import Task


def task(kind: Any, **fields: Any) -> Task:
    case = Case(**{"steps": 0, "rates": (), "tuning_seeds": (), **fields})
    return Task(kind, f"{kind} {fields}", case, Case())


def training(**fields: Any) -> Task:
    return task("cell", **{"steps": 10, "rates": (0.1,), "seeds": (0,), **fields})


def test_nothing_is_known_before_the_first_task_has_ended() -> None:
    assert Estimate([task("cell")]).seconds_left() is None
    assert Estimate([]).seconds_left() is None


def test_nothing_is_left_after_the_last_task() -> None:
    only = task("cell")
    estimate = Estimate([only])
    estimate.ended(only, 7.0)
    assert estimate.seconds_left() == 0


def test_like_task_takes_as_long_as_its_likes_on_average() -> None:
    first, second, third = (task("cost", depth=4, width=width) for width in (1, 2, 3))
    estimate = Estimate([first, second, third])
    estimate.ended(first, 2.0)
    assert estimate.seconds_left() == pytest.approx(4.0)
    estimate.ended(second, 4.0)
    assert estimate.seconds_left() == pytest.approx(3.0)


def test_deeper_task_takes_longer_by_the_root_of_its_size() -> None:
    shallow, deep = task("cost", depth=4), task("cost", depth=64)
    estimate = Estimate([shallow, deep])
    estimate.ended(shallow, 1.5)
    assert estimate.seconds_left() == pytest.approx(1.5 * 4)


def test_prediction_comes_from_the_nearest_size() -> None:
    tiny, near, asked = (task("cost", depth=depth) for depth in (1, 90, 100))
    estimate = Estimate([tiny, near, asked])
    estimate.ended(tiny, 50.0)
    estimate.ended(near, 9.0)
    assert estimate.seconds_left() == pytest.approx(9.0 * (100 / 90) ** 0.5)


def test_kinds_are_predicted_apart() -> None:
    cell, cost, other_cell, other_cost = task("cell"), task("cost"), task("cell", width=1), task("cost", width=1)
    estimate = Estimate([cell, cost, other_cell, other_cost])
    estimate.ended(cell, 10.0)
    estimate.ended(cost, 1.0)
    assert estimate.seconds_left() == pytest.approx(11.0)
    estimate.ended(other_cell, 10.0)
    assert estimate.seconds_left() == pytest.approx(1.0)


def test_training_is_a_kind_of_its_own_that_grows_with_steps_and_runs() -> None:
    plain, short, long = task("cell"), training(), training(steps=20, rates=(0.1, 0.2), tuning_seeds=(7,), seeds=(0, 1))
    estimate = Estimate([plain, short, long])
    estimate.ended(plain, 1000.0)
    estimate.ended(short, 3.0)
    assert estimate.seconds_left() == pytest.approx(3.0 * (2 * 4) ** 0.5)


def test_kind_that_is_not_known_yet_is_given_the_shortest_known() -> None:
    slow, fast, unknown = training(), task("cell"), task("cost", depth=999)
    estimate = Estimate([slow, fast, unknown])
    estimate.ended(slow, 30.0)
    estimate.ended(fast, 2.0)
    assert estimate.seconds_left() == pytest.approx(2.0)


def test_every_further_task_that_ends_lowers_a_steady_estimate() -> None:
    tasks = [task("cost", width=width) for width in range(1, 6)]
    estimate, left = Estimate(tasks), []
    for each in tasks:
        estimate.ended(each, 2.0)
        left.append(estimate.seconds_left())
    assert left == [8.0, 6.0, 4.0, 2.0, 0]
