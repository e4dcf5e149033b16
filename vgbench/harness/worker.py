"""One task: measure a cell or the cost of a pair, and say in a record how it ended."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from vgbench.case import Case
from vgbench.errors import InputError
from vgbench.measure.cost import cost_id, measure_cost
from vgbench.measure.forward import measure_forward
from vgbench.measure.gradients import GradientProfile, measure_gradients
from vgbench.measure.training import TrainingCurves, measure_training
from vgbench.records import CellRecord, CostRecord, Provenance, Status


@dataclass(frozen=True)
class Task:
    """Something to measure.

    Attributes:
        kind: a cell (gradients and training), or the cost of the pair of case and reference.
        label: in words, for people.
        case: what is measured.
        reference: the baseline that the cost is divided by.
    """

    kind: Literal["cell", "cost"]
    label: str
    case: Case
    reference: Case

    @property
    def id(self) -> str:
        """The cell id, or the pair's."""
        return self.case.cell_id if self.kind == "cell" else cost_id(self.case, self.reference)


def execute(task: Task, provenance: Provenance) -> CellRecord | CostRecord:
    """Measure `task`; whatever goes wrong in it is an outcome of the record, except bad input.

    Raises:
        InputError: the case cannot be measured as it is described.
    """
    started, begin = datetime.now(UTC).isoformat(timespec="seconds"), time.perf_counter()
    measured: dict[str, Any] = (
        {"gradients": None, "forward": None, "training": None} if task.kind == "cell" else {"cost": None}
    )
    try:
        if task.kind == "cell":
            measured["gradients"] = measure_gradients(task.case)
            measured["forward"] = measure_forward(task.case) if task.case.batch_size > 1 else None
            measured["training"] = measure_training(task.case) if task.case.steps else None
            status, reason = _outcome(measured["gradients"], measured["training"])
        else:
            measured["cost"] = measure_cost(task.case, task.reference)
            status, reason = "ok", ""
    except InputError:
        raise
    except Exception as error:  # a failing cell must not take the others with it
        status, reason = "crashed", f"{type(error).__name__}: {error}".partition("\n")[0]
    common = {"provenance": provenance, "started": started, "seconds": time.perf_counter() - begin}
    if task.kind == "cell":
        return CellRecord(case=task.case, status=status, reason=reason, **measured, **common)
    return CostRecord(case=task.case, reference=task.reference, status=status, reason=reason, **measured, **common)


def _outcome(gradients: GradientProfile, training: TrainingCurves | None) -> tuple[Status, str]:
    limit = gradients.forward_limit
    if gradients.status == "forward_underflow":
        return gradients.status, f"activations flush to zero from layer {limit}"
    if gradients.status == "nonfinite":
        return (
            gradients.status,
            f"activations overflow from layer {limit}" if limit else "the gradient overflows",
        )
    if training is not None and training.status == "diverged":
        return "diverged", "the loss became non-finite at every rate, for every seed"
    return "ok", ""
