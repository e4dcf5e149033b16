"""The parts of a picture: rounded numbers, the span of an axis, and how slots are distinguished."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import altair as alt
import numpy as np
from jaxtyping import Float

from vgbench.pictures.style import LOOKS

POINTS = 130
"""Largest number of points of a line, evenly spaced, including the first and the last."""
NORM = "log10 of ‖∂L/∂h‖"
"""The axis title of the back-propagated gradient's norm."""

Chart = alt.Chart | alt.LayerChart | alt.FacetChart
"""One pair of axes, drawn by Altair (`FacetChart` only because of the annotation of `alt.layer`)."""


@dataclass(frozen=True)
class Layers:
    """Charts on one pair of axes, which are joined as plain definitions, since `alt.layer` copies each of them.

    Attributes:
        charts: the last is in front.
        width: in pixels.
        height: in pixels.
        more: other properties of the panel, as Vega-Lite names them.
    """

    charts: Sequence[Chart]
    width: int
    height: int
    more: Mapping[str, Any] = field(default_factory=dict)


View = Chart | Layers
"""A panel with one pair of axes."""
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
class Span:
    """The numbers from one end of an axis to the other, evenly spaced or by their logarithms."""

    low: float
    high: float
    log: bool = False

    def share(self, values: Any) -> Float[np.ndarray, "..."]:
        """How far along the axis numbers lie: 0 at the lower end, 1 at the upper one."""
        low, high, given = (self._bent(each) for each in (self.low, self.high, values))
        return np.asarray((given - low) / (high - low))

    def at(self, share: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """The numbers that lie so far along the axis."""
        low, high = self._bent(self.low), self._bent(self.high)
        found = low + (high - low) * np.asarray(share)
        return np.asarray(np.exp(found) if self.log else found)

    def _bent(self, values: Any) -> Float[np.ndarray, "..."]:
        given = np.asarray(values, np.float64)
        return np.asarray(np.log(given)) if self.log else given

    def scale(self) -> alt.Scale:
        """The span as Vega-Lite's scale."""
        return alt.Scale(type="log" if self.log else "linear", domain=[self.low, self.high], nice=False, clamp=True)


def span(*values: Any) -> Span:
    """The span that shows all finite values, with a margin."""
    flat = np.concatenate([np.ravel(np.asarray(each, np.float64)) for each in values])
    flat = flat[np.isfinite(flat)]
    low, high = (float(flat.min()), float(flat.max())) if len(flat) else (0.0, 1.0)
    margin = 0.04 * (high - low) or 0.5
    low, high = rounded([low - margin, high + margin])
    return Span(float(low), float(high))


def log_span(*values: Any) -> Span:
    """The same by logarithms, for positive values."""
    shown = span(*(np.log10(np.asarray(each, np.float64)) for each in values))
    low, high = rounded([10**shown.low, 10**shown.high])
    return Span(float(low), float(high), log=True)


@dataclass(frozen=True)
class Look:
    """How the slots of a picture are distinguished.

    Attributes:
        color: a colour for each slot.
        shape: a shape for each slot.
        opacity: full for the slot that a reader has chosen in the legend, at first for all.
    """

    color: alt.Color
    shape: alt.Shape
    opacity: alt.OpacityValue


def tooltip(fields: Iterable[str]) -> list[alt.Tooltip]:
    """What hovering shows: fields with their types, such as `depth:Q`; numbers have their thousands apart.

    As objects: of each field that is given to `encode` as text, Altair hashes the schemas of all its classes anew.
    """
    return [alt.Tooltip(field) if field.endswith(":N") else alt.Tooltip(field, format=",") for field in fields]


def look(slots: Iterable[str], columns: int = 5) -> Look:
    """The look of these slots, the same in every picture, with a legend of so many columns."""
    there = set(slots)
    names = [name for name in LOOKS if name in there]
    colors, shapes = zip(*(LOOKS[name] for name in names), strict=True)
    legend = alt.Legend(values=names, symbolOpacity=1, orient="top", columns=columns, columnPadding=8)
    common: dict[str, Any] = {"title": None, "sort": names, "legend": legend}
    chosen = alt.selection_point(name="chosen", fields=["slot"], bind="legend")
    return Look(
        alt.Color("slot:N", scale=alt.Scale(domain=names, range=list(colors)), **common),
        alt.Shape("slot:N", scale=alt.Scale(domain=names, range=list(shapes)), **common),
        alt.OpacityValue.from_dict(dict(alt.condition(chosen, alt.value(1), alt.value(0.1))), validate=False),
    )


def whole_layers(rows: Rows) -> alt.Axis:
    """An axis of layers, whose ticks are whole numbers: by `tickMinStep` alone Vega shows halves of three layers."""
    return alt.Axis(tickMinStep=1, tickCount=min(6, int(rows["layer"].max() - rows["layer"].min())))


def back_to_input(rows: Rows) -> alt.X:
    """Layers from the last one, where the backward pass begins, to the first."""
    ends = [int(rows["layer"].min()), int(rows["layer"].max())]
    scale = alt.Scale(domain=ends, reverse=True, nice=False)
    return alt.X("layer:Q", title="layer, on the way back to the input", scale=scale, axis=whole_layers(rows))
