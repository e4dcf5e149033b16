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
from vgbench.report.best import Outcome, Standing, against_best
from vgbench.report.predicted import prediction
from vgbench.spec.suite import BASELINE
from vgbench.statistics import Interval, t_interval
from vgbench.theory import compare

COLUMNS = {
    "suite": "name of the suite",
    "device": "what it ran on",
    "device_code": "six digits that tell devices of one name apart; empty in records that do not hold the model",
    "mitigation": "name of the mitigation; `baseline` for the baseline",
    "beside": "the mitigation that it is compared with; `baseline` unless the suite says otherwise",
    "family": "name of the model",
    "depth": "hidden layers, or time steps",
    "width": "units a hidden layer",
    "dtype": "of activations and of the back-propagated gradient",
    "cell_id": "hash of the case",
    "status": "how the cell ended; `missing` before it is measured",
    "reason": "the status in words",
    "origin": "numbers of those lines under the table that say what produced the row's records",
    "mixed": "whether a record comes from another source, other versions or other flags than the run's last start",
    "decay": "slope of log10 ||dL/dh_l|| along the backward path at initialisation, decades a layer or time step",
    "decay_low": "lower end of its 95 % t-interval over seeds",
    "decay_high": "upper end",
    "predicted_decay": "what theory predicts for it; empty where none is known (`vgbench theory` says why)",
    "theory_claims": "how much that prediction claims: exact, asymptotic, or an order of magnitude only",
    "theory_p": "p of a two-sided t-test over seeds that the mean decay is predicted_decay; empty of a single seed, and"
    " where the prediction is exact or an order of magnitude",
    "departs": "whether theory_p is below 0.001, or an exact prediction is missed by more than rounding; empty where"
    " neither can be said",
    "log10_first_over_last": "log10 of ||dL/dh_1|| / ||dL/dh_depth||, mean over seeds",
    "plain_zero_layer": "last layer at which plain backpropagation in the case's dtype reads zero, if any",
    "branches_closed": "whether the weights of every block start with a gradient of exactly zero, as ReZero's do",
    "forward_limit": "first layer whose activations leave the dtype's range, if any",
    "log10_activation_scale": "log10 of the last hidden layer's root mean square at initialisation, mean over seeds",
    "log10_pair_distance": "log10(1 - cosine) of different inputs' signals there, mean over pairs and seeds",
    "token_cosine": "mean cosine there between the tokens of an example, mean over seeds; empty where there are none",
    "kind": "the kind of weights whose gradient differs most between the first block and the last; empty where all"
    " weights of a block are of one kind",
    "log10_kind_first_over_last": "log10 of the norm of its gradient in the first block over that in the last, mean"
    " over seeds",
    "below_rounding": "whether rounding drowns a kind's gradient in some block: the true difference is then larger",
    "verdict": "what `vgbench diagnose` finds, the likeliest cause first; `healthy` if nothing; of a case that is not"
    " trained, what its initialisation shows",
    "seeds": "number of evaluation seeds",
    "trained": "how many of them reach the target; empty where the case is not trained",
    "target": "test accuracy that counts as trained",
    "learning_rate": "learning rate chosen on the tuning seeds",
    "learning_rate_at_edge": "whether that is the lowest or the highest tried",
    "none_better_than_chance": "whether no learning rate gave a validation accuracy above what guessing reaches",
    "diverged": "how many of the evaluation seeds had a loss that became non-finite",
    "log10_first_over_last_trained": "log10 of ||dL/dh_1|| / ||dL/dh_depth|| after the last step, mean over seeds",
    "zero_share": "exact zeros among the entries of the weights' gradient at step 0, in the layer that has most, mean"
    " over seeds",
    "skipped_steps": "steps that dynamic loss scaling left out, mean over seeds",
    "accuracy": "test accuracy after the last step, mean over the evaluation seeds",
    "accuracy_low": "lower end of its 95 % t-interval",
    "accuracy_high": "upper end",
    "against_best": "`best` where that is the highest of this device and these axes; another row is `within` 0.02 of"
    " it or `worse` where a one-sided t-test paired by seed shows so, each with Holm's correction over all rows of the"
    " device at level 0.05, and otherwise `undecided`; empty without training or a second seed",
    "accuracy_gain": "its difference to the baseline, paired by seed",
    "accuracy_gain_low": "lower end of its 95 % t-interval",
    "accuracy_gain_high": "upper end",
    "trainable_depth": "greatest depth up to which every depth that was trained reaches the target for the median seed",
    "steps_to_target": "updates after which the median seed's validation accuracy, looked at every 25th step, first"
    " reaches the target; infinite where it never does",
    "seconds_to_target": "the same times the latency of a step",
    "on_front": "whether no other row of the same axes is as good in step_ratio, memory_ratio, |decay|, trainable_depth"
    " and seconds_to_target, and better in one; empty where it is not timed",
    "cost_status": "how its timing ended; `missing` before it is timed, empty where it is not to be",
    "cost_reason": "that status in words",
    "form": "blocks of both timed networks, unrolled or scanned",
    "step_ratio": "step time over the baseline's, median over interleaved rounds",
    "step_ratio_low": "lower end of its 95 % bootstrap interval",
    "step_ratio_high": "upper end",
    "step_verdict": "FASTER or SLOWER than the baseline by over 3 %, SAME within, or UNCLEAR; of the whole interval",
    "rounds": "interleaved rounds that were timed",
    "outlying_rounds": "those whose ratio lies far from the others; they count all the same",
    "latency": "median seconds of a plain step that is waited for",
    "examples_per_second": "batch size over the median seconds of a plain step in a queue of steps",
    "compile_seconds": "trace, lower and compile of the plain step",
    "persistent_cache": "whether jax could read the executable from its cache on disk in place of compiling it",
    "parameters": "trainable numbers",
    "step_flops": "floating-point operations of the matrix products in one step",
    "xla_flops": "all operations of one step by XLA's own count, which takes the body of a loop once",
    "flops_differ": "whether the two counts are over 20 % apart",
    "flops_per_second": "operations of the matrix products in a second where steps queue",
    "utilisation": "that over what plain matrix products of the shape that the blocks' have achieve beside it",
    "memory_ratio": "peak_bytes over the baseline's",
    "peak_bytes": "most memory that the compiled step holds at once, arguments included, as the executable tells it",
    "device_peak_bytes": "the same as the device's own statistics tell it, of a fresh process that runs the step alone;"
    " empty where it keeps none",
    "parameter_bytes": "memory of the parameters",
    "optimizer_bytes": "memory of the optimizer's state",
    "temporary_bytes": "scratch memory of the compiled step",
}
"""The columns of `load` and what they hold; any other swept axis stands in a column of its own name."""


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


def _best(run: Run) -> list[Standing | None]:
    return against_best([_outcome(entry) for entry in run.entries])


def _outcome(entry: Entry) -> Outcome | None:
    if entry.cell is None or entry.cell.training is None:
        return None
    accuracy = np.asarray(entry.cell.training.test_accuracy, np.float64)
    return Outcome(repr(entry.row.axes), entry.cell.case.seeds, accuracy)


def _values(run: Run, entry: Entry, best: Standing | None, known: list[str]) -> Iterator[tuple[str, Any]]:
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
    changes = {kind: change.value for kind, change in gradients.log10_kind_first_over_last.items()}
    known = {kind: change for kind, change in changes.items() if np.isfinite(change)}
    if known:
        kind = max(known, key=lambda kind: abs(known[kind]))
        yield "kind", kind
        yield "log10_kind_first_over_last", known[kind]
        yield "below_rounding", bool(gradients.below_rounding.any())


def _interval(name: str, interval: Interval) -> Iterator[tuple[str, float]]:
    yield name, interval.value
    yield f"{name}_low", interval.low
    yield f"{name}_high", interval.high
