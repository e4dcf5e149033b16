"""The records of a run: one for every cell, one for the cost of every pair, and the manifest."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from vgbench.boundary.schema import ContentId, Count, Seconds, Timestamp
from vgbench.errors import InputError, unknown
from vgbench.instruments.coordinate_steps import QUANTITIES
from vgbench.measure.coordinates import Coordinates
from vgbench.measure.cost import Cost, pair_id
from vgbench.measure.forward import ForwardProfile
from vgbench.measure.gradients import GradientProfile
from vgbench.measure.matrices import GRADIENT_BINS
from vgbench.measure.pairs import ROUNDS_AT_MOST
from vgbench.measure.training import TrainingCurves
from vgbench.records.migrations import WITHOUT_SEEDS
from vgbench.records.origin import Kind, Provenance
from vgbench.records.store import Folder
from vgbench.spec.case import Case, Seed, case_id
from vgbench.spec.claim import Claim
from vgbench.spec.label import label
from vgbench.spec.registry import metric_named

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
"""How a measurement ended. The first four are results: the measurement finished, and its numbers describe the network.
The others are failures, which leave no numbers or only some."""

RESULTS: tuple[Status, ...] = ("ok", "diverged", "forward_underflow", "nonfinite")


AxisValue = bool | int | float | str | tuple[float, ...] | None
"""The value of a case on a swept axis; members of slots are given as text."""


def _in_case(axis: str) -> str:
    if axis not in Case.model_fields:
        raise ValueError(unknown("axis", axis, Case.model_fields))
    return axis


@dataclass(frozen=True)
class CellRecord:
    """The result of measuring a cell on a device.

    Attributes:
        case: what was measured.
        status: how the measurement ended; every status but `ok` has a `reason`.
        reason: the reason as text; empty if ok, unless the loss of some runs became non-finite.
        gradients: the profile at initialisation; None if the measurement failed.
        forward: the forward signal at initialisation; None if the measurement failed, or a batch has no pair of inputs.
        training: the curves; None if the case does not train or the measurement failed.
        provenance: what produced the record.
        started: the start time, ISO 8601, UTC.
        seconds: the duration of the measurement.
        attempts: the number of times that it was started.
        coordinates: the sizes of modules' outputs over the first steps of training; None if the case does not ask for
            them or the measurement failed.
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
    coordinates: Coordinates | None = None

    @property
    def dimensions(self) -> dict[str, int]:
        """The lengths of the arrays' named dimensions that the case determines."""
        case, parts = self.case, self.gradients
        kinds = {"states": len(parts.states), "kinds": len(parts.kinds)} if parts else {}
        tuning = len(case.tuning_seeds) if len(case.learning_rates) > 1 else 0
        counts = {
            "updates": case.coordinate_steps + 1,
            "modules": len(self.coordinates.modules) if self.coordinates else 0,
            "quantities": len(QUANTITIES),
            "learning_rates": len(case.learning_rates),
            "tuning": tuning,
            "steps": case.steps,
            "bins": GRADIENT_BINS,
        }
        return {"seeds": len(case.seeds), "depth": case.depth, **kinds, **counts}

    def check(self) -> None:
        """Raise `ValueError` if the status, the case and the measurements contradict each other."""
        if self.status in RESULTS and (self.gradients is None or (self.training is None) != (self.case.steps == 0)):
            raise ValueError(f"status {self.status!r} with missing or surplus measurements for this case")
        if self.status in RESULTS and (self.coordinates is None) != (self.case.coordinate_steps == 0):
            raise ValueError("coordinates: missing, or not asked for by this case")
        if self.gradients is not None and self.gradients.log10_parameter_norm.shape[1] < 2:
            raise ValueError("gradients: fewer than two layers of weights")
        curves = self.training
        if curves is None:
            return
        if (
            curves.learning_rates != self.case.learning_rates
            or curves.learning_rate not in curves.learning_rates
            or curves.target != self.case.target
        ):
            raise ValueError("training: learning rates or target differ from those of the case")
        if curves.metric != metric_named(curves.metric.name):
            raise ValueError(f"training: {curves.metric.name} is not better where it is {curves.metric.better}")
        looks = [-1, *curves.step.tolist()]
        if looks[-1] != self.case.steps or any(later <= earlier for earlier, later in pairwise(looks)):
            raise ValueError(f"training: step does not increase to the {self.case.steps} steps of the case")

    @staticmethod
    def id_of(body: Mapping[str, Any], version: int) -> str:
        """The cell id of a record that is given as JSON of this version of the schema."""
        return case_id(body["case"], with_seeds=version < WITHOUT_SEEDS)


def trace_place(cost_id: str) -> str:
    """Where a trace of a pair's steps lies, relative to the folder of its device."""
    return f"traces/{cost_id}"


