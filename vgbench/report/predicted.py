"""What theory predicts for the cells of runs; each case is predicted once, however often it is shown."""

from collections.abc import Sequence
from functools import lru_cache

from vgbench.records.runs import Run
from vgbench.records.schema import CellRecord
from vgbench.spec.case import Case
from vgbench.theory import Prediction, predict


def prediction(cell: CellRecord) -> Prediction | None:
    """What theory says of a cell's gradient at initialisation; None where none is known, or nothing was measured."""
    if cell.gradients is None or cell.gradients.status != "ok":
        return None
    return _predicted(cell.case)  # pyright: ignore[reportArgumentType]


@lru_cache(maxsize=1024)
def _predicted(case: Case) -> Prediction | None:
    return predict(case)


def relative_norms(runs: Sequence[Run]) -> dict[str, Sequence[float]]:
    """For the rows' cell ids log10 of the predicted norm at each layer over that at the last; no orders of magnitude.

    A row keeps the id that it was measured under, which is not its case's today where a later version added a field.
    """
    cells = {entry.row.cell_id: entry.cell for run in runs for entry in run.entries if entry.cell}
    found = {cell_id: prediction(cell) for cell_id, cell in cells.items()}
    return {cell_id: each.log10_norm.tolist() for cell_id, each in found.items() if each and each.kind != "order"}
