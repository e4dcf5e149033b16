"""The parts of a picture: panels, lines that are told apart, and numbers as far as a picture can show them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import altair as alt
import numpy as np

from vgbench.pictures.style import BASELINE_COLOR, BASELINE_SHAPE, COLORS, SHAPES
from vgbench.plain import one_line
from vgbench.records.runs import Entry, Run
from vgbench.spec.suite import BASELINE

LINES = len(COLORS)
"""Mitigations in a panel, beside the baseline; where there are more, there are more panels."""
POINTS = 130
"""Points that a line is drawn through at most, evenly spaced, the first and the last among them."""
MARKS = 6
"""Shapes along a line, about."""
SIZES = [200, 120, 85, 60, 45, 34, 26]
"""Of the shapes, the baseline's first."""

View = alt.Chart | alt.LayerChart | alt.FacetChart
"""A chart of one pair of axes; `alt.layer` says that it may be facets, which it is not here."""
Rows: TypeAlias = Any
"""A frame of pandas; its own annotations can't tell a column from a frame."""


def places(runs: Sequence[Run], *without: str) -> Iterator[tuple[dict[str, str], Entry]]:
    """Every entry with its mitigation and its panel in words: the axes but for `without`, and the device if several.

    On one line each: Vega writes names into expressions, whose strings no line separator may break.
    """
    several = len({str(run.manifest.provenance.device) for run in runs}) > 1
    for run in runs:
        device = [str(run.manifest.provenance.device)] if several else []
        for entry in run.entries:
            axes = [f"{name} {value}" for name, value in entry.row.axes.items() if name not in without]
            words = {"panel": ", ".join([*device, *axes]), "mitigation": entry.row.mitigation}
            yield {name: one_line(text) for name, text in words.items()}, entry


def thinned(length: int, points: int = POINTS) -> np.ndarray:
    """Indices of at most so many of `length` things, evenly spaced."""
    return np.unique(np.linspace(0, length - 1, points).round().astype(int))


def rounded(values: Any, digits: int = 5) -> np.ndarray:
    """Numbers to so many significant digits, all that a picture can show; what is not finite becomes NaN."""
    flat = [float(f"{x:.{digits}g}") if np.isfinite(x) else float("nan") for x in np.ravel(values)]
    return np.asarray(flat, np.float64).reshape(np.shape(values))


@dataclass(frozen=True)
class Series:
    """The mitigations of a row of panels and how they are told apart.

    Attributes:
        names: the baseline first.
        color: a colour each.
        shape: a shape each.
        size: of the shape, so that those in front leave something of the others to be seen.
        opacity: full for what a reader has chosen in the legend, which is everything at first.
    """

    names: list[str]
    color: alt.Color
    shape: alt.Shape
    size: alt.Size
    opacity: Any


def series(names: Sequence[str]) -> list[Series]:
    """Divide mitigations, in their order, into rows of a few; the baseline is in all of them."""
    others = [name for name in names if name != BASELINE]
    first = [BASELINE] if BASELINE in names else []
    parts = np.array_split(np.arange(len(others)), max(1, -(-len(others) // LINES)))
    return [_series(number, [*first, *(others[i] for i in part)]) for number, part in enumerate(parts)]


def _series(number: int, names: list[str]) -> Series:
    rest = iter(zip(COLORS, SHAPES, strict=True))
    looks = [(BASELINE_COLOR, BASELINE_SHAPE) if name == BASELINE else next(rest) for name in names]
    colors, shapes = map(list, zip(*looks, strict=True))
    common: dict[str, Any] = {"title": None, "sort": names, "legend": alt.Legend(symbolOpacity=1)}
    chosen = alt.selection_point(name=f"chosen{number}", fields=["mitigation"], bind="legend")
    return Series(
        names,
        alt.Color("mitigation:N", scale=alt.Scale(domain=names, range=colors), **common),
        alt.Shape("mitigation:N", scale=alt.Scale(domain=names, range=shapes), **common),
        alt.Size("mitigation:N", scale=alt.Scale(domain=names, range=SIZES[: len(names)]), **common),
        alt.condition(chosen, alt.value(1), alt.value(0.12)),
    )


def lines(rows: Rows, each: Series, x: alt.X, y: alt.Y, tooltip: Sequence[str]) -> list[alt.Chart]:
    """A line for each mitigation, and over it its shape here and there; beside each other where lines coincide."""
    data = rows.assign(marked=_marked(rows, each.names))
    base = alt.Chart(data).encode(x, y, each.color, opacity=each.opacity, tooltip=["mitigation:N", *tooltip])
    points = base.transform_filter("datum.marked").mark_point().encode(each.shape, each.size)
    return [base.mark_line(), points]


def _marked(rows: Rows, names: list[str]) -> np.ndarray:
    place = rows.groupby("mitigation", sort=False).cumcount().to_numpy()
    count = rows.groupby("mitigation", sort=False)["mitigation"].transform("size").to_numpy()
    turn = rows["mitigation"].map(names.index).to_numpy()
    every = np.maximum(1, count // MARKS)
    return place % every == turn * every // len(names)


def extent(*values: Any) -> list[float]:
    """The ends of a scale that shows all finite values, with a margin."""
    flat = np.concatenate([np.ravel(np.asarray(each, np.float64)) for each in values])
    flat = flat[np.isfinite(flat)]
    low, high = (float(flat.min()), float(flat.max())) if len(flat) else (0.0, 1.0)
    margin = 0.04 * (high - low) or 0.5
    return [float(end) for end in rounded([low - margin, high + margin])]


def layer_axis(title: str = "layer (1 is nearest the input)") -> alt.X:
    """Layers or time steps from left to right."""
    return alt.X("layer:Q", title=title, scale=alt.Scale(nice=False), axis=alt.Axis(tickMinStep=1))
