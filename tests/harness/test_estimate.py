"""The time left: a prior scaled by the tasks that have ended, by their kind and slots; and how a run stands."""

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.small_runs import ORIGIN

from vgbench.harness.estimate import Estimate, prior
from vgbench.harness.plan import Task, tasks_of
from vgbench.harness.progress import Progress, Tally, in_words
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


def test_like_tasks_come_to_be_expected_to_take_as_long_as_those_before() -> None:
    tasks = [task("cost", depth=4, width=width) for width in range(1, 32)]
    for seconds in (0.3, 30.0):
        estimate = Estimate(tasks)
        for each in tasks[:-1]:
            estimate.ended(each, seconds)
        assert estimate.seconds_left() == pytest.approx(seconds, rel=0.25)


def test_slow_machine_is_slow_in_what_it_has_not_done_yet() -> None:
    left = []
    for seconds in (3.0, 30.0):
        cells, cost = [training(width=width) for width in range(1, 9)], task("cost")
        estimate = Estimate([*cells, cost])
        for each in cells:
            estimate.ended(each, seconds)
        left.append(estimate.seconds_left())
    fast, slow = left
    assert fast is not None
    assert slow is not None
    assert 3 < slow / fast < 10


def test_slow_mitigation_at_one_depth_is_expected_to_be_slow_at_another() -> None:
    names = ("none", "layer", "batch")
    shallow, deep = ([task("cost", norm=name, depth=depth) for name in names] for depth in (8, 9))
    estimate = Estimate([*shallow, *deep])
    for each, seconds in zip(shallow, (1.0, 1.0, 10.0), strict=True):
        estimate.ended(each, seconds)
    together = estimate.seconds_left()
    estimate.ended(deep[2], 10.0)
    apart = estimate.seconds_left()
    assert together is not None
    assert apart is not None
    assert together - apart > 3 * apart / 2


def test_prior_grows_with_steps_runs_and_depth() -> None:
    assert prior(training(steps=1000), compiles=True) > prior(training(steps=10), compiles=True)
    assert prior(training(depth=300), compiles=True) > prior(training(depth=3), compiles=True)
    more = training(learning_rates=(0.1, 0.2), tuning_seeds=(7,), steps=1000)
    assert prior(more, compiles=True) > prior(training(steps=1000), compiles=True)


def test_cell_whose_programs_are_compiled_already_is_expected_to_be_quick() -> None:
    first, other, same = training(), training(activation="tanh"), training(init="orthogonal")
    beside = Estimate([first, other]), Estimate([first, same])
    for estimate in beside:
        estimate.ended(first, 5.0)
    compiles, shares = (estimate.seconds_left() for estimate in beside)
    assert compiles is not None
    assert shares is not None
    assert shares < compiles / 2


def test_workers_measure_side_by_side_but_time_one_after_another() -> None:
    cells, costs = ([task(kind, width=width) for width in (1, 2, 3)] for kind in ("cell", "cost"))
    estimate = Estimate([*cells, *costs])
    estimate.ended(cells[0], 2.0)
    one, two, apart = (estimate.seconds_left(workers, timers) for workers, timers in ((1, 1), (2, 1), (2, 2)))
    assert one is not None
    assert two is not None
    assert apart == pytest.approx(one / 2)
    assert apart < two < one


@pytest.mark.parametrize("suite", ["mitigations", "quickstart"])
def test_time_left_is_within_20_percent_after_the_first_fifth_and_stays_within_40(suite: str) -> None:
    """Durations on two cores of an AMD EPYC, as the published records had them when the estimate was made."""
    seconds = json.loads((Path(__file__).parent / "durations.json").read_text())[suite]
    tasks = [task for task in tasks_of(read_suite(suite).cells()) if f"{task.kind} {task.label}" in seconds]
    assert len(tasks) >= 0.9 * len(seconds)
    took = [seconds[f"{task.kind} {task.label}"] for task in tasks]
    estimate, within = Estimate(tasks), 0.2
    for place, (each, duration) in enumerate(zip(tasks, took, strict=True)):
        estimate.ended(each, duration)
        left = sum(took[place + 1 :])
        if sum(took) / 8 <= left <= sum(took) * 4 / 5:
            assert estimate.seconds_left() == pytest.approx(left, rel=within)
            within = 0.4


def test_progress_counts_results_and_failures_apart() -> None:
    def record(status: Any, seconds: float = 1.0) -> CostRecord:
        return CostRecord(Case(), Case(), status, "", None, ORIGIN, "", seconds, 1)

    tasks = [task("cost", width=width) for width in (1, 2)]
    tally = Tally([record("ok"), record("diverged"), record("timeout")], tasks)
    assert tally.progress == Progress(done=2, failed=1, left=2, seconds_left=None)
    tally.ended(tasks[0], record("crashed", 40.0), 0)
    assert str(tally.progress) == "2 of 5 done, 2 failed, about 11 s left"
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
