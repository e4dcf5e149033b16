"""What is kept of a run: a record for every cell, one for the cost of every pair, and the manifest of the whole."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from vgbench.boundary.schema import ContentId, Count, Seconds, Timestamp
from vgbench.errors import InputError, unknown
from vgbench.measure.cost import Cost, pair_id
from vgbench.measure.forward import ForwardProfile
from vgbench.measure.gradients import GradientProfile
from vgbench.measure.pairs import ROUNDS_AT_MOST
from vgbench.measure.snapshot import GRADIENT_BINS
from vgbench.measure.training import TrainingCurves
from vgbench.records.origin import Kind, Provenance
from vgbench.records.store import Folder
from vgbench.spec.case import Case, case_id
from vgbench.spec.claim import Claim
from vgbench.spec.label import label

Status = Literal[
    "ok",
    "diverged",
    "forward_underflow",
    "nonfinite",
    "out_of_memory",
    "compile_error",
    "timeout",
    "crashed",
    "skipped",
]
"""How a measurement ended. The first four are results: the measurement came to its end, and its numbers show what the
network does. The others are failures, after which there are no numbers, or not all of them."""

RESULTS: tuple[Status, ...] = ("ok", "diverged", "forward_underflow", "nonfinite")


AxisValue = bool | int | float | str | tuple[float, ...] | None
"""What a case has on a swept axis; a member of a slot in words."""


def _in_case(axis: str) -> str:
    if axis not in Case.model_fields:
        raise ValueError(unknown("axis", axis, Case.model_fields))
    return axis


@dataclass(frozen=True)
class CellRecord:
    """What a cell yielded on a device.

    Attributes:
        case: what was measured.
        status: how it ended; anything but `ok` has a `reason`.
        reason: in words; empty if ok, unless the loss of some runs became non-finite.
        gradients: the profile at initialisation; None if it crashed.
        forward: the forward signal at initialisation; None if it crashed, or a batch holds no pair.
        training: the curves; None if the case does not train, or crashed.
        provenance: what produced the record.
        started: when, ISO 8601, UTC.
        seconds: how long it took.
        attempts: how often it was begun.
    """

    case: Case
    status: Status
    reason: str
    gradients: GradientProfile | None
    forward: ForwardProfile | None
    training: TrainingCurves | None
    provenance: Provenance
    started: Timestamp
    seconds: Seconds
    attempts: Count

    @property
    def dimensions(self) -> dict[str, int]:
        """The lengths that the named dimensions of the arrays have, as far as the case decides them."""
        case, parts = self.case, self.gradients
        kinds = {"states": len(parts.states), "kinds": len(parts.kinds)} if parts else {}
        tuning = len(case.tuning_seeds) if len(case.learning_rates) > 1 else 0
        counts = {
            "learning_rates": len(case.learning_rates),
            "tuning": tuning,
            "steps": case.steps,
            "bins": GRADIENT_BINS,
        }
        return {"seeds": len(case.seeds), "depth": case.depth, **kinds, **counts}

    def check(self) -> None:
        """Raise `ValueError` where the status, the case and what was measured contradict each other."""
        if self.status in RESULTS and (self.gradients is None or (self.training is None) != (self.case.steps == 0)):
            raise ValueError(f"status {self.status!r} without all that the case has measured, or with more")
        if self.gradients is not None and self.gradients.log10_parameter_norm.shape[1] < 2:
            raise ValueError("gradients: fewer layers of weights than an input layer and an output layer")
        curves = self.training
        if curves is None:
            return
        if (
            curves.learning_rates != self.case.learning_rates
            or curves.learning_rate not in curves.learning_rates
            or curves.target != self.case.target
        ):
            raise ValueError("training: other learning rates, or another target, than in the case")
        looks = [-1, *curves.step.tolist()]
        if looks[-1] != self.case.steps or any(later <= earlier for earlier, later in pairwise(looks)):
            raise ValueError(f"training: step does not rise to the {self.case.steps} steps of the case")

    @staticmethod
    def id_of(body: Mapping[str, Any]) -> str:
        """The id of the cell whose record this is, as JSON."""
        return case_id(body["case"])


@dataclass(frozen=True)
class CostRecord:
    """What the steps of a pair cost on a device; fields as in `CellRecord`."""

    case: Case
    reference: Case
    status: Status
    reason: str
    cost: Cost | None
    provenance: Provenance
    started: Timestamp
    seconds: Seconds
    attempts: Count

    def check(self) -> None:
        """Raise `ValueError` where the status, the cases and what was timed contradict each other."""
        if (self.status in RESULTS) != (self.cost is not None):
            raise ValueError(f"status {self.status!r} with{'' if self.cost else 'out'} a cost")
        if self.cost is None:
            return
        if (self.cost.form, self.cost.batch_size) != (self.case.timed_form, self.case.batch_size):
            raise ValueError("cost: another form of the blocks, or another batch size, than in the case")
        rounds, queues = len(self.cost.step_seconds), len(self.cost.queued_seconds)
        if not (2 <= rounds <= ROUNDS_AT_MOST and 1 <= queues <= ROUNDS_AT_MOST):
            raise ValueError(f"cost: {rounds} rounds and {queues} queues, not 2 and 1 to {ROUNDS_AT_MOST}")

    @staticmethod
    def id_of(body: Mapping[str, Any]) -> str:
        """The id of the pair whose record this is, as JSON."""
        return pair_id(case_id(body["case"]), case_id(body["reference"]))


@dataclass(frozen=True)
class Row:
    """One row of a run's table and the records that it is made of.

    Attributes:
        place: among the rows of its suite, counted from 0; those of merged runs may share one.
        mitigation: its name.
        axes: the values of the swept axes.
        cell_id: of its cell.
        reference_id: of the cell that it is compared with; a baseline's is its own.
        cost_id: of the pair; None where it is not timed.
    """

    place: Count
    mitigation: str
    axes: dict[Annotated[str, AfterValidator(_in_case)], AxisValue]
    cell_id: ContentId
    reference_id: ContentId
    cost_id: ContentId | None

    @property
    def label(self) -> str:
        """The row in words."""
        return label([self.mitigation], self.axes)


@dataclass(frozen=True)
class Fixed:
    """The commit in which the rules of a suite's claims became what they are.

    Attributes:
        commit: abbreviated.
        date: of the commit, ISO 8601, UTC.
    """

    commit: str
    date: Timestamp


@dataclass(frozen=True)
class Manifest:
    """What a run set out to measure on a device, written before anything is measured.

    Attributes:
        suite: name of the suite.
        title: its title.
        question: that it answers.
        rows: of its table, in order.
        provenance: what the run's last start measured with.
        claims: what its records are to decide about.
        fixed: when their rules were fixed; None without claims, or where no commit holds them as they are.
    """

    suite: str
    title: str
    question: str
    rows: tuple[Row, ...]
    provenance: Provenance
    claims: tuple[Claim, ...] = ()
    fixed: Fixed | None = None


def places(folder: Folder, manifest: Manifest) -> Iterator[tuple[Kind, Path]]:
    """Where the records lie that the rows of a folder's manifest name; those of several rows come once for each.

    Raises:
        InputError: what a row names is no id, lies outside the folder, or is not the pair of the row's cells.
    """
    for row in manifest.rows:
        yield "cell", folder.cell(row.cell_id)
        yield "cell", folder.cell(row.reference_id)
        if row.cost_id is not None:
            if row.cost_id != pair_id(row.cell_id, row.reference_id):
                raise InputError(f"{folder.manifest}: row {row.place} names {row.cost_id!r}, the cost of another pair")
            yield "cost", folder.cost(row.cost_id)
