"""Lines with labels at their ends: lines that lie on one another share one, and no two labels overlap."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import numpy as np
from jaxtyping import Float
from scipy.optimize import isotonic_regression

from vgbench.pictures.panels import Chart, Layers, Look, Rows, Span, View, rounded, tooltip

GAP = 11
"""Pixels from one label to the next."""
_LEAD = 14
"""Pixels from the end of the axis to the labels."""
_LIMIT = 190
"""Pixels of a label."""


def spread(places: Float[np.ndarray, "places"], gap: int, end: int) -> Float[np.ndarray, "places"]:
    """The nearest places that keep their order and lie `gap` apart, between 0 and `end` where all fit."""
    if not len(places):
        return places
    order = np.argsort(places, kind="stable")
    offsets = gap * np.arange(len(places))
    nearest = isotonic_regression(places[order] - offsets).x
    found = np.empty(len(places))
    found[order] = np.clip(nearest, 0, max(0, end - offsets[-1])) + offsets
    return found


def merged(rows: Rows, value: str, span: Span, tolerance: float) -> Rows:
    """The rows of a panel with one line for all mitigations whose lines lie on one another.

    Args:
        rows: with the columns `mitigation` and `value`, a line for each mitigation.
        value: the height of the lines.
        span: of the heights.
        tolerance: share of the span up to which lines lie on one another.

    Returns:
        The rows of the first mitigation of each line, with the names of all in the column `names`.
    """
    lines = {name: span.share(group[value]) for name, group in rows.groupby("mitigation", sort=False)}
    shared: dict[str, list[str]] = {}
    for name, line in lines.items():
        twins = (first for first in shared if _coincide(lines[first], line, tolerance))
        shared.setdefault(next(twins, name), []).append(name)
    kept = rows[rows["mitigation"].isin(list(shared))]
    return kept.assign(names=kept["mitigation"].map({first: ", ".join(names) for first, names in shared.items()}))


def _coincide(one: np.ndarray, other: np.ndarray, tolerance: float) -> bool:
    return one.shape == other.shape and bool((np.abs(one - other) <= tolerance).all())


@dataclass(frozen=True)
class Lines:
    """Lines in a panel.

    Attributes:
        x: the axis from left to right; the rows of each line are in its order.
        y: the column of the heights.
        title: of the heights.
        span: of the heights.
        each: the look of the slots.
        size: width and height of the panel in pixels; the height grows with the number of lines.
        tooltip: what hovering shows besides the names.
    """

    x: alt.X
    y: str
    title: str
    span: Span
    each: Look
    size: tuple[int, int]
    tooltip: Sequence[str]

    def drawn(
        self, rows: Rows, *, band: bool = False, points: bool = False, broken: str = "", above: Sequence[Chart] = ()
    ) -> View:
        """The panel of these rows, a line for each mitigation.

        Args:
            rows: with the columns `mitigation`, `slot`, that of `x` and that of `y`.
            band: whether the columns `low` and `high` are the ends of a band.
            points: whether each row is a point that was measured by itself.
            broken: a column at whose changes lines break, if any.
            above: what is drawn in front of the lines.
        """
        width, height = self.size
        lines = merged(rows, self.y, self.span, 0.5 / height)
        height = max(height, GAP * lines["mitigation"].nunique())
        y = alt.Y(f"{self.y}:Q", title=self.title, scale=self.span.scale(), axis=alt.Axis(tickCount=5))
        base = alt.Chart(lines).encode(
            self.x,
            self.each.color,
            detail=[alt.Detail(name) for name in ("mitigation:N", *([f"{broken}:N"] if broken else []))],
            opacity=self.each.opacity,
        )
        hovered = tooltip(["names:N", *self.tooltip])
        views: list[Chart] = [base.mark_line(strokeWidth=1.6).encode(y, tooltip=hovered)]
        if band:
            views.insert(
                0, base.mark_area(fillOpacity=0.13).encode(alt.Y("low:Q", scale=self.span.scale()), alt.Y2("high:Q"))
            )
        if points:
            views.append(base.mark_point(size=30).encode(y, self.each.shape, tooltip=hovered))
        return Layers([*views, *above, *self._labels(lines, width, height)], width, height)

    def _labels(self, lines: Rows, width: int, height: int) -> list[Chart]:
        """A label to the right of the panel for each line, with a thin lead from its end."""
        ends = lines.groupby("mitigation", sort=False).tail(1)
        places = height - spread((1 - self.span.share(ends[self.y])) * height, GAP, height)
        ends = ends.assign(label=rounded(self.span.at(places / height), 6))
        scale, base = self.span.scale(), alt.Chart(ends).encode(self.each.color, opacity=self.each.opacity)
        lead = base.mark_rule(strokeWidth=0.6, strokeOpacity=0.6).encode(
            self.x, alt.Y(f"{self.y}:Q", scale=scale), x2=alt.X2Value(width + _LEAD - 2), y2=alt.Y2("label:Q")
        )
        text = alt.Chart(ends).mark_text(align="left", baseline="middle", fontSize=10, limit=_LIMIT)
        named = text.encode(
            x=alt.XValue(width + _LEAD),
            y=alt.Y("label:Q", scale=scale),
            text=alt.Text("names:N"),
            opacity=self.each.opacity,
            tooltip=tooltip(["names:N"]),
        )
        return [lead, named]
