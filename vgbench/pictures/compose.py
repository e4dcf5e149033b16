"""Pictures of several panels as one definition.

Altair makes the views. This module joins them as plain Vega-Lite definitions, since Altair would copy each many times.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from math import ceil, isfinite
from typing import Any, Literal

import altair as alt

from vgbench.pictures.panels import Chart, Layers, Look, Rows, View, look

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
    datasets = _Datasets()
    drawn = [
        _joined([datasets.plain(view) for view in draw(data[data["panel"] == panel], each)], stacked, title=panel)
        for panel in dict.fromkeys(data["panel"])
    ]
    there = {row.get("slot") for rows in datasets.tables.values() for row in rows}
    for panel in drawn:
        _keep_in_legends(panel, there)
    return _whole({"concat": drawn, "columns": columns or 2, "spacing": 30, "resolve": _SHARED}, datasets.tables)


def table(key: Definition, blocks: Sequence[tuple[str, Sequence[View]]]) -> Definition:
    """Blocks one below the other, each a title and the views of its columns, which share their rows.

    Args:
        key: a title above all, which says what the marks mean.
        blocks: from top to bottom.
    """
    datasets = _Datasets()
    drawn = []
    for title, views in blocks:
        columns = [datasets.plain(view) for view in views]
        block: Definition = {"hconcat": columns, "spacing": 6, "bounds": "flush", "resolve": _SHARED}
        drawn.append({**block, **({"title": title} if title else {})})
    return _whole({"title": key, "vconcat": drawn, "spacing": 16, "resolve": _SHARED}, datasets.tables)


def facets(data: Rows, draw: Callable[[Rows], Chart], columns: int = 5) -> Definition | None:
    """For each panel of `data` rows of at most `columns` small pictures, one a mitigation; None if `data` is empty."""
    if data.empty:
        return None
    datasets = _Datasets()
    drawn = []
    for panel, rows in data.groupby("panel", sort=False):
        names = list(dict.fromkeys(rows["mitigation"]))
        across = ceil(len(names) / ceil(len(names) / columns))  # evenly: Vega draws an axis below each empty place
        facet = alt.Facet("mitigation:N", sort=names, title=None, header=alt.Header(labelPadding=2))
        drawn.append({**datasets.plain(draw(rows).facet(facet, columns=across, spacing=12)), "title": panel})
    return _whole({"vconcat": drawn}, datasets.tables)


def alone(view: alt.TopLevelMixin) -> Definition:
    """A single chart as a definition."""
    datasets = _Datasets()
    return _whole(datasets.plain(view), datasets.tables)


_SHARED = {"scale": dict.fromkeys(("color", "shape"), "shared")}


class _Datasets:
    """The tables of a picture by their names, each converted once, which Altair does for every view of it.

    Attributes:
        tables: the rows of each.
    """

    def __init__(self) -> None:
        self.tables: Definition = {}
        self._known: dict[int, tuple[Rows, str]] = {}

    def named(self, rows: Rows) -> Definition:
        """A frame as Vega-Lite's named data; equal frames share a name."""
        if id(rows) not in self._known:
            columns = {str(name): [_value(value) for value in column.tolist()] for name, column in rows.items()}
            name = f"data-{hashlib.sha256(json.dumps(columns).encode()).hexdigest()[:32]}"
            self.tables[name] = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
            self._known[id(rows)] = rows, name  # with the frame, so that no other one gets its place in memory
        return {"name": self._known[id(rows)][1]}

    def plain(self, view: Any) -> Definition:
        """The definition of a view without schema and configuration; its data is among the tables."""
        if isinstance(view, Layers):
            return {
                "layer": list(map(self.plain, view.charts)),
                "width": view.width,
                "height": view.height,
                **view.more,
            }
        alt.data_transformers.register("vgbench", self.named)
        with alt.data_transformers.enable("vgbench"):  # whatever the caller has enabled
            drawn = view.to_dict(validate=False)  # tests validate; it takes longer than the drawing
        self.tables.update(drawn.pop("datasets", {}))
        return {name: value for name, value in drawn.items() if name not in ("$schema", "config")}


def _value(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value


def _keep_in_legends(part: Any, there: Collection[str | None]) -> None:
    """Leave out of all legends the slots of which nothing is drawn, since other lines lie on all of theirs."""
    legend: Any = part.get("legend") if isinstance(part, dict) else None
    if isinstance(legend, dict) and "values" in legend:
        legend["values"] = [slot for slot in legend["values"] if slot in there]
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        _keep_in_legends(inner, there)


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
