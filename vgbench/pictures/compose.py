"""Small multiples as one definition; no panel has more lines than a reader can distinguish.

Altair makes the views. This module joins them as plain Vega-Lite definitions, since Altair would copy each many times.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, Literal

import altair as alt

from vgbench.pictures.panels import Rows, Series, View, series

Definition = dict[str, Any]
"""A picture in Vega-Lite's grammar, without a theme."""
Stacked = Literal["vconcat", "hconcat"]


def small_multiples(
    data: Rows,
    draw: Callable[[Rows, Series, Rows], Sequence[View]],
    stacked: Stacked = "vconcat",
    columns: int | None = None,
) -> Definition | None:
    """Draw one panel for each value of the column `panel`, in several groups if there are many mitigations.

    Args:
        data: a frame with the columns `panel` and `mitigation`, and those that `draw` uses.
        draw: makes the views of a panel, from its rows of the group's mitigations, the group, and its rows of all
            mitigations (for scales that are the same in all groups).
        stacked: the arrangement of the views in a panel.
        columns: the number of panels side by side; if None, two or, for more than four panels, three.

    Returns:
        The definition; None if `data` is empty.
    """
    if data.empty:
        return None
    panels = [(panel, data[data["panel"] == panel]) for panel in dict.fromkeys(data["panel"])]
    columns = columns or (2 if len(panels) <= 4 else 3)
    datasets: Definition = {}
    rows = []
    for each in series(list(dict.fromkeys(data["mitigation"]))):
        shown = [(panel, whole[whole["mitigation"].isin(each.names)], whole) for panel, whole in panels]
        drawn = [
            _joined([_plain(view, datasets) for view in draw(some, each, whole)], stacked, title=panel)
            for panel, some, whole in shown
            if len(some)
        ]
        if drawn:
            rows.append({"concat": drawn, "columns": columns, "resolve": _resolved("shared")})
    beside = len(panels) == 1 and stacked == "vconcat"
    how = {"concat": rows, "columns": 2} if beside else {"vconcat": rows}
    return _whole({**how, "resolve": _resolved("independent")}, datasets)


def facets(data: Rows, draw: Callable[[Rows], View], columns: int = 5) -> Definition | None:
    """For each panel of `data` a row of small pictures, one per mitigation; None if `data` is empty."""
    if data.empty:
        return None
    names = list(dict.fromkeys(data["mitigation"]))
    facet = alt.Facet("mitigation:N", sort=names, title=None, header=alt.Header(labelPadding=2))
    datasets: Definition = {}
    drawn = [
        {**_plain(draw(rows).facet(facet, columns=columns, spacing=12), datasets), "title": panel}
        for panel, rows in data.groupby("panel", sort=False)
    ]
    return _whole({"vconcat": drawn}, datasets)


def alone(view: alt.TopLevelMixin) -> Definition:
    """A single chart as a definition."""
    datasets: Definition = {}
    return _whole(_plain(view, datasets), datasets)


def _plain(chart: Any, datasets: Definition) -> Definition:
    """The definition of a chart without schema and configuration; its data is moved to `datasets`."""
    with alt.data_transformers.enable("default", max_rows=None):  # whatever the caller has enabled
        drawn = chart.to_dict(validate=False)  # tests validate; it takes longer than the drawing
    datasets.update(drawn.pop("datasets", {}))
    return {name: value for name, value in drawn.items() if name not in ("$schema", "config")}


def _joined(views: list[Definition], stacked: Stacked, title: str) -> Definition:
    joined = views[0] if len(views) == 1 else {stacked: views}
    return {**joined, "title": title} if title else joined


def _resolved(how: Literal["shared", "independent"]) -> Definition:
    return {"scale": dict.fromkeys(("color", "shape", "size"), how)}


def _whole(joined: Definition, datasets: Definition) -> Definition:
    named = [(choice, unit) for panel in _panels(joined) for choice, unit in _first_choice(panel)]
    params = []
    for choice, group in groupby(named, key=lambda pair: pair[0]):
        views = []
        for number, (_, unit) in enumerate(group):
            unit["name"] = f"{choice}_{number}"
            views.append(unit["name"])
        select = {"type": "point", "fields": ["mitigation"]}
        params.append({"name": choice, "select": select, "bind": "legend", "views": views})
    return {"$schema": alt.SCHEMA_URL, **joined, **({"params": params} if params else {}), "datasets": datasets}


def _panels(part: Definition) -> Iterator[Definition]:
    inner = [each for name in ("concat", "vconcat", "hconcat") for each in part.get(name, [])]
    for each in inner:
        yield from _panels(each)
    if not inner:
        yield part


def _first_choice(panel: Definition) -> Iterator[tuple[str, Definition]]:
    """The first of a panel's layered views that reacts to a choice in the legend, with the choice's name."""
    for unit in panel.get("layer", [panel]):
        choice = unit.get("encoding", {}).get("opacity", {}).get("condition", {}).get("param")
        if choice:
            yield choice, unit
            return
