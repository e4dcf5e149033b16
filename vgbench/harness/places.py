"""Which pairs are timed in one round-robin: those of one place, which share their reference and the form of blocks."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from math import ceil

from vgbench.harness.plan import Task

PAIRS_AT_MOST = 8
"""Pairs in one round-robin. The more there are, the fewer samples of the reference are needed, but the further is it
from each case in time: under noise that lasts for some samples, groups of 4 to 8 need the least time altogether."""


def pairs_of_place(task: Task, waiting: Sequence[Task], begun: Collection[str]) -> list[Task]:
    """The pairs that wait at the place of a pair, itself among them.

    Args:
        task: a pair.
        waiting: all tasks that have not begun.
        begun: ids of those that began before, and took their worker with them: each of them is timed alone.
    """
    if task.id in begun:
        return [task]
    return [each for each in waiting if each.kind == "cost" and _place(each) == _place(task) and each.id not in begun]


def round_robin(task: Task, pairs: Sequence[Task]) -> Task:
    """The first of a place's pairs with as many as go into its round-robin; the groups of a place are equally large."""
    size = ceil(len(pairs) / ceil(len(pairs) / PAIRS_AT_MOST))
    return replace(task, beside=tuple(pairs[1:size]))


def _place(task: Task) -> tuple[str, str]:
    return task.reference.cell_id, task.case.timed_form
