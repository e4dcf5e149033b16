"""`python benchmarks/diagnosis/calibrate.py results`: how often published cells trained, by what their start showed.

Prints the table that `vgbench/diagnosis/published.py` holds. A cell counts once, and as trained where most of its seeds
reach the target.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from vgbench.diagnosis.measured import from_record
from vgbench.diagnosis.risk import Risk, risk_of
from vgbench.errors import InputError
from vgbench.records.runs import read_runs
from vgbench.records.schema import CellRecord

Kind = tuple[str, str, bool, bool]


def cells(results: Path) -> Iterator[CellRecord]:
    """Every published cell that was trained, once."""
    seen: set[str] = set()
    for folder in sorted(each for each in results.iterdir() if each.is_dir()):
        try:
            runs = read_runs(folder)
        except InputError:  # a folder of benchmarks, which are no runs
            continue
        for entry in (entry for run in runs for entry in run.entries):
            cell = entry.cell
            if cell is not None and cell.training is not None and cell.case.cell_id not in seen:
                seen.add(cell.case.cell_id)
                yield cell


def risk_of_cell(cell: CellRecord) -> tuple[Risk | None, bool]:
    """What its start showed for most seeds, and whether its optimizer is invariant to the gradient's scale."""
    runs = from_record(replace(cell, training=None))
    found = [risk_of(run) for run in runs]
    names = Counter(None if risk is None else risk.name for risk in found)
    name = names.most_common(1)[0][0]
    same = [risk for risk in found if (None if risk is None else risk.name) == name]
    return same[len(same) // 2], bool(runs[0].invariant)


def trained(cell: CellRecord) -> bool:
    """Whether most seeds reach the target."""
    assert cell.training is not None
    return 2 * cell.training.trained > len(cell.training.test_accuracy)


def table(results: Path) -> dict[Kind, tuple[int, int]]:
    """Cells that trained, and all, by risk, amount, over time or depth, and whether the optimizer is invariant."""
    outcomes: dict[Kind, list[bool]] = {}
    for cell in cells(results):
        risk, invariant = risk_of_cell(cell)
        kind = ("no risk", "", cell.case.recurrent, invariant)
        if risk is not None:
            kind = (risk.name, risk.amount, risk.timed, invariant)
        outcomes.setdefault(kind, []).append(trained(cell))
    return {kind: (int(np.sum(each)), len(each)) for kind, each in sorted(outcomes.items())}


if __name__ == "__main__":
    for kind, counts in table(Path(sys.argv[1])).items():
        print(f"    {kind}: {counts},")
