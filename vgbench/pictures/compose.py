"""Pictures of several panels as one definition.

Altair makes the views. This module joins them as plain Vega-Lite definitions, since Altair would copy each many times.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import altair as alt

from vgbench.pictures.panels import Look, Rows, View, look

Definition = dict[str, Any]
"""A picture in Vega-Lite's grammar, without a theme."""
Stacked = Literal["vconcat", "hconcat"]


def small_multiples(
    data: Rows,
    draw: Callable[[Rows, Look], Sequence[View]],
    stacked: Stacked = "vconcat",
    columns: int | None = None,
    legend: int = 5,
) -> Definition | None:
    """Draw one panel for each value of the column `panel`.

    Args:
        data: a frame with the columns `panel` and `slot`, and those that `draw` uses.
        draw: makes the views of a panel, from its rows and the look of the picture's slots.
        stacked: the arrangement of the views in a panel.
        columns: the number of panels side by side; two if None.
        legend: slots in a row of the legend.

    Returns:
        The definition; None if `data` is empty.
    """
    if data.empty:
        return None
    each = look(data["slot"], legend)
    datasets: Definition = {}
    drawn = [
        _joined([_plain(view, datasets) for view in draw(data[data["panel"] == panel], each)], stacked, title=panel)
        for panel in dict.fromkeys(data["panel"])
    ]
    return _whole({"concat": drawn, "columns": columns or 2, "spacing": 30, "resolve": _SHARED}, datasets)


def table(key: Definition, blocks: Sequence[tuple[str, Sequence[View]]]) -> Definition:
    """Blocks one below the other, each a title and the views of its columns, which share their rows.

    Args:
        key: a title above all, which says what the marks mean.
        blocks: from top to bottom.
    """
    datasets: Definition = {}
    drawn = []
    for title, views in blocks:
        columns = [_plain(view, datasets) for view in views]
        block: Definition = {"hconcat": columns, "spacing": 6, "bounds": "flush", "resolve": _SHARED}
        drawn.append({**block, **({"title": title} if title else {})})
    return _whole({"title": key, "vconcat": drawn, "spacing": 16, "resolve": _SHARED}, datasets)


def facets(data: Rows, draw: Callable[[Rows], View], columns: int = 5) -> Definition | None:
    """For each panel of `data` a row of small pictures, one per mitigation; None if `data` is empty."""
    if data.empty:
        return None
    datasets: Definition = {}
    drawn = []
    for panel, rows in data.groupby("panel", sort=False):
        names = list(dict.fromkeys(rows["mitigation"]))
        facet = alt.Facet("mitigation:N", sort=names, title=None, header=alt.Header(labelPadding=2))
        drawn.append({**_plain(draw(rows).facet(facet, columns=columns, spacing=12), datasets), "title": panel})
    return _whole({"vconcat": drawn}, datasets)


def alone(view: alt.TopLevelMixin) -> Definition:
    """A single chart as a definition."""
    datasets: Definition = {}
    return _whole(_plain(view, datasets), datasets)


_SHARED = {"scale": dict.fromkeys(("color", "shape"), "shared")}


def _plain(chart: Any, datasets: Definition) -> Definition:
    """The definition of a chart without schema and configuration; its data is moved to `datasets`."""
    with alt.data_transformers.enable("default", max_rows=None):  # whatever the caller has enabled
        drawn = chart.to_dict(validate=False)  # tests validate; it takes longer than the drawing
    datasets.update(drawn.pop("datasets", {}))
    return {name: value for name, value in drawn.items() if name not in ("$schema", "config")}


def _joined(views: list[Definition], stacked: Stacked, title: str) -> Definition:
    joined = views[0] if len(views) == 1 else {stacked: views}
    return {**joined, "title": title} if title else joined


def _whole(joined: Definition, datasets: Definition) -> Definition:
    """The picture of these panels; those that react to a choice in the legend react to the same one."""
    views = []
    for panel in _panels(joined):
        for unit in (unit for unit in panel.get("layer", [panel]) if _reacts(unit)):
            unit["name"] = f"chosen_{len(views)}"
            views.append(unit["name"])
            break
    select = {"type": "point", "fields": ["slot"]}
    params = [{"name": "chosen", "select": select, "bind": "legend", "views": views}] if views else []
    return {"$schema": alt.SCHEMA_URL, **joined, **({"params": params} if params else {}), "datasets": datasets}


def _panels(part: Definition) -> Iterator[Definition]:
    inner = [each for name in ("concat", "vconcat", "hconcat") for each in part.get(name, [])]
    for each in inner:
        yield from _panels(each)
    if not inner:
        yield part


def _reacts(unit: Definition) -> bool:
    return "param" in unit.get("encoding", {}).get("opacity", {}).get("condition", {})
