"""What the values of a row's columns are taken from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from vgbench.measure.cost import Cost
from vgbench.measure.forward import ForwardProfile
from vgbench.measure.gradients import GradientProfile
from vgbench.measure.training import TrainingCurves
from vgbench.records.runs import Entry, Run
from vgbench.records.schema import CellRecord, Row
from vgbench.report.best import Rank
from vgbench.report.predicted import prediction
from vgbench.theory import Departure, Prediction, compare

_Part = TypeVar("_Part")


@dataclass(frozen=True)
class Source:
    """A row of a run with its records, and what only the other rows can say of it.

    Attributes:
        run: that it belongs to.
        entry: the row and its records.
        reference: the row that it is compared with; None where the run has no such row.
        origins: what produced the records of all runs of the frame, in the order of their numbers.
        rank: how its accuracy compares with the best; None where there is no test.
        trainable_depth: of its mitigation at its other swept values; None where nothing of that is trained.
        on_front: whether it is on the Pareto front; None where it is not timed.
        price: of an hour of one device; None where it was not given.
    """

    run: Run
    entry: Entry
    reference: Row | None
    origins: Sequence[str]
    rank: Rank | None
    trainable_depth: int | None
    on_front: bool | None
    price: float | None = None

    @property
    def cell(self) -> CellRecord | None:
        """The record of its cell."""
        return self.entry.cell

    @property
    def gradients(self) -> GradientProfile | None:
        """Its gradient at initialisation."""
        return self.cell and self.cell.gradients

    @property
    def forward(self) -> ForwardProfile | None:
        """Its forward signal at initialisation."""
        return self.cell and self.cell.forward

    @property
    def training(self) -> TrainingCurves | None:
        """Its training curves."""
        return self.cell and self.cell.training

    @property
    def cost(self) -> Cost | None:
        """What its step costs."""
        return self.entry.cost and self.entry.cost.cost

    @cached_property
    def theory(self) -> tuple[Prediction, Departure] | None:
        """What theory predicts for its decay, and how the measured one compares with that."""
        found = prediction(self.cell) if self.cell else None
        if found is None or self.gradients is None:
            return None
        return found, compare(found, self.gradients.decay_per_seed, self.gradients.epsilon)

    @cached_property
    def kind(self) -> tuple[str, float] | None:
        """The kind of weights whose gradient differs most between the first block and the last, and by how much."""
        changes = self.gradients.log10_kind_first_over_last.items() if self.gradients else ()
        known = [(kind, change.value) for kind, change in changes if np.isfinite(change.value)]
        return max(known, key=lambda each: abs(each[1]), default=None)


Value = Callable[[Source], Any]
"""A column's value of a row; None where it is not known."""


def _of(part: Callable[[Source], _Part | None], read: Callable[[_Part], Any]) -> Value:
    def value(source: Source) -> Any:
        found = part(source)
        return None if found is None else read(found)

    return value


def of_cell(read: Callable[[CellRecord], Any]) -> Value:
    """What `read` finds in the record of the row's cell."""
    return _of(lambda source: source.cell, read)


def of_gradients(read: Callable[[GradientProfile], Any]) -> Value:
    """What `read` finds in the gradient at initialisation."""
    return _of(lambda source: source.gradients, read)


def of_forward(read: Callable[[ForwardProfile], Any]) -> Value:
    """What `read` finds in the forward signal at initialisation."""
    return _of(lambda source: source.forward, read)


def of_training(read: Callable[[TrainingCurves], Any]) -> Value:
    """What `read` finds in the training curves."""
    return _of(lambda source: source.training, read)


def of_cost(read: Callable[[Cost], Any]) -> Value:
    """What `read` finds in the cost of a step."""
    return _of(lambda source: source.cost, read)


def of_theory(read: Callable[[tuple[Prediction, Departure]], Any]) -> Value:
    """What `read` finds in the prediction and its comparison with the measured decay."""
    return _of(lambda source: source.theory, read)
