"""Two runs held against each other, cell by cell: what changed in decay, training and cost beyond noise."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from vgbench.measure.pairs import TOLERANCE
from vgbench.records.origin import Device, device_names
from vgbench.records.runs import Entry, read_runs
from vgbench.records.schema import RESULTS
from vgbench.statistics import Interval, bootstrap_ratio, first_over_last, t_interval

Judgement = Literal["BETTER", "WORSE", "SAME", "UNCLEAR"]

DECADES, METRIC = 0.01, 0.01
"""Differences of the gradient's decades over the whole depth and of the test metric up to which cells are the same."""

_MEMORY = "peak memory"


@dataclass(frozen=True)
class Change:
    """One figure of one cell, in both runs.

    Attributes:
        device: what it ran on; across devices that of the first run and that of the second.
        cell: mitigation and axes, in words.
        what: the figure's name.
        before: in the first run.
        after: in the second.
        judgement: of the whole interval of their difference or ratio, against what counts as the same.
    """

    device: str
    cell: str
    what: str
    before: str
    after: str
    judgement: Judgement


@dataclass(frozen=True)
class Comparison:
    """What changed between two runs.

    Attributes:
        changes: every figure of the cells that are in both.
        only_before: cells of the first run alone, and devices that it alone was measured on, in words.
        only_after: of the second alone.
    """

    changes: tuple[Change, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]

    def count(self, judgement: Judgement) -> int:
        """How many figures are judged so."""
        return sum(change.judgement == judgement for change in self.changes)


def compare(before: str | Path, after: str | Path, *, across_devices: bool = False) -> Comparison:
    """Compare the records of two runs; a cell is the same where its case and its device are, as far as it is known.

    Gradients and test metrics are compared by seed, with t-intervals; costs by the ratio to the reference, which a
    machine's moods leave alone, with a bootstrap interval over both runs' rounds, and by peak memory.

    Args:
        before: folder of a run.
        after: folder of another.
        across_devices: compare each device of the first run with each of the second, in all that another device should
            reproduce; peak memory, which compilers decide, is left out.

    Raises:
        InputError: a folder holds no run, or a damaged record.
    """
    first, second = (dict(_entries(Path(root))) for root in (before, after))
    names = device_names(device for device, *_ in [*first, *second])
    if across_devices:
        return _across(first, second, names)
    changes = (
        change for key, old in first.items() if key in second for change in _changes(names[key[0]], old, second[key])
    )
    return Comparison(
        changes=tuple(changes),
        only_before=tuple(_only(first, second, names)),
        only_after=tuple(_only(second, first, names)),
    )


_Entries = dict[tuple[Device, str, str], Entry]
"""By the device, the cell and its reference."""


def _entries(root: Path) -> Iterator[tuple[tuple[Device, str, str], Entry]]:
    for run in read_runs(root):
        for entry in run.entries:
            yield (run.manifest.provenance.device, entry.row.cell_id, entry.row.reference_id), entry


def _across(first: _Entries, second: _Entries, names: dict[Device, str]) -> Comparison:
    here, there = (list(dict.fromkeys(device for device, *_ in run)) for run in (first, second))
    changes = (
        change
        for one in here
        for other in there
        for (device, *cell), old in first.items()
        if device == one and (other, *cell) in second
        for change in _changes(f"{names[one]}, {names[other]}", old, second[other, cell[0], cell[1]])
        if change.what != _MEMORY
    )
    cells = [{tuple(cell): entry for (_, *cell), entry in run.items()} for run in (first, second)]
    only = (tuple(entry.row.label for cell, entry in cells[i].items() if cell not in cells[1 - i]) for i in (0, 1))
    return Comparison(tuple(changes), *only)


def _only(here: _Entries, there: _Entries, names: dict[Device, str]) -> Iterator[str]:
    devices = {device for device, *_ in there}
    yield from dict.fromkeys(f"all of {names[device]}" for device, *_ in here if device not in devices)
    yield from (entry.row.label for key, entry in here.items() if key[0] in devices and key not in there)


def _changes(device: str, old: Entry, new: Entry) -> Iterator[Change]:
    def change(what: str, before: str, after: str, judgement: Judgement) -> Change:
        return Change(device, old.row.label, what, before, after, judgement)

    if old.cell and new.cell:
        statuses = old.cell.status, new.cell.status
        yield change("status", *statuses, _by_status(*statuses))
        if old.cell.gradients and new.cell.gradients:
            before, after = (_decades(entry) for entry in (old, new))
            lost = _judge(t_interval(np.abs(after) - np.abs(before)), -DECADES, DECADES)
            yield change("first/last", f"{before.mean():+z,.2f}", f"{after.mean():+z,.2f}", lost)
        if old.cell.training and new.cell.training:
            metric = new.cell.training.metric
            before, after = (entry.test_metric.astype(np.float64) for entry in (old.cell.training, new.cell.training))
            worse = _judge(t_interval(metric.score(before) - metric.score(after)), -METRIC, METRIC)
            yield change(f"test {metric.name}", f"{before.mean():.3f}", f"{after.mean():.3f}", worse)
    if old.cost and new.cost and old.cost.cost and new.cost.cost:
        costs = old.cost.cost, new.cost.cost
        rounds = [cost.step_seconds / cost.reference_seconds for cost in costs]
        slower = _judge(bootstrap_ratio(rounds[1], rounds[0]), 1 - TOLERANCE, 1 + TOLERANCE)
        yield change("step ratio", f"{costs[0].ratio.value:.2f}", f"{costs[1].ratio.value:.2f}", slower)
        first, second = (cost.memory.peak for cost in costs)
        if first:
            grown = _judge(Interval(*[second / first] * 3), 1 - TOLERANCE, 1 + TOLERANCE)
            yield change(_MEMORY, f"{first:,} B", f"{second:,} B", grown)


def _decades(entry: Entry) -> np.ndarray:
    assert entry.cell is not None
    assert entry.cell.gradients is not None
    return first_over_last(entry.cell.gradients.log10_activation_norm)


def _by_status(before: str, after: str) -> Judgement:
    if before == after:
        return "SAME"
    if (before in RESULTS) != (after in RESULTS):
        return "BETTER" if after in RESULTS else "WORSE"
    return "BETTER" if after == "ok" else "WORSE" if before == "ok" else "UNCLEAR"


def _judge(worsening: Interval, low: float, high: float) -> Judgement:
    """Judge a figure of which less is better, by where its whole interval lies; a single seed's by itself."""
    bottom, top = (worsening.value if np.isnan(end) else end for end in worsening[1:])
    if bottom > high:
        return "WORSE"
    if top < low:
        return "BETTER"
    return "SAME" if low <= bottom and top <= high else "UNCLEAR"
