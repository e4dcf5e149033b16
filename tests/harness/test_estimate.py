"""The time left: from finished tasks of the same kind, by their size and slots; and how a run stands."""

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.small_runs import ORIGIN

from vgbench.harness.plan import Task, tasks_of
from vgbench.harness.progress import GROWTH, Estimate, Progress, Tally, in_words
from vgbench.records.schema import CostRecord
from vgbench.spec.case import Case
from vgbench.spec.suite import read_suite


def task(kind: Any, **fields: Any) -> Task:
    case = Case(**{"steps": 0, "learning_rates": (), "tuning_seeds": (), **fields})
    return Task(kind, f"{kind} {fields}", case, Case())


def training(**fields: Any) -> Task:
    return task("cell", **{"steps": 10, "learning_rates": (0.1,), "seeds": (0,), **fields})


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


def test_deeper_task_takes_longer_by_a_power_of_its_size() -> None:
    shallow, deep = task("cost", depth=4), task("cost", depth=64)
    estimate = Estimate([shallow, deep])
    estimate.ended(shallow, 1.5)
    assert estimate.seconds_left() == pytest.approx(1.5 * 16**GROWTH)


def test_growth_is_learned_where_it_is_seen() -> None:
    tasks = [task("cost", depth=depth) for depth in (1, 10, 100, 1000, 10_000)]
    estimate, left = Estimate(tasks), []
    for each in tasks[:4]:
        estimate.ended(each, float(each.case.depth))
        left.append(estimate.seconds_left())
    assert left[-1] == pytest.approx(10_000, rel=0.2)


def test_slow_mitigation_at_one_depth_is_expected_to_be_slow_at_another() -> None:
    names = ("none", "layer", "batch")
    shallow, deep = ([task("cost", norm=name, depth=depth) for name in names] for depth in (8, 9))
    estimate = Estimate([*shallow, *deep])
    for each, seconds in zip(shallow, (1.0, 1.0, 10.0), strict=True):
        estimate.ended(each, seconds)
    estimate.ended(deep[0], 1.0)
    together = estimate.seconds_left()
    assert together is not None
    estimate.ended(deep[1], 1.0)
    alone = estimate.seconds_left()
    assert alone is not None
    assert 5 < alone < 15 < 5 * (together - alone) + 15


def test_kinds_are_predicted_apart() -> None:
    cell, cost, other_cell, other_cost = task("cell"), task("cost"), task("cell", width=1), task("cost", width=1)
    estimate = Estimate([cell, cost, other_cell, other_cost])
    estimate.ended(cell, 10.0)
    estimate.ended(cost, 1.0)
    assert estimate.seconds_left() == pytest.approx(11.0)
    estimate.ended(other_cell, 10.0)
    assert estimate.seconds_left() == pytest.approx(1.0)


def test_training_is_a_kind_of_its_own_that_grows_with_steps_and_runs() -> None:
    plain, short, long = (
        task("cell"),
        training(),
        training(steps=20, learning_rates=(0.1, 0.2), tuning_seeds=(7,), seeds=(0, 1)),
    )
    estimate = Estimate([plain, short, long])
    estimate.ended(plain, 1000.0)
    estimate.ended(short, 3.0)
    assert estimate.seconds_left() == pytest.approx(3.0 * (2 * 4) ** GROWTH)


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
    assert left == pytest.approx([8.0, 6.0, 4.0, 2.0, 0])


def test_time_left_of_the_flagship_suite_is_within_30_percent_after_its_first_fifth() -> None:
    """Durations of `vgbench run mitigations` on two cores of an Intel Xeon, as its records had them."""
    seconds = json.loads((Path(__file__).parent / "mitigations_seconds.json").read_text())
    tasks = [task for task in tasks_of(read_suite("mitigations").cells()) if f"{task.kind} {task.label}" in seconds]
    assert len(tasks) >= 60
    took = [seconds[f"{task.kind} {task.label}"] for task in tasks]
    estimate = Estimate(tasks)
    for i, (each, duration) in enumerate(zip(tasks, took, strict=True)):
        estimate.ended(each, duration)
        left = sum(took[i + 1 :])
        if sum(took) * 0.2 < sum(took) - left < sum(took) * 0.95:
            assert estimate.seconds_left() == pytest.approx(left, rel=0.3), each.label


def test_progress_counts_results_and_failures_apart() -> None:
    def record(status: Any, seconds: float = 1.0) -> CostRecord:
        return CostRecord(Case(), Case(), status, "", None, ORIGIN, "", seconds, 1)

    tasks = [task("cost", width=width) for width in (1, 2)]
    tally = Tally([record("ok"), record("diverged"), record("timeout")], tasks)
    assert tally.progress == Progress(done=2, failed=1, left=2, seconds_left=None)
    tally.ended(tasks[0], record("crashed", 40.0), 0)
    assert str(tally.progress) == "2 of 5 done, 2 failed, about 40 s left"
    tally.ended(tasks[1], record("ok"), 0)
    assert str(tally.progress) == "3 of 5 done, 2 failed"


def test_progress_counts_the_programs_that_were_compiled_for_the_cells() -> None:
    record = CostRecord(Case(), Case(), "ok", "", None, ORIGIN, "", 1.0, 1)
    tasks = [task(kind, width=width) for width in (1, 2) for kind in ("cell", "cost")]
    tally = Tally([], tasks)
    for each, programs in zip(tasks, (3, 0, 1, 0), strict=True):
        tally.ended(each, record, programs)
    assert (tally.progress.cells, tally.progress.programs) == (2, 4)


TIMES = {0.0: "about 0 s", 59.4: "about 59 s", 59.6: "about 1 min", 3500.0: "about 58 min", 3590.0: "about 1 h 00 min"}


@pytest.mark.parametrize(("seconds", "words"), TIMES.items())
def test_time_is_reported_as_people_say_it(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
