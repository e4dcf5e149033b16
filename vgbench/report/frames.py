"""Records as a pandas frame: one row a cell and device, numbers only rounded by whoever prints them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vgbench.diagnosis import diagnose
from vgbench.measure.cost import Cost
from vgbench.measure.gradients import GradientProfile
from vgbench.records.origin import Kind
from vgbench.records.runs import Entry, Run, origins, read_runs
from vgbench.records.schema import CellRecord, CostRecord
from vgbench.report.benefit import Merits, on_front, reaches_target, steps_to_target, trainable_depth
from vgbench.report.best import Outcome, Rank, against_best
from vgbench.report.columns import COLUMNS
from vgbench.report.predicted import prediction
from vgbench.spec.suite import BASELINE
from vgbench.statistics import Interval, t_interval
from vgbench.theory import compare


def load(directory: str | Path) -> pd.DataFrame:
    """Read the records of a run as a frame with the columns of `COLUMNS`, in the order of the suite.

    Raises:
        InputError: no records are there, or one is damaged.
    """
    return frame(read_runs(Path(directory)))


def frame(runs: Sequence[Run]) -> pd.DataFrame:
    """One row for each entry of `runs`."""
    known = list(origins(runs))
    rows = [row for run in runs for row in _rows(run, known)]
    axes = [name for name in dict.fromkeys(k for row in rows for k in row) if name not in COLUMNS]
    return pd.DataFrame(rows, columns=[*axes, *COLUMNS])


def _rows(run: Run, known: list[str]) -> list[dict[str, Any]]:
    depths = _trainable_depths(run)
    rows = [dict(_values(run, entry, best, known)) for entry, best in zip(run.entries, _best(run), strict=True)]
    for row, entry in zip(rows, run.entries, strict=True):
        row["trainable_depth"] = depths.get(_line(entry), float("nan"))
    places = [repr((entry.row.axes, entry.row.reference_id)) for entry in run.entries]
    merits = [_merits(row) if "step_ratio" in row else None for row in rows]
    fronts = on_front([merit and (place, merit) for place, merit in zip(places, merits, strict=True)])
    return [row if front is None else {**row, "on_front": front} for row, front in zip(rows, fronts, strict=True)]


def _line(entry: Entry) -> str:
    """What rows have in common that differ in depth alone."""
    return repr((entry.row.mitigation, {name: value for name, value in entry.row.axes.items() if name != "depth"}))


def _trainable_depths(run: Run) -> dict[str, int]:
    trains: dict[str, dict[int, bool]] = {}
    for entry in run.entries:
        if entry.cell and entry.cell.training:
            trains.setdefault(_line(entry), {})[entry.cell.case.depth] = reaches_target(entry.cell.training)
    return {line: trainable_depth(reached) for line, reached in trains.items()}


def _merits(row: dict[str, Any]) -> Merits:
    decay = row.get("decay", float("nan"))
    return Merits(
        step_ratio=row["step_ratio"],
        memory_ratio=row["memory_ratio"],
        decay=abs(decay),
        depth=-row["trainable_depth"],
        seconds=row.get("seconds_to_target", float("nan")),
    )


def _best(run: Run) -> list[Rank | None]:
    return against_best([_outcome(entry) for entry in run.entries])


def _outcome(entry: Entry) -> Outcome | None:
    if entry.cell is None or entry.cell.training is None:
        return None
    accuracy = np.asarray(entry.cell.training.test_accuracy, np.float64)
    return Outcome(repr(entry.row.axes), entry.cell.case.seeds, accuracy)


def _values(run: Run, entry: Entry, best: Rank | None, known: list[str]) -> Iterator[tuple[str, Any]]:
    yield "suite", run.manifest.suite
    yield "device", run.device
    yield "device_code", run.manifest.provenance.device.code or ""
    yield "mitigation", entry.row.mitigation
    yield "beside", _beside(run, entry)
    yield from entry.row.axes.items()
    yield "cell_id", entry.row.cell_id
    yield "status", entry.cell.status if entry.cell else "missing"
    yield "reason", entry.cell.reason if entry.cell else ""
    yield "origin", ", ".join(sorted({str(known.index(str(record.provenance)) + 1) for record in entry.records}))
    yield "mixed", _mixed(run, entry)
    if entry.cell:
        yield from _cell_values(entry.cell, entry.reference)
    if best is not None:
        yield "against_best", best
    if entry.row.cost_id:
        yield "cost_status", entry.cost.status if entry.cost else "missing"
        yield "cost_reason", entry.cost.reason if entry.cost else ""
    if entry.cost and entry.cost.cost:
        cost = entry.cost.cost
        yield "form", cost.form
        yield from _interval("step_ratio", cost.ratio)
        yield from _cost_values(cost)
        if entry.cell and entry.cell.training:
            yield "seconds_to_target", steps_to_target(entry.cell.training) * cost.latency


def _beside(run: Run, entry: Entry) -> str:
    rows = (other.row for other in run.entries)
    return next((row.mitigation for row in rows if row.cell_id == entry.row.reference_id), BASELINE)


def _cost_values(cost: Cost) -> Iterator[tuple[str, Any]]:
    yield "step_verdict", cost.verdict
    yield "rounds", len(cost.step_seconds)
    yield "outlying_rounds", int(cost.outliers.sum())
    yield "latency", cost.latency
    yield "examples_per_second", cost.examples_per_second
    yield "compile_seconds", cost.compilation.seconds
    yield "persistent_cache", cost.compilation.persistent_cache
    yield "parameters", cost.parameters
    yield "step_flops", cost.step_flops
    yield "xla_flops", cost.xla_flops
    yield "flops_differ", cost.flops_differ
    yield "flops_per_second", cost.flops_per_second
    yield "utilisation", cost.utilisation
    yield "memory_ratio", cost.memory_ratio
    yield "peak_bytes", cost.memory.peak
    yield "device_peak_bytes", cost.device_peak_bytes
    yield "parameter_bytes", cost.memory.parameters
    yield "optimizer_bytes", cost.memory.optimizer
    yield "temporary_bytes", cost.memory.temporary


def _mixed(run: Run, entry: Entry) -> bool:
    now = run.manifest.provenance
    records: list[tuple[Kind, CellRecord | CostRecord | None]] = [("cell", entry.cell), ("cost", entry.cost)]
    return any(record and now.differences(record.provenance, kind) for kind, record in records)


def _cell_values(cell: CellRecord, reference: CellRecord | None) -> Iterator[tuple[str, Any]]:
    yield "family", cell.case.model.name
    yield "depth", cell.case.depth
    yield "width", cell.case.width
    yield "dtype", cell.case.dtype
    yield "seeds", len(cell.case.seeds)
    if cell.gradients:
        yield from _interval("decay", cell.gradients.decay)
        yield from _theory_values(cell, cell.gradients)
        yield "log10_first_over_last", cell.gradients.log10_first_over_last.value
        yield "plain_zero_layer", cell.gradients.plain_zero_layer
        yield "branches_closed", cell.gradients.branches_closed
        yield "forward_limit", cell.gradients.forward_limit
        yield from _kind_values(cell.gradients)
        yield "verdict", ", ".join(finding.name for finding in diagnose(cell)) or "healthy"
    if cell.forward:
        yield "log10_activation_scale", float(cell.forward.log10_activation_scale[:, -1].mean())
        yield "log10_pair_distance", float(cell.forward.log10_pair_distance[:, -1].mean())
        yield "token_cosine", float(cell.forward.token_cosine[:, -1].mean())
    if cell.training:
        yield "trained", cell.training.trained
        yield "target", cell.training.target
        yield "learning_rate", cell.training.learning_rate
        yield "learning_rate_at_edge", cell.training.learning_rate_at_edge
        yield "none_better_than_chance", cell.training.none_better_than_chance
        yield "diverged", int(cell.training.diverged.sum())
        yield "steps_to_target", steps_to_target(cell.training)
        yield "log10_first_over_last_trained", cell.training.log10_first_over_last.value
        yield "zero_share", float(cell.training.zero_share[:, 0].mean(axis=0).max())
        yield "skipped_steps", float(cell.training.skipped_steps[:, -1].mean())
        yield from _interval("accuracy", cell.training.accuracy)
        baseline = reference.training if reference and reference is not cell else None
        if baseline and reference and reference.case.seeds == cell.case.seeds:
            gains = cell.training.test_accuracy - baseline.test_accuracy
            yield from _interval("accuracy_gain", t_interval(np.asarray(gains, np.float64)))


def _theory_values(cell: CellRecord, gradients: GradientProfile) -> Iterator[tuple[str, Any]]:
    found = prediction(cell)
    if found:
        beside = compare(found, gradients.decay_per_seed, gradients.epsilon)
        yield "predicted_decay", beside.predicted
        yield "theory_claims", found.kind
        yield "theory_p", beside.p
        yield "departs", beside.departs


def _kind_values(gradients: GradientProfile) -> Iterator[tuple[str, Any]]:
    changes = gradients.log10_kind_first_over_last.items()
    known = {kind: change.value for kind, change in changes if np.isfinite(change.value)}
    if known:
        kind = max(known, key=lambda kind: abs(known[kind]))
        yield "kind", kind
        yield "log10_kind_first_over_last", known[kind]
        yield "below_rounding", bool(gradients.below_rounding.any())


def _interval(name: str, interval: Interval) -> Iterator[tuple[str, float]]:
    yield name, interval.value
    yield f"{name}_low", interval.low
    yield f"{name}_high", interval.high
