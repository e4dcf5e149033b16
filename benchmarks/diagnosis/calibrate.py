"""`python benchmarks/diagnosis/calibrate.py results`: how often published cells trained, and what made others train.

Prints the tables that `vgbench/diagnosis/published.py` holds: cells by what their start showed, and changes of cells
that did not train by what the start of those showed. A cell counts once, and as trained where most of its seeds reach
the target.
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
from vgbench.records.runs import Entry, read_runs
from vgbench.records.schema import CellRecord

Kind = tuple[str, str, bool, bool]
Change = tuple[str, bool, bool, str]
CHANGED = ("activation", "init", "norm", "skip", "cell", "optimizer", "gradient_transform")
"""Slots of which one is changed."""
MODELS = ("model", "width")
"""What may change with it: how its blocks are ordered, and the width that leaves as many parameters."""


def entries(results: Path) -> Iterator[Entry]:
    """Every published row whose cell was trained."""
    for folder in sorted(each for each in results.iterdir() if each.is_dir()):
        try:
            runs = read_runs(folder)
        except InputError:  # a folder of benchmarks, which are no runs
            continue
        for entry in (entry for run in runs for entry in run.entries):
            if entry.cell is not None and entry.cell.training is not None:
                yield entry


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
    return 2 * cell.training.trained > len(cell.training.test_metric)


def change_of(entry: Entry) -> str | None:
    """The one slot that a row changes of its reference, such as "skip residual"; None if it changes more, or less."""
    if entry.cell is None or entry.reference is None:
        return None
    own, old = entry.cell.case.model_dump(), entry.reference.case.model_dump()
    changed = [name for name in own if own[name] != old[name] and name not in ("seeds", "learning_rates", *MODELS)]
    slot = changed[0] if len(changed) == 1 and changed[0] in CHANGED else None
    return None if slot is None else f"{slot.replace('_', ' ')} {getattr(entry.cell.case, slot).name}"


def changes(rows: list[Entry]) -> dict[Change, tuple[int, int, float | None]]:
    """What made cells train that did not: rows that trained, all, and the median ratio of their steps' durations.

    By the risk that the start of the reference showed, whether over time steps, whether its optimizer is invariant to
    the gradient's scale, and the slot that was changed.
    """
    outcomes: dict[Change, dict[tuple[str, str], tuple[bool, float | None]]] = {}
    for entry in rows:
        change, cell, reference = change_of(entry), entry.cell, entry.reference
        if change is None or cell is None or reference is None or reference.training is None or trained(reference):
            continue
        risk, invariant = risk_of_cell(reference)
        if risk is None:
            continue
        cost = None if entry.cost is None or entry.cost.cost is None else float(entry.cost.cost.ratio.value)
        pair = cell.case.cell_id, reference.case.cell_id
        outcomes.setdefault((risk.name, risk.timed, invariant, change), {})[pair] = trained(cell), cost
    return {kind: _counted(list(found.values())) for kind, found in sorted(outcomes.items())}


def _counted(outcomes: list[tuple[bool, float | None]]) -> tuple[int, int, float | None]:
    ratios = [ratio for _, ratio in outcomes if ratio is not None]
    return sum(did for did, _ in outcomes), len(outcomes), round(float(np.median(ratios)), 2) if ratios else None


def table(rows: list[Entry]) -> dict[Kind, tuple[int, int]]:
    """Cells that trained, and all, by risk, amount, over time or depth, and whether the optimizer is invariant."""
    outcomes: dict[Kind, list[bool]] = {}
    cells = {entry.cell.case.cell_id: entry.cell for entry in reversed(rows) if entry.cell is not None}
    for cell in cells.values():
        risk, invariant = risk_of_cell(cell)
        kind = ("no risk", "", cell.case.recurrent, invariant)
        if risk is not None:
            kind = (risk.name, risk.amount, risk.timed, invariant)
        outcomes.setdefault(kind, []).append(trained(cell))
    return {kind: (int(np.sum(each)), len(each)) for kind, each in sorted(outcomes.items())}


if __name__ == "__main__":
    published = list(entries(Path(sys.argv[1])))
    for counts in (table(published), changes(published)):
        print("\n".join(f"    {kind}: {count}," for kind, count in counts.items()), end="\n\n")
