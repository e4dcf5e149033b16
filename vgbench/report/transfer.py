"""Whether a learning rate carries over: what the best one at the smallest width or depth costs at the greatest."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, get_args

import numpy as np
from jaxtyping import Float

from vgbench.instruments.coordinate_check import Along
from vgbench.measure.training import TrainingCurves
from vgbench.records.runs import Entry, Run
from vgbench.report.along import along


class Transfer(NamedTuple):
    """How well one mitigation's best learning rate at the smallest width (or depth) does at the greatest.

    Attributes:
        mitigation: or baseline.
        where: what is swept and where, in words.
        smallest: the training there.
        greatest: the training there.
    """

    mitigation: str
    where: str
    smallest: TrainingCurves
    greatest: TrainingCurves

    @property
    def loss(self) -> float:
        """What the best rate at the smallest loses at the greatest against the best one there, in the metric's unit."""
        scores = _scores(self.greatest)
        carried = scores[self.greatest.learning_rates.index(self.smallest.learning_rate)]
        return float(scores.max() - carried)

    def __str__(self) -> str:
        here, there = self.smallest.learning_rate, self.greatest.learning_rate
        unit = self.greatest.metric.name
        return (
            f"{self.mitigation}, {self.where}: the best learning rate at the smallest ({here:.2g}) loses"
            f" {self.loss:.3f} of validation {unit} at the greatest, where {there:.2g} is the best."
        )


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
            yield Transfer(group.mitigation, group.where, first, last)


def _scores(curves: TrainingCurves) -> Float[np.ndarray, "learning_rates"]:
    """Mean of the metric over the tuning seeds, the higher the better, for each learning rate."""
    return np.asarray(curves.metric.score(curves.tuning_metric.mean(axis=1)))
