"""Records as a pandas frame: one row a cell and device, numbers only rounded by whoever prints them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vgbench.records import CellRecord, CostRecord, Kind, Manifest, Provenance, Row
from vgbench.report.best import Outcome, among_best
from vgbench.statistics import Interval, t_interval
from vgbench.store import device_folders, read_record

COLUMNS = {
    "suite": "name of the suite",
    "device": "what it ran on",
    "mitigation": "name of the mitigation; `baseline` for the baseline",
    "family": "name of the model",
    "depth": "hidden layers, or time steps",
    "width": "units a hidden layer",
    "cell_id": "hash of the case",
    "status": "how the cell ended; `missing` before it is measured",
    "reason": "the status in words",
    "origin": "numbers of those lines under the table that say what produced the row's records",
    "mixed": "whether a record comes from another source, other versions or other flags than the run's last start",
    "decay": "slope of log10 ||dL/dh_l|| along the backward path at initialisation, decades a layer or time step",
    "decay_low": "lower end of its 95 % t-interval over seeds",
    "decay_high": "upper end",
    "log10_first_over_last": "log10 of ||dL/dh_1|| / ||dL/dh_depth||, mean over seeds",
    "plain_zero_layer": "last layer at which plain backpropagation in the case's dtype reads zero, if any",
    "branches_closed": "whether the weights of every block start with a gradient of exactly zero, as ReZero's do",
    "forward_limit": "first layer whose activations leave the dtype's range, if any",
    "log10_activation_scale": "log10 of the last hidden layer's root mean square at initialisation, mean over seeds",
    "log10_pair_distance": "log10(1 - cosine) of different inputs' signals there, mean over pairs and seeds",
    "seeds": "number of fresh seeds",
    "trained": "how many of them reach the target; empty where the case is not trained",
    "target": "test accuracy that counts as trained",
    "rate": "learning rate chosen on the tuning seeds",
    "rate_at_edge": "whether that is the lowest or the highest tried",
    "log10_first_over_last_trained": "log10 of ||dL/dh_1|| / ||dL/dh_depth|| after the last step, mean over seeds",
    "accuracy": "test accuracy after the last step, mean over the fresh seeds",
    "accuracy_low": "lower end of its 95 % t-interval",
    "accuracy_high": "upper end",
    "among_best": "whether it is the highest of this device and these axes, or not worse by one-sided t-tests paired by"
    " seed with Holm's correction over all rows of the device at level 0.05; empty without training or a second seed",
    "accuracy_gain": "its difference to the baseline, paired by seed",
    "accuracy_gain_low": "lower end of its 95 % t-interval",
    "accuracy_gain_high": "upper end",
    "cost_status": "how its timing ended; `missing` before it is timed, empty where it is not to be",
    "cost_reason": "that status in words",
    "form": "blocks of both timed networks, unrolled or scanned",
    "step_ratio": "step time over the baseline's, median over interleaved rounds",
    "step_ratio_low": "lower end of its 95 % bootstrap interval",
    "step_ratio_high": "upper end",
    "examples_per_second": "batch size over the median seconds of a blocked plain step",
    "compile_seconds": "trace, lower and compile of the plain step",
    "parameters": "trainable numbers",
    "step_flops": "floating-point operations of the matrix products in one step",
    "temporary_bytes": "scratch memory of the compiled step",
}
"""The columns of `load` and what they hold; any other swept axis stands in a column of its own name."""


@dataclass(frozen=True)
class Entry:
    """A row of a run together with its records; a record is None before it is measured."""

    row: Row
    cell: CellRecord | None
    reference: CellRecord | None
    cost: CostRecord | None

    @property
    def origins(self) -> list[Provenance]:
        """What produced its own records."""
        return [record.provenance for record in (self.cell, self.cost) if record]


@dataclass(frozen=True)
class Run:
    """A run on one device."""

    manifest: Manifest
    entries: tuple[Entry, ...]


def origins(runs: Sequence[Run]) -> list[str]:
    """What produced the records, in words and in the order of the rows; a manifest's where it has none."""
    found = dict.fromkeys(
        str(origin)
        for run in runs
        for origin in [each for entry in run.entries for each in entry.origins] or [run.manifest.provenance]
    )
    return list(found)


def read_runs(root: Path) -> list[Run]:
    """Read the run of every device under `root`.

    Raises:
        InputError: no run is there, or a record is damaged; names the file.
    """
    return [_read_run(folder) for folder in device_folders(root)]


