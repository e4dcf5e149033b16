"""What the page shows of a row that a reader opens: outcome, evidence, pictures, the case to copy, sources."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from vgbench.pictures.single import MOMENTS, forward_layers, gradient_layers, timing_rounds
from vgbench.records.runs import Entry
from vgbench.records.schema import CellRecord, CostRecord
from vgbench.report.case_text import as_python, as_toml
from vgbench.report.charts.curves import curves_of
from vgbench.report.diagnosed import diagnosed
from vgbench.report.outcomes import outcome
from vgbench.report.page.pack import by_column
from vgbench.spec.case import Case
from vgbench.spec.registry import REGISTRIES


def details(entry: Entry, title: str, texts: list[str]) -> dict[str, Any]:
    """A row's details as JSON can hold them.

    Args:
        entry: the row and its records.
        title: its name, by which an address finds it.
        texts: all provenances that the page knows; the row's are added, and named by their place.
    """
    word, why = outcome(entry)
    case = entry.cell.case if entry.cell else None
    return {
        "title": title,
        "outcome": word,
        "why": why,
        "evidence": list(diagnosed(entry.cell).lines()) if entry.cell else [],
        "facts": [*_facts("measurement", entry.cell), *_training(entry), *_facts("timing", entry.cost)],
        "origins": [_place(text, texts) for text in dict.fromkeys(str(each.provenance) for each in entry.records)],
        "toml": as_toml(case) if case else "",
        "python": as_python(case) if case else "",
        "sources": list(sources(case)) if case else [],
        "pictures": {name: by_column(table.to_dict("records")) for name, table in _pictures(entry)},
    }


def _place(text: str, texts: list[str]) -> int:
    if text not in texts:
        texts.append(text)
    return texts.index(text)


def sources(case: Case) -> Iterator[tuple[str, str, str]]:
    """The slot, the name and the source of each component of a case."""
    for slot, registry in REGISTRIES.items():
        name = getattr(case, slot).name
        if name != "none":
            yield slot.replace("_", " "), name, registry[name].source


def _facts(what: str, record: CellRecord | CostRecord | None) -> Iterator[tuple[str, str]]:
    if record is None:
        yield what, "missing"
        return
    attempts = f", attempt {record.attempts}" if record.attempts > 1 else ""
    ended = f"{record.status}: {record.reason}" if record.reason else record.status
    yield what, f"{ended}; began {record.started}, took {record.seconds:,.1f} s{attempts}"


def _training(entry: Entry) -> Iterator[tuple[str, str]]:
    curves = entry.cell.training if entry.cell else None
    if curves is not None:
        means: Sequence[float] = curves.tuning_metric.mean(axis=1) if curves.tuning_metric.size else [float("nan")]
        tried = [f"{rate:.3g} ({mean:.3f})" for rate, mean in zip(curves.learning_rates, means, strict=True)]
        none = " (none better than chance)" if curves.none_better_than_chance else ""
        held_out = f"tried, with validation {curves.metric.name}"
        yield "learning rate", f"{curves.learning_rate:.3g}{none}; {held_out}: {', '.join(tried)}"
        yield f"test {curves.metric.name} by seed", ", ".join(f"{value:.3f}" for value in curves.test_metric)


def _pictures(entry: Entry) -> Iterator[tuple[str, pd.DataFrame]]:
    if entry.cell and entry.cell.gradients:
        yield "layers", gradient_layers(dict(_norms(entry.cell)))
    if entry.cell and entry.cell.training:
        yield "curves", curves_of(entry.cell.training)
    if entry.cell and entry.cell.forward:
        signal = entry.cell.forward
        yield "forward", forward_layers(signal.log10_activation_scale, signal.log10_pair_distance)
    if entry.cost and entry.cost.cost:
        yield "rounds", timing_rounds(entry.cost.cost.step_seconds, entry.cost.cost.reference_seconds)


def _norms(cell: CellRecord) -> Iterator[tuple[str, np.ndarray]]:
    if cell.gradients:
        yield MOMENTS[0], cell.gradients.log10_activation_norm
    if cell.training:
        yield MOMENTS[1], cell.training.snapshots.log10_activation_norm[:, -1]
