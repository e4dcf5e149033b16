"""The parts of a picture: panels, lines with distinct colours and shapes, and rounded numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import altair as alt
import numpy as np

from vgbench.pictures.style import BASELINE_COLOR, BASELINE_SHAPE, COLORS, SHAPES
from vgbench.spec.suite import BASELINE

LINES = len(COLORS)
"""Largest number of mitigations in a panel besides the baseline; more need further panels."""
POINTS = 130
"""Largest number of points of a line, evenly spaced, including the first and the last."""
NORM = "log10 of ‖∂L/∂h‖"
"""The axis title of the back-propagated gradient's norm."""
MARKS = 6
"""Approximate number of shapes along a line."""
SIZES = [200, 120, 85, 60, 45, 34, 26]
"""Sizes of the shapes, the baseline's first."""

View = alt.Chart | alt.LayerChart | alt.FacetChart
"""A chart with one pair of axes (`FacetChart` only because of the annotation of `alt.layer`)."""
Rows: TypeAlias = Any
"""A pandas frame; `Any`, since the annotations of pandas do not distinguish columns from frames."""


def thinned(length: int, points: int = POINTS) -> np.ndarray:
    """At most `points` evenly spaced indices from 0 to `length - 1`."""
    return np.unique(np.linspace(0, length - 1, points).round().astype(int))


def rounded(values: Any, digits: int = 5) -> np.ndarray:
    """Round numbers to `digits` significant digits, enough for a picture; non-finite ones become NaN."""
    flat = [float(f"{x:.{digits}g}") if np.isfinite(x) else float("nan") for x in np.ravel(values)]
    return np.asarray(flat, np.float64).reshape(np.shape(values))


@dataclass(frozen=True)
class Series:
    """A group of mitigations in the same panels, and how they are distinguished.

    Attributes:
        names: the names, the baseline first.
        color: one colour per mitigation.
        shape: one shape per mitigation.
        size: the size of each shape; shapes in front are smaller, so that those behind them remain visible.
        opacity: full for the mitigations that a reader has chosen in the legend, at first all.
    """

    names: list[str]
    color: alt.Color
    shape: alt.Shape
    size: alt.Size
    opacity: Any


def series(names: Sequence[str]) -> list[Series]:
    """Divide mitigations, in their order, into groups of at most `LINES`; the baseline is in all of them."""
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
    """A line for each mitigation, with its shape at some points, which differ where lines coincide."""
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
    """The limits of a scale that shows all finite values, with a margin."""
    flat = np.concatenate([np.ravel(np.asarray(each, np.float64)) for each in values])
    flat = flat[np.isfinite(flat)]
    low, high = (float(flat.min()), float(flat.max())) if len(flat) else (0.0, 1.0)
    margin = 0.04 * (high - low) or 0.5
    return [float(end) for end in rounded([low - margin, high + margin])]


def layer_axis(title: str = "layer (1 is nearest the input)") -> alt.X:
    """Layers or time steps from left to right."""
    return alt.X("layer:Q", title=title, scale=alt.Scale(nice=False), axis=alt.Axis(tickMinStep=1))
