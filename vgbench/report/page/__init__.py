"""The report as one page in one file: findings, tables, pictures and the details of every cell.

Nothing is loaded from anywhere, and no script runs but the two whose digests the page's policy names, so that text from
suite files stays text even where it is made to look like markup.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import vl_convert
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from vgbench.pictures.compose import Definition, alone
from vgbench.pictures.single import MOMENTS, SINGLES, forward_layers, gradient_layers, timing_rounds
from vgbench.pictures.style import DARK, LIGHT
from vgbench.records.runs import Entry
from vgbench.records.schema import CellRecord, CostRecord
from vgbench.report.charts import PICTURES
from vgbench.report.charts.curves import curves_of
from vgbench.report.claims import NOTE, effect
from vgbench.report.columns.column import Bold
from vgbench.report.report import Report
from vgbench.report.tables import header, informative, legend, shown_under


def page(report: Report) -> str:
    """The page of a run as HTML."""
    entries = [entry for run in report.runs for entry in run.entries]
    table = informative(report.table)
    data = {
        "themes": {"light": LIGHT, "dark": DARK},
        "pictures": report.pictures,
        "views": _views(),
        "cells": [_details(entry) for entry in entries],
    }
    scripts = [_bundle(), _asset("page.js")]
    return (
        _environment()
        .from_string(_asset("page.html.jinja"))
        .render(
            report=report,
            columns=_columns(table),
            rows=[_row(row, entry) for row, entry in zip(table.to_dict("records"), entries, strict=True)],
            filters=_filters(table),
            pictures={name: PICTURES[name].title for name in report.pictures},
            legend=legend(table),
            claims_note=NOTE,
            effect=effect,
            style=Markup(_asset("page.css")),  # ours, as the scripts are
            scripts=[Markup(script) for script in scripts],
            policy=_policy(scripts),
            data=_embedded(data),
        )
    )


def _embedded(data: Any) -> Markup:
    """JSON that cannot end the element that it stands in."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def _policy(scripts: list[str]) -> str:
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    # Vega makes functions of the definitions' expressions, which are ours.
    return f"default-src 'none'; script-src {allowed} 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:"


@cache
def _bundle() -> str:
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")


@cache
def _views() -> dict[str, Definition]:

    return {
        name: {"title": single.title, **alone(single.view(alt.NamedData("cell")))} for name, single in SINGLES.items()
    }


@cache
def _environment() -> Environment:
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)


@cache
def _asset(name: str) -> str:
    return (resources.files("vgbench.report.page") / name).read_text()


def _columns(table: pd.DataFrame) -> list[dict[str, Any]]:
    shown = {name: shown_under(name) for name in map(str, table.columns)}
    return [
        {"name": name, "head": header(name), "text": each.align == "left", "side": each.side}
        for name, each in shown.items()
    ]


def _row(row: dict[str, Any], entry: Entry) -> dict[str, Any]:
    cells = {name: {"text": str(text), "bold": isinstance(text, Bold)} for name, text in row.items()}
    return {"cells": cells, "outcome": _outcome(entry)}


def _outcome(entry: Entry) -> str:
    """How a row ended, by which readers can filter the table."""
    if not entry.cell or entry.cell.status != "ok" or (entry.row.cost_id and not (entry.cost and entry.cost.cost)):
        return "not ok"
    curves = entry.cell.training
    if curves is None:
        return "not trained"
    return "trains" if curves.trained == len(curves.test_accuracy) else "does not train"


def _filters(table: pd.DataFrame) -> dict[str, list[str]]:
    """The axes that a table can be narrowed by, and their values."""
    axes = [name for name in map(str, table.columns) if shown_under(name).side == "row" and name != "mitigation"]
    values = {axis: list(dict.fromkeys(map(str, table[axis]))) for axis in axes}
    return {axis: known for axis, known in values.items() if len(known) > 1}


def _details(entry: Entry) -> dict[str, Any]:
    """What a row's own window shows: its outcome, its case, its origin and its pictures."""
    pictures = {name: table.to_dict("records") for name, table in _pictures(entry)}
    facts = [*_facts("measurement", entry.cell), *_training_facts(entry), *_facts("timing", entry.cost)]
    case = entry.cell.case.model_dump(mode="json") if entry.cell else {}
    return {"title": entry.row.label, "facts": facts, "case": json.dumps(case, indent=1), "pictures": pictures}


def _facts(what: str, record: CellRecord | CostRecord | None) -> Iterator[tuple[str, str]]:
    if record is None:
        yield what, "missing"
        return
    yield what, f"{record.status}: {record.reason}" if record.reason else record.status
    attempts = f", attempt {record.attempts}" if record.attempts > 1 else ""
    yield f"{what} began", f"{record.started}, took {record.seconds:.1f} s{attempts}"
    yield f"{what} by", str(record.provenance)


def _training_facts(entry: Entry) -> Iterator[tuple[str, str]]:
    curves = entry.cell.training if entry.cell else None
    if curves is not None:
        means = curves.tuning_accuracy.mean(axis=1) if curves.tuning_accuracy.size else [float("nan")]
        tried = [f"{rate:.3g} ({mean:.3f})" for rate, mean in zip(curves.learning_rates, means, strict=True)]
        none = " (none better than chance)" if curves.none_better_than_chance else ""
        yield "learning rate", f"{curves.learning_rate:.3g}{none}; tried, with validation accuracy: {', '.join(tried)}"
        yield "test accuracy by seed", ", ".join(f"{value:.3f}" for value in curves.test_accuracy)


def _pictures(entry: Entry) -> Iterator[tuple[str, pd.DataFrame]]:
    if entry.cell and entry.cell.gradients:
        yield "layers", gradient_layers(dict(_norms(entry.cell)))
    if entry.cell and entry.cell.forward:
        signal = entry.cell.forward
        yield "forward", forward_layers(signal.log10_activation_scale, signal.log10_pair_distance)
    if entry.cell and entry.cell.training:
        yield "curves", curves_of(entry.cell.training)
    if entry.cost and entry.cost.cost:
        yield "rounds", timing_rounds(entry.cost.cost.step_seconds, entry.cost.cost.reference_seconds)


def _norms(cell: CellRecord) -> Iterator[tuple[str, np.ndarray]]:
    if cell.gradients:
        yield MOMENTS[0], cell.gradients.log10_activation_norm
    if cell.training:
        yield MOMENTS[1], cell.training.snapshots.log10_activation_norm[:, -1]
