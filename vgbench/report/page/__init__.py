"""The report as one page in one file: the answer, the table of cost and benefit, pictures, the details of every cell.

Nothing is loaded from anywhere. Text from suite files stays text even where it is made to look like markup: no script
runs but the one whose digest the page's policy names, and those that this one unpacks.
"""

import base64
import hashlib
import json
from functools import cache
from importlib import resources
from typing import Any

import altair as alt
import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from vgbench.pictures.compose import Definition, alone
from vgbench.pictures.single import SINGLES
from vgbench.pictures.style import DARK, LIGHT
from vgbench.records.runs import Entry, swept
from vgbench.report.charts import PICTURES
from vgbench.report.cite import bibtex
from vgbench.report.claims import effect, note
from vgbench.report.columns.row import DEVICE
from vgbench.report.outcomes import OUTCOMES, outcome
from vgbench.report.page.cells import HEIGHT, WIDTH, bars, cells, profiles
from vgbench.report.page.details import details
from vgbench.report.page.drawing import drawing_scripts
from vgbench.report.page.pack import compressed, picture_by_column
from vgbench.report.report import Report
from vgbench.report.reproduce import cell_command, command
from vgbench.report.tables import header, informative, legend, shown_under, with_room

ANSWERS = ("answer", "answer-narrow")
"""Pictures that the page begins with: one of the two, by its width."""
_PROFILE = "profile"


def page(report: Report) -> str:
    """The page of a run as HTML."""
    entries = [entry for run in report.runs for entry in run.entries]
    table = informative(report.table)
    origins: list[str] = []
    shown = _details(report, entries, origins)
    data = {
        "themes": {"light": LIGHT, "dark": DARK},
        "pictures": {name: picture_by_column(picture) for name, picture in report.pictures.items()},
        "views": _views(),
        "cells": shown,
        "origins": origins,
    }
    script = _asset("page.js")
    return (
        _environment()
        .from_string(_asset("page.html.jinja"))
        .render(
            report=report,
            columns=_columns(table, [DEVICE, *swept(report.runs)]),
            rows=_rows(report, table, entries),
            filters=_filters(table),
            answers=[name for name in ANSWERS if name in report.pictures and not report.checks],
            pictures={name: PICTURES[name].title for name in report.pictures if name not in ANSWERS},
            titles={name: picture.title for name, picture in PICTURES.items()},
            legend=_legend(table),
            outcomes=OUTCOMES,
            command=command(report.runs),
            bibtex=bibtex(report.runs),
            further=report.further,
            claims_note=note(report.claims),
            effect=effect,
            profile={"width": WIDTH, "height": HEIGHT},
            style=Markup(_asset("page.css")),  # ours, as the script is
            script=Markup(script),
            policy=_policy(script),
            drawing=drawing_scripts(),
            data=compressed(json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)),
        )
    )


def _details(report: Report, entries: list[Entry], origins: list[str]) -> list[dict[str, Any]]:
    several = len(report.runs) > 1
    devices = [run.device for run in report.runs for _ in run.entries]
    titles = [
        f"{entry.row.label}, {device}" if several else entry.row.label
        for entry, device in zip(entries, devices, strict=True)
    ]
    manifests = [run.manifest for run in report.runs for _ in run.entries]
    return [
        {**details(entry, title, origins), "command": cell_command(manifest, entry.row)}
        for entry, title, manifest in zip(entries, titles, manifests, strict=True)
    ]


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # The script makes a function of the drawing scripts, and Vega of the definitions' expressions; all are ours.
    scripts = f"'sha256-{digest}' 'unsafe-eval'"
    return f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:"


@cache
def _views() -> dict[str, Definition]:
    """The pictures of a row's details, whose parts are one below the other there."""
    views = {
        name: {"title": single.title, **alone(single.view(alt.NamedData("cell")))} for name, single in SINGLES.items()
    }
    return {
        name: {{"hconcat": "vconcat"}.get(part, part): value for part, value in view.items()}
        for name, view in views.items()
    }


@cache
def _environment() -> Environment:
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)


@cache
def _asset(name: str) -> str:
    return (resources.files("vgbench.report.page") / name).read_text()


def _columns(table: pd.DataFrame, axes: list[str]) -> list[dict[str, Any]]:
    """The columns, names first, with the profile after them; those that the page has no room for wait to be chosen."""
    first = with_room(table, ("index", "page"), axes)
    columns = [
        {"name": name, "head": header(name), "text": shown_under(name).align == "left", "first": name in first}
        for name in sorted(map(str, table.columns), key=lambda name: name != "mitigation")
    ]
    place = 1 + max(index for index, column in enumerate(columns) if shown_under(column["name"]).side == "row")
    profile = {"name": _PROFILE, "head": _PROFILE, "text": True, "first": True}
    return [*columns[:place], profile, *columns[place:]]


def _rows(report: Report, table: pd.DataFrame, entries: list[Entry]) -> list[dict[str, Any]]:
    parts = zip(table.to_dict("records"), entries, bars(report.frame), profiles(entries), strict=True)
    return [
        {"cells": cells(row), "outcome": outcome(entry), "bars": lengths, "profile": profile}
        for row, entry, lengths, profile in parts
    ]


def _legend(table: pd.DataFrame) -> dict[str, str]:
    shape = (
        "the gradient's norm at initialisation from the last layer (left) to the first, over that at the last one, on a"
        " logarithmic scale that all rows share; the thin line is no change"
    )
    return {**legend(table), _PROFILE: shape}


def _filters(table: pd.DataFrame) -> dict[str, list[str]]:
    """The axes that a table can be narrowed by, and their values."""
    axes = [name for name in map(str, table.columns) if shown_under(name).side == "row" and name != "mitigation"]
    values = {axis: list(dict.fromkeys(map(str, table[axis]))) for axis in axes}
    return {axis: known for axis, known in values.items() if len(known) > 1}
