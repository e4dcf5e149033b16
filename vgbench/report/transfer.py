"""Whether a learning rate carries over: what the best one at the smallest width or depth costs at the greatest."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, get_args

import numpy as np
from jaxtyping import Float

from vgbench.instruments.coordinate_check import Along
from vgbench.measure.training import TrainingCurves
from vgbench.records.runs import Entry, Run
from vgbench.report.along import SizeSweep, along
from vgbench.report.shared import grouped, said_once, shares


class Transfer(NamedTuple):
    """How well one mitigation's best learning rate at the smallest width (or depth) does at the greatest.

    Attributes:
        group: the cells of the mitigation (or baseline), which differ in their width or depth alone.
        smallest: the training at the smallest.
        greatest: the training at the greatest.
    """

    group: SizeSweep
    smallest: TrainingCurves
    greatest: TrainingCurves

    @property
    def loss(self) -> float:
        """What the best rate at the smallest loses at the greatest against the best one there, in the metric's unit."""
        scores = _scores(self.greatest)
        carried = scores[self.greatest.learning_rates.index(self.smallest.learning_rate)]
        return float(scores.max() - carried)

    @property
    def words(self) -> str:
        """The finding without the mitigation's name."""
        here, there = self.smallest.learning_rate, self.greatest.learning_rate
        first, last = _ends(self.group)
        carried = f"{_at(self.group)}: the best learning rate at {first} ({here:.2g})"
        if here == there:
            return f"{carried} is the best at {last}, too."
        unit = self.greatest.metric.name
        return f"{carried} loses {self.loss:.3f} of validation {unit} at {last}, where {there:.2g} is the best."


def _ends(group: SizeSweep) -> tuple[str, str]:
    """The smallest and the greatest size, in words."""
    return f"{group.along} {group.values[0]:,}", f"{group.along} {group.values[-1]:,}"


def _at(group: SizeSweep) -> str:
    return f", {group.at}" if group.at else ""


def sentences(found: Sequence[Transfer]) -> list[str]:
    """The findings in words, those that are the same in one sentence."""
    return said_once((each.group.mitigation, each.words) for each in found)


def answer(found: Sequence[Transfer]) -> list[str]:
    """A sentence for each place: what the best rate of the smallest size loses at the greatest, least first."""
    places = grouped(found, lambda each: each.group.where).values()
    return [_answer(sorted(group, key=lambda each: each.loss)) for group in places]


def _answer(found: Sequence[Transfer]) -> str:
    group, unit = found[0].group, found[0].greatest.metric.name
    first, last = _ends(group)
    losses = shares((each.group.mitigation, f"{each.loss:.3f}") for each in found)
    return f"Kept at {last}{_at(group)}, the best learning rate of {first} loses this much validation {unit}: {losses}."


def transfers(runs: Sequence[Run]) -> list[Transfer]:
    """A finding for each mitigation and what it is swept along, in runs of parametrizations; empty in others."""
    entries = [entry for run in runs for entry in run.entries]
    if not any(_parametrized(entry) for entry in entries):
        return []
    return [found for axis in get_args(Along) for run in runs for found in _along(run, axis)]


def _parametrized(entry: Entry) -> bool:
    return bool(entry.cell and entry.cell.case.parametrization.name != "standard")


def _along(run: Run, axis: Along) -> Iterator[Transfer]:
    for group in along(run, axis, lambda cell: cell.training is not None and cell.training.tuning_metric.size > 0):
        first, last = (cell.training for cell in (group.cells[0], group.cells[-1]))
        if first and last and first.learning_rate in last.learning_rates:
            yield Transfer(group, first, last)


def _scores(curves: TrainingCurves) -> Float[np.ndarray, "learning_rates"]:
    """Mean of the metric over the tuning seeds, the higher the better, for each learning rate."""
    return np.asarray(curves.metric.score(curves.tuning_metric.mean(axis=1)))
