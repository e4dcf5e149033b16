"""Records as a pandas frame: one row a cell and device, numbers only rounded by whoever prints them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vgbench.errors import InputError
from vgbench.records.runs import Entry, Run, origins, read_runs, swept
from vgbench.records.schema import Row
from vgbench.report.benefit import Merits, on_front, reaches_target, seconds_to_target, trainable_depth
from vgbench.report.best import Outcome, against_best
from vgbench.report.columns import columns_of
from vgbench.report.columns.column import Column
from vgbench.report.columns.source import Source


def load(directory: str | Path, *, price: float | None = None) -> pd.DataFrame:
    """Read the records of a run as a frame with a row for each cell, in the order of the suite.

    `vgbench.report.columns.COLUMNS` says what each column holds, as does the documentation's page of columns. Any other
    swept axis has a column of its own name before them.

    Args:
        directory: that a run has written.
        price: of an hour of one device, for the column `price_to_target`.

    Raises:
        InputError: no records are there, one is damaged, or the price is not positive or for several devices.
    """
    return frame(read_runs(Path(directory)), price)


def frame(runs: Sequence[Run], price: float | None = None) -> pd.DataFrame:
    """One row for each entry of `runs`; with a price of an hour of one device also that of reaching the target.

    Raises:
        InputError: the price is not positive, or for several devices.
    """
    _check(price, runs)
    known, columns = list(origins(runs)), columns_of(swept(runs))
    rows = [_row(replace(source, price=price), columns) for run in runs for source in _sources(run, known)]
    return pd.DataFrame(rows, columns=[column.name for column in columns])


def _check(price: float | None, runs: Sequence[Run]) -> None:
    if price is None:
        return
    if not (np.isfinite(price) and price > 0):
        raise InputError(f"price: {price:g} is not a positive number (the price of an hour of one device)")
    if len(devices := {run.device for run in runs}) > 1:
        raise InputError(
            f"price: an hour has one for each of {', '.join(sorted(devices))}; report one device at a time"
        )


def _row(source: Source, columns: Sequence[Column]) -> dict[str, Any]:
    """The values that are known; of what is swept also before it is measured."""
    values = {column.name: column.value(source) for column in columns}
    return {**source.entry.row.axes, **{name: value for name, value in values.items() if value is not None}}


def _sources(run: Run, known: list[str]) -> list[Source]:
    entries, deepest = run.entries, _trainable_depths(run)
    depths = [deepest.get(_line(entry)) for entry in entries]
    groups = [(repr(entry.row.axes), entry.row.reference_id) for entry in entries]
    merits = [_merits(entry, depth) for entry, depth in zip(entries, depths, strict=True)]
    fronts = on_front([each and (group, each) for group, each in zip(groups, merits, strict=True)])
    ranks = against_best([_outcome(entry) for entry in entries])
    rows: dict[str, Row] = {}
    for entry in entries:
        rows.setdefault(entry.row.cell_id, entry.row)
    return [
        Source(run, entry, rows.get(entry.row.reference_id), known, rank, depth, front)
        for entry, rank, depth, front in zip(entries, ranks, depths, fronts, strict=True)
    ]


def _line(entry: Entry) -> str:
    """What rows have in common that differ in depth alone."""
    return repr((entry.row.mitigation, {name: value for name, value in entry.row.axes.items() if name != "depth"}))


def _trainable_depths(run: Run) -> dict[str, int]:
    trains: dict[str, dict[int, bool]] = {}
    for entry in run.entries:
        if entry.cell and entry.cell.training:
            trains.setdefault(_line(entry), {})[entry.cell.case.depth] = reaches_target(entry.cell.training)
    return {line: trainable_depth(reached) for line, reached in trains.items()}


def _merits(entry: Entry, depth: int | None) -> Merits | None:
    cost, unknown = entry.cost and entry.cost.cost, float("nan")
    if cost is None:
        return None
    gradients, training = (entry.cell.gradients, entry.cell.training) if entry.cell else (None, None)
    seconds = seconds_to_target(training, cost)
    return Merits(
        step_ratio=cost.ratio.value,
        memory_ratio=cost.memory_ratio,
        decay=abs(gradients.decay.value) if gradients else unknown,
        depth=unknown if depth is None else -depth,
        seconds=unknown if seconds is None else seconds,
    )


def _outcome(entry: Entry) -> Outcome | None:
    if entry.cell is None or entry.cell.training is None:
        return None
    curves = entry.cell.training
    return Outcome(
        repr(entry.row.axes), entry.cell.case.seeds, curves.metric.score(np.asarray(curves.test_metric, np.float64))
    )