def _read_run(folder: Any) -> Run:
    manifest = read_record(folder.manifest, Manifest)
    cells: dict[str, CellRecord] = {}
    for row in manifest.rows:
        for cell_id in (row.cell_id, row.reference_id):
            if cell_id not in cells and folder.cell(cell_id).exists():
                cells[cell_id] = read_record(folder.cell(cell_id), CellRecord)
    entries = []
    for row in manifest.rows:
        path = folder.cost(row.cost_id) if row.cost_id else None
        cost = read_record(path, CostRecord) if path and path.exists() else None
        entries.append(Entry(row, cells.get(row.cell_id), cells.get(row.reference_id), cost))
    return Run(manifest, tuple(entries))


def load(directory: str | Path) -> pd.DataFrame:
    """Read the records of a run as a frame with the columns of `COLUMNS`, in the order of the suite.

    Raises:
        InputError: no records are there, or one is damaged.
    """
    return frame(read_runs(Path(directory)))


def frame(runs: list[Run]) -> pd.DataFrame:
    """One row for each entry of `runs`."""
    known = origins(runs)
    rows = [
        dict(_values(run, entry, best, known))
        for run in runs
        for entry, best in zip(run.entries, _best(run), strict=True)
    ]
    axes = [name for name in dict.fromkeys(k for row in rows for k in row) if name not in COLUMNS]
    return pd.DataFrame(rows, columns=[*axes, *COLUMNS])


def _best(run: Run) -> list[bool | None]:
    return among_best([_outcome(entry) for entry in run.entries])


def _outcome(entry: Entry) -> Outcome | None:
    if entry.cell is None or entry.cell.training is None:
        return None
    accuracy = np.asarray(entry.cell.training.test_accuracy, np.float64)
    return Outcome(repr(entry.row.axes), entry.cell.case.seeds, accuracy)


def _values(run: Run, entry: Entry, best: bool | None, known: list[str]) -> Iterator[tuple[str, Any]]:
    yield "suite", run.manifest.suite
    yield "device", str(run.manifest.provenance.device)
    yield "mitigation", entry.row.mitigation
    yield from entry.row.axes.items()
    yield "cell_id", entry.row.cell_id
    yield "status", entry.cell.status if entry.cell else "missing"
    yield "reason", entry.cell.reason if entry.cell else ""
    yield "origin", ", ".join(sorted({str(known.index(str(origin)) + 1) for origin in entry.origins}))
    yield "mixed", _mixed(run, entry)
    if entry.cell:
        yield from _cell_values(entry.cell, entry.reference)
    if best is not None:
        yield "among_best", best
    if entry.row.cost_id:
        yield "cost_status", entry.cost.status if entry.cost else "missing"
        yield "cost_reason", entry.cost.reason if entry.cost else ""
    if entry.cost and entry.cost.cost:
        cost = entry.cost.cost
        yield "form", cost.form
        yield from _interval("step_ratio", cost.ratio)
        yield "examples_per_second", cost.examples_per_second
        yield "compile_seconds", cost.compilation.seconds
        yield "parameters", cost.parameters
        yield "step_flops", cost.step_flops
        yield "temporary_bytes", cost.compilation.temporary_bytes


def _mixed(run: Run, entry: Entry) -> bool:
    now = run.manifest.provenance
    records: list[tuple[Kind, CellRecord | CostRecord | None]] = [("cell", entry.cell), ("cost", entry.cost)]
    return any(record and now.differences(record.provenance, kind) for kind, record in records)


def _cell_values(cell: CellRecord, reference: CellRecord | None) -> Iterator[tuple[str, Any]]:
    yield "family", cell.case.model.name
    yield "depth", cell.case.depth
    yield "width", cell.case.width
    yield "seeds", len(cell.case.seeds)
    if cell.gradients:
        yield from _interval("decay", cell.gradients.decay)
        yield "log10_first_over_last", cell.gradients.log10_first_over_last.value
        yield "plain_zero_layer", cell.gradients.plain_zero_layer
        yield "branches_closed", cell.gradients.branches_closed
        yield "forward_limit", cell.gradients.forward_limit
    if cell.forward:
        yield "log10_activation_scale", float(cell.forward.log10_activation_scale[:, -1].mean())
        yield "log10_pair_distance", float(cell.forward.log10_pair_distance[:, -1].mean())
    if cell.training:
        yield "trained", cell.training.trained
        yield "target", cell.training.target
        yield "rate", cell.training.rate
        yield "rate_at_edge", cell.training.rate_at_edge
        yield "log10_first_over_last_trained", cell.training.log10_first_over_last.value
        yield from _interval("accuracy", cell.training.accuracy)
        baseline = reference.training if reference and reference is not cell else None
        if baseline and reference and reference.case.seeds == cell.case.seeds:
            gains = cell.training.test_accuracy - baseline.test_accuracy
            yield from _interval("accuracy_gain", t_interval(np.asarray(gains, np.float64)))


def _interval(name: str, interval: Interval) -> Iterator[tuple[str, float]]:
    yield name, interval.value
    yield f"{name}_low", interval.low
    yield f"{name}_high", interval.high