@dataclass(frozen=True)
class CostRecord:
    """The cost of a pair's steps on a device; other fields as in `CellRecord`.

    Attributes:
        trace: where a trace of the case's steps was put, relative to the folder of the device. Runs that are merged,
            published or reused have the record alone. None where no trace was kept.
    """

    case: Case
    reference: Case
    status: Status
    reason: str
    cost: Cost | None
    provenance: Provenance
    started: Timestamp
    seconds: Seconds
    attempts: Count
    trace: str | None = None

    def check(self) -> None:
        """Raise `ValueError` if the status, the cases and the timings contradict each other."""
        if (self.status in RESULTS) != (self.cost is not None):
            raise ValueError(f"status {self.status!r} with{'' if self.cost else 'out'} a cost")
        if self.trace not in (None, trace_place(pair_id(self.case.cell_id, self.reference.cell_id))):
            raise ValueError("trace: is not the place of this pair's trace")
        if self.cost is None:
            return
        if (self.cost.form, self.cost.batch_size) != (self.case.timed_form, self.case.batch_size):
            raise ValueError("cost: block execution or batch size differs from that of the case")
        if self.cost.compilation_rounds and sum(self.cost.compilation_rounds) != len(self.cost.step_seconds):
            raise ValueError("cost: compilation_rounds does not add up to the rounds")
        if self.cost.reference_form not in (None, self.reference.timed_form):
            raise ValueError("cost: block execution differs from that of the reference")
        rounds, queues = len(self.cost.step_seconds), len(self.cost.queued_seconds)
        if not (
            2 <= rounds <= ROUNDS_AT_MOST * max(1, len(self.cost.compilation_rounds)) and 1 <= queues <= ROUNDS_AT_MOST
        ):
            raise ValueError(f"cost: {rounds} rounds and {queues} queues, not 2 and 1 to {ROUNDS_AT_MOST}")

    @staticmethod
    def id_of(body: Mapping[str, Any], version: int) -> str:
        """The pair's id of a record that is given as JSON of this version of the schema."""
        case, reference = (case_id(body[name], with_seeds=version < WITHOUT_SEEDS) for name in ("case", "reference"))
        return pair_id(case, reference)


@dataclass(frozen=True)
class Row:
    """One row of a run's table with the ids of its records.

    Attributes:
        place: the position among the rows of its suite, counted from 0; rows of merged runs may share one.
        mitigation: the name of the mitigation or baseline.
        axes: the values of the swept axes.
        cell_id: the id of its cell.
        reference_id: the id of its reference's cell; for a baseline, its own cell.
        cost_id: the id of the pair; None if it is not timed.
        seeds: the evaluation seeds that tables use of both cells; empty for all that their records hold.
    """

    place: Count
    mitigation: str
    axes: dict[Annotated[str, AfterValidator(_in_case)], AxisValue]
    cell_id: ContentId
    reference_id: ContentId
    cost_id: ContentId | None
    seeds: tuple[Seed, ...] = ()

    @property
    def label(self) -> str:
        """The row's name in messages and pictures."""
        return label([self.mitigation], self.axes)


@dataclass(frozen=True)
class Fixed:
    """The commit in which the rules of a suite's claims got their current form.

    Attributes:
        commit: its abbreviated hash.
        date: its date, ISO 8601, UTC.
    """

    commit: str
    date: Timestamp


@dataclass(frozen=True)
class Manifest:
    """What a run is to measure on a device, written before anything is measured.

    Attributes:
        suite: name of the suite.
        title: title of the suite.
        question: the question that the suite answers.
        rows: the rows of its table, in order.
        provenance: the device, source and versions when the run was last started.
        claims: the claims that its records decide.
        fixed: the commit that fixed their rules; None without claims, or if no commit has the current rules.
        looks: the numbers of seeds at which the claims are judged, where seeds are added until they are decided; empty
            where they are judged once, by all seeds.
    """

    suite: str
    title: str
    question: str
    rows: tuple[Row, ...]
    provenance: Provenance
    claims: tuple[Claim, ...] = ()
    fixed: Fixed | None = None
    looks: tuple[Count, ...] = ()


def places(folder: Folder, manifest: Manifest) -> Iterator[tuple[Kind, Path]]:
    """The paths of the records that the rows of a manifest name; a record of several rows occurs once for each.

    Raises:
        InputError: a row names an invalid id, a path outside the folder, or the cost of another pair.
    """
    for row in manifest.rows:
        yield "cell", folder.cell(row.cell_id)
        yield "cell", folder.cell(row.reference_id)
        if row.cost_id is not None:
            if row.cost_id != pair_id(row.cell_id, row.reference_id):
                raise InputError(f"{folder.manifest}: row {row.place} names {row.cost_id!r}, the cost of another pair")
            yield "cost", folder.cost(row.cost_id)


def canonical(value: Manifest | Provenance | Row) -> str:
    """The text of a part of a run's records, equal for equal ones, by which they are put in order."""
    return json.dumps(dataclasses.asdict(value), sort_keys=True, default=lambda claim: claim.model_dump(mode="json"))
