"""The roofline: how fast each step computes at its intensity, under what the device did in the same run."""

from collections.abc import Sequence
from textwrap import wrap
from typing import Any, Literal

import altair as alt
import numpy as np
import pandas as pd

from vgbench.pictures.compose import Definition, small_multiples
from vgbench.pictures.lines import spread
from vgbench.pictures.panels import Chart, Layers, Look, Rows, Span, View, log_span, rounded, tooltip
from vgbench.pictures.style import NEUTRAL
from vgbench.records.runs import Entry, Run
from vgbench.report.charts.places import compared_panels, places
from vgbench.report.roofline import intensity, roof, share

_WIDTH, _HEIGHT = 152, 170
"""The size of a panel in pixels: with axis and labels as wide as a column of a paper, or a phone. The height grows with
the number of labels."""
_FONT, _GAP, _LEAD, _LIMIT = 8, 9, 12, 108
"""Of the labels: size, pixels from one to the next and from the panel, and pixels that one may take."""
_BEYOND = 1.6
"""How far the panel goes beyond the corner of the roof, for the words there."""
_ROOM = 50
"""Pixels that the words on the left of the slope need."""
_WORDS = 68
"""Pixels of the words above the flat part."""
_LETTERS = 46
"""Of a line of a panel's title."""
_DIGITS = ((1,), (1, 3), (1, 2, 5), range(1, 10))
"""Leading digits of ticks, the coarsest first."""
_NUMBERS = ["intensity", "achieved", "product", "copy", "share"]
_ENDS = _NUMBERS[:2]
_TOOLTIP = ["mitigation:N", "slot:N", "intensity:Q", "achieved:Q", "share:Q"]


def roofline(runs: Sequence[Run], frame: pd.DataFrame) -> Definition | None:
    """A panel for each place and reference: operations a second of each step against its operations a byte.

    The roof is the lower of what plain products achieve and of what a plain copy allows (Williams, Waterman & Patterson
    2009), each the median over the rows of the panel, which were all timed together with products and a copy of their
    own. Rows whose roof was not measured are left out.
    """
    rows = [{**words, **_numbers(entry)} for words, entry in places(runs)]
    data: Rows = pd.DataFrame(rows, columns=["panel", "mitigation", "slot", *_NUMBERS])
    data["panel"] = compared_panels(data["panel"], frame["reference"])
    data = data.dropna(subset=_NUMBERS).reset_index(drop=True)
    data[_NUMBERS] = rounded(data[_NUMBERS], 4)
    definition = small_multiples(data, _panel, columns=1, legend=3)
    for panel in definition["concat"] if definition else ():
        panel["title"] = {"text": wrap(panel["title"], _LETTERS), "fontSize": _FONT + 2} if "title" in panel else ""
    return definition


def _numbers(entry: Entry) -> dict[str, float]:
    cost = entry.cost and entry.cost.cost
    if not (cost and roof(cost) > 0 and cost.flops_per_second > 0):  # neither is, where it is not a number
        return {}
    product = float(np.median(cost.product_flops_per_second))
    numbers = intensity(cost), cost.flops_per_second, product, cost.bytes_per_second, share(cost)
    return dict(zip(_NUMBERS, numbers, strict=True))


def _panel(rows: Rows, each: Look) -> Sequence[View]:
    product, copy = float(rows["product"].median()), float(rows["copy"].median())
    height = max(_HEIGHT, _GAP * len(rows))
    across = log_span(rows["intensity"], product / copy * _BEYOND)
    up = log_span(rows["achieved"], product * _BEYOND)
    x = alt.X("intensity:Q", title="FLOP/byte", scale=across.scale(), axis=_axis(across, "~g"))
    y = alt.Y("achieved:Q", title="achieved FLOP/s", scale=up.scale(), axis=_axis(up, "~s"))
    base = alt.Chart(rows.assign(label=_labels(rows, up, height))).encode(each.color, opacity=each.opacity)
    lead = base.mark_rule(strokeWidth=0.5, strokeOpacity=0.6).encode(
        x, y, x2=alt.value(_WIDTH + _LEAD - 2), y2="label:Q"
    )
    points = base.mark_point(size=34).encode(x, y, each.shape, tooltip=tooltip(_TOOLTIP))
    text = alt.Chart(base.data).mark_text(align="left", baseline="middle", fontSize=_FONT, limit=_LIMIT)
    named = text.encode(
        alt.Y("label:Q", scale=up.scale()),
        x=alt.value(_WIDTH + _LEAD),
        text="mitigation:N",
        opacity=each.opacity,
        tooltip=tooltip(_TOOLTIP),
    )
    # The words stand at the right end, or at the left one where points would lie on them.
    right, above = across.share(rows["intensity"]) * _WIDTH, (up.share(rows["achieved"]) - up.share(product)) * height
    side = "left" if ((right > _WIDTH - _WORDS) & (above > -4) & (above < 14)).any() else "right"
    return [Layers([*_roof(product, copy, across, up, (x, y), side), lead, points, named], _WIDTH, height)]


def _labels(rows: Rows, up: Span, height: int) -> np.ndarray:
    """Where the names are along the right edge, in the numbers of the axis: near their points, and none on another."""
    places = height - spread((1 - up.share(rows["achieved"])) * height, _GAP, height)
    return rounded(up.at(places / height), 6)


def _roof(
    product: float, copy: float, across: Span, up: Span, axes: tuple[alt.X, alt.Y], side: Literal["left", "right"]
) -> list[Chart]:
    """The roof as far as the panel shows it, and what its two parts are; the flat one on its left or right."""
    ridge, start = product / copy, max(across.low, up.low / copy)
    sloping = [(start, start * copy), (ridge, product)] if start < ridge else [(across.low, product)]
    corners = [*sloping, (across.high, product)]
    line = alt.Chart(pd.DataFrame(corners, columns=_ENDS)).mark_line(color=NEUTRAL, strokeWidth=1.4).encode(*axes)
    middle = np.sqrt(start * ridge)
    fits = across.share(middle) * _WIDTH > _ROOM
    beside: dict[str, Any] = {"align": "right", "dx": -6} if fits else {"align": "left", "dx": 6}
    shown = (across.share(ridge) - across.share(start)) * _WIDTH > _FONT  # of the slope
    return [
        line,
        _note("plain products", corners[-1 if side == "right" else -2][0], product, axes, align=side, dy=-6),
        *([_note("plain copy", middle, middle * copy, axes, **beside)] if shown else []),
    ]


def _note(text: str, x: float, y: float, axes: tuple[alt.X, alt.Y], **place: Any) -> Chart:
    at = pd.DataFrame([(float(rounded(x)), float(rounded(y)))], columns=_ENDS)
    return alt.Chart(at).mark_text(fontSize=_FONT, color=NEUTRAL, text=text, **place).encode(*axes)


def _axis(span: Span, form: str) -> alt.Axis:
    """Ticks at powers of ten, or at round numbers between them where few of those are on the axis."""
    powers = range(int(np.floor(np.log10(span.low))), int(np.ceil(np.log10(span.high))) + 1)
    grids = [[digit * 10.0**power for power in powers for digit in digits] for digits in _DIGITS]
    within = [[value for value in grid if span.low <= value <= span.high] for grid in grids]
    ticks = next((values for values in within if len(values) > 1), within[-1])
    return alt.Axis(format=form, values=ticks, grid=False, labelFontSize=_FONT, titleFontSize=_FONT + 0.5)
