"""Which pairs are timed in one round-robin, and which never."""

from dataclasses import replace

import pytest
from helpers.tiny_suite import TINY

from vgbench.harness.places import PAIRS_AT_MOST, pairs_of_place, round_robin
from vgbench.harness.plan import Task, tasks_of
from vgbench.spec.suite import Suite


def costs(suite: Suite) -> list[Task]:
    return [task for task in tasks_of(suite.cells()) if task.kind == "cost"]


def groups(tasks: list[Task]) -> list[list[str]]:
    """The labels of all round-robins, begun one after the other."""
    found, waiting = [], list(tasks)
    while waiting:
        group = round_robin(waiting[0], pairs_of_place(waiting[0], waiting, ())).together
        found.append([task.label for task in group])
        waiting = [task for task in waiting if task not in group]
    return found


def test_pairs_of_a_place_share_a_round_robin() -> None:
    assert groups(costs(TINY.select({"depth": [2, 3]}))) == [
        [f"{name}, depth {depth}" for name in ("baseline", "relu")] for depth in (2, 3)
    ]


def test_pairs_of_other_references_or_forms_never_do() -> None:
    mitigations = {
        "residual": {"on": "tall", "skip": "residual"},
        "scanned": {"block_execution": "scan"},
        "longer": {"on": "long", "activation": "relu"},
    }
    suite = TINY.model_copy(
        update={"baselines": {"tall": {"width": 5}, "long": {"steps": 8}}, "mitigations": mitigations}
    )
    assert groups(costs(suite)) == [
        ["baseline, depth 2"],
        ["tall, depth 2", "residual, depth 2"],
        ["long, depth 2", "longer, depth 2"],
        ["scanned, depth 2"],
    ]


@pytest.mark.parametrize(("pairs", "sizes"), [(8, [8]), (9, [5, 4]), (20, [7, 7, 6]), (1, [1])])
def test_many_pairs_are_dealt_out_equally(pairs: int, sizes: list[int]) -> None:
    named = {f"m{i}": {"width": 5 + i} for i in range(pairs - 1)}
    found = groups(costs(TINY.model_copy(update={"mitigations": named})))
    assert [len(each) for each in found] == sizes
    assert max(sizes) <= PAIRS_AT_MOST


def test_pair_whose_worker_was_lost_is_timed_alone_and_not_beside_others() -> None:
    first, second = costs(TINY)
    third = replace(second, label="third", case=second.case.model_copy(update={"width": 9}))
    waiting = [first, second, third]
    assert pairs_of_place(first, waiting, {first.id}) == [first]
    assert pairs_of_place(second, waiting, {first.id}) == [second, third]
