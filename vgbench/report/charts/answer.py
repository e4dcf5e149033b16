"""The picture that answers: what each mitigation achieves and what it costs, a row each, sorted by what it achieves."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from vgbench.pictures.compose import Definition, table
from vgbench.pictures.panels import Chart, Layers, Look, Rows, Span, View, log_span, look, rounded, span, tooltip
from vgbench.pictures.style import NEUTRAL
from vgbench.records.runs import Entry, Run
from vgbench.report.charts.places import compared_panels, places, ranked
from vgbench.report.columns import metric_of
from vgbench.report.predicted import relative_norms
from vgbench.spec.metric import ACCURACY, Metric


@dataclass(frozen=True)
class Layout:
    """The sizes of the picture, in pixels of 1/96 inch.

    Attributes:
        row: height of a row.
        names: width of the column of names.
        letters: of a name that there is room for.
        widths: of the other columns.
        titles: below them.
        font: size of the text.
        point: area of a point.
        legend: slots in a row of the legend.
        key: characters of a line above the picture that says what its marks mean.
    """

    row: int
    names: int
    letters: int
    widths: dict[str, int]
    titles: dict[str, str]
    font: float
    point: int
    legend: int
    key: int


WIDE = Layout(
    row=17,
    names=160,
    letters=23,
    widths={"lost": 140, "seeds": 46, "test_metric": 110, "step_ratio": 110, "memory_ratio": 66},
    titles={
        "lost": "decades lost on the way back",
        "seeds": "seeds",
        "test_metric": "test {metric}",
        "step_ratio": "time of a step, ratio",
        "memory_ratio": "memory, ratio",
    },
    font=10.5,
    point=55,
    legend=8,
    key=125,
)
"""As wide as a page of a paper, 7 inches."""
NARROW = Layout(
    row=12,
    names=88,
    letters=15,
    widths={"lost": 54, "seeds": 24, "test_metric": 44, "step_ratio": 42, "memory_ratio": 26},
    titles={
        "lost": "decades lost",
        "seeds": "seeds",
        "test_metric": "{metric}",
        "step_ratio": "time, ratio",
        "memory_ratio": "memory",
    },
    font=8.0,
    point=26,
    legend=4,
    key=75,
)
"""As wide as a column of a paper, 3.4 inches, or a phone."""
_KEY = {
    "fails": "Grey name: misses the target with a seed.",
    "trained": "Filled circle: a seed that reaches it.",
    "theory": "Tick: theory.",
    "lost_low": "Line: 95 % interval.",
    "zero": "∞: the gradient of a seed is exactly zero at the first layer.",
    "failed": "✗: nothing could be measured; the table says why.",
}
"""What the marks mean, by the column of the data without which they do not occur."""
_BARE = {"stroke": None}
_LINE = {"lost": 0.0, "step_ratio": 1.0, "memory_ratio": 1.0}
"""Where a column has a line for what does not change."""
_KNOWN = {"seeds": "trained"}
"""What is known where a column shows something, if not the column itself."""
_TICKS = ((0.1, 1.0, 10.0, 100.0), (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0), (0.7, 1.0, 1.5, 2.0), (0.8, 0.9, 1.0, 1.1))
"""Ticks of ratios, the coarsest first."""
_APART = 1.8
"""From one tick to the next, in sizes of the text."""


def answer(runs: Sequence[Run], frame: pd.DataFrame, layout: Layout = WIDE) -> Definition | None:
    """A block for each place and reference, but for references alone; of a run without any other row, all rows.

    Columns share the rows: decades of the gradient lost from the last layer to the first (a tick for theory), seeds
    that reach the target (filled), the test metric, and the ratios of time and memory, with their 95 % intervals. Grey
    rows do not reach the target with every seed; a cross is a cell that failed before anything was measured.
    """
    data = _data(runs, frame)
    if data.empty:
        return None
    blocks = [block for _, block in data.groupby("panel", sort=False)]
    blocks = [block for block in blocks if len(block) > 1 or not block["is_reference"].all()] or blocks
    shown: Rows = pd.concat(blocks)
    columns = [name for name in layout.widths if shown[_KNOWN.get(name, name)].notna().any()]
    metric = metric_of(frame)
    picture = _Picture(layout, look(shown["slot"], layout.legend), columns, _spans(shown, metric), metric)
    meanings = " ".join(meaning for name, meaning in _KEY.items() if shown[name].fillna(0).any())
    key = {"text": wrap(meanings, layout.key), "fontSize": layout.font, "fontWeight": "normal"}
    return table(
        key, [(block["panel"].iloc[0], picture.views(block.assign(row=range(len(block))))) for block in blocks]
    )


def _data(runs: Sequence[Run], frame: pd.DataFrame) -> Rows:
    theory = relative_norms(runs)
    found = [{**place, **_lost(entry, theory.get(entry.row.cell_id))} for place, entry in places(runs)]
    order = {id(entry): number for number, (_, entry) in enumerate(ranked(runs))}
    data: Rows = frame.drop(columns="mitigation").join(pd.DataFrame(found))
    data["panel"] = compared_panels(data["panel"], frame["reference"])
    data["order"] = [order[id(entry)] for _, entry in places(runs)]
    data["is_reference"] = frame["mitigation"] == frame["reference"]
    data["zero"] = data["lost"] == np.inf
    data["fails"] = (data["trained"] < data["seeds"]).astype(bool)
    measured = data[["lost", "trained", "step_ratio"]].notna().any(axis=1)
    data["failed"] = measured.eq(False) & ~data["status"].isin(["ok", "missing"])
    data = data[measured | (data["failed"] & measured.any())]
    words = ["panel", "mitigation", "slot", "fails", "zero", "failed", "is_reference"]
    intervals = [f"{name}{end}" for name in ("lost", "test_metric", "step_ratio") for end in ("", "_low", "_high")]
    numbers = ["trained", "seeds", "target", *intervals, "theory", "memory_ratio"]
    data = data.sort_values("order")[[*words, *numbers]].reset_index(drop=True)
    data[numbers] = rounded(data[numbers], 4)
    return data


def _lost(entry: Entry, predicted: Sequence[float] | None) -> dict[str, float]:
    """Decades that the gradient loses from the last layer to the first, with their interval, and theory's."""
    if not (entry.cell and entry.cell.gradients):
        return dict.fromkeys(("lost", "lost_low", "lost_high", "theory"), float("nan"))
    change = entry.cell.gradients.log10_first_over_last
    expected = float("nan") if predicted is None else -predicted[0]
    return {"lost": -change.value, "lost_low": -change.high, "lost_high": -change.low, "theory": expected}


def _spans(shown: Rows, metric: Metric | None) -> dict[str, Span]:
    """The axes that all blocks share, so that they can be compared."""
    results = span(shown[["test_metric", "test_metric_low", "test_metric_high", "target"]].to_numpy())
    ratio = log_span(shown[["step_ratio_low", "step_ratio_high"]].to_numpy(), 1.0)
    return {
        # Beyond 1, or its label would touch that of a ratio of 1 where the next column begins.
        "test_metric": Span(0.0, 1.1) if metric == ACCURACY else results,
        "step_ratio": ratio,
        "memory_ratio": log_span(shown["memory_ratio"].to_numpy(), 1.0),
    }


@dataclass(frozen=True)
class _Picture:
    """The views of a block: its names, and the columns that share its rows."""

    layout: Layout
    look: Look
    columns: Sequence[str]
    spans: dict[str, Span]
    metric: Metric | None

    def views(self, block: Rows) -> list[View]:
        """The views from left to right."""
        return [self._names(block), *(self._column(block, name) for name in self.columns)]

    def _height(self, block: Rows) -> int:
        return self.layout.row * len(block)

    def _names(self, block: Rows) -> View:
        limit = self.layout.names - 6
        text = {"align": "right", "baseline": "middle", "fontSize": self.layout.font, "limit": limit}
        block = block.assign(name=[_shortened(name, self.layout.letters) for name in block["mitigation"]])
        base = alt.Chart(block).encode(x=alt.XValue(limit), y=_rows(block, None), text=alt.Text("name:N"))
        reached = base.transform_filter("!datum.fails").mark_text(**text)
        failed = base.transform_filter("datum.fails").mark_text(**text, color=NEUTRAL)
        return Layers([reached, failed], self.layout.names, self._height(block), {"view": _BARE})

    def _column(self, block: Rows, name: str) -> View:
        if block[_KNOWN.get(name, name)].isna().all():
            blank = alt.Chart(block.head(1)).mark_point(opacity=0)
            return Layers([blank], self.layout.widths[name], self._height(block), {"view": _BARE})
        guide = alt.Axis(labels=False, ticks=False, domain=False, title=None, grid=True, gridOpacity=0.35)
        y, width = _rows(block, guide), self.layout.widths[name]
        drawn = self._seeds(block, y) if name == "seeds" else self._estimates(block, name, y)
        return Layers(drawn, width, self._height(block), {"view": _BARE})

    def _seeds(self, block: Rows, y: alt.Y) -> list[Chart]:
        tried = block.dropna(subset="trained")
        most = int(block["seeds"].max())
        rows = [
            {**row, "seed": seed, "reached": seed <= row["trained"]}
            for row in tried.to_dict("records")
            for seed in range(1, int(row["seeds"]) + 1)
        ]
        data = pd.DataFrame(rows, columns=[*tried, "seed", "reached"])
        scale = alt.Scale(domain=[0.4, most + 0.6], nice=False)
        x = alt.X(
            "seed:Q",
            title=self.layout.titles["seeds"],
            scale=scale,
            axis=self._axis(labels=False, ticks=False, titlePadding=self.layout.font + 10),
        )
        size = min(self.layout.point, (self.layout.widths["seeds"] / (most + 1)) ** 2)
        base = alt.Chart(data).encode(
            x, y, color=self._ink(), tooltip=tooltip(["mitigation:N", "trained:Q", "seeds:Q"])
        )
        ring = base.mark_point(filled=False, size=size, strokeWidth=1, shape="circle")
        return [ring, base.transform_filter("datum.reached").mark_point(size=size, shape="circle")]

    def _estimates(self, block: Rows, name: str, y: alt.Y) -> list[Chart]:
        axis = self.spans.get(name) or span(block[["lost_low", "lost_high", "theory"]].to_numpy(), 0.0)
        width, font = self.layout.widths[name], self.layout.font
        ticks: dict[str, Any] = {"tickCount": 3 if width > 100 else 2}
        if axis.log:
            ticks = {"values": _ticks(axis, _APART * font / width), "format": "~g"}  # 1 is 1, also beside 1.5
        title = self.layout.titles[name].format(metric=self.metric.name if self.metric else "metric")
        x = alt.X(f"{name}:Q", title=title, scale=axis.scale(), axis=self._axis(**ticks))
        base = alt.Chart(block).encode(y)
        views: list[Any] = []
        if name in _LINE:
            views.append(alt.Chart(pd.DataFrame({name: [_LINE[name]]})).mark_rule(color=NEUTRAL).encode(x))
        if name == "test_metric":
            views.append(alt.Chart(block.head(1)).mark_rule(color=NEUTRAL, strokeDash=[2, 3]).encode(alt.X("target:Q")))
        if name == "lost":
            tick = base.mark_tick(thickness=1.2, size=0.75 * self.layout.row)
            views.append(tick.encode(alt.X("theory:Q"), tooltip=tooltip(["mitigation:N", "theory:Q"])))
            ends = (("zero", "∞", "right", width), ("failed", "✗", "left", 0))
            for what, mark, align, place in ends:
                text: dict[str, Any] = {"text": mark, "align": align, "baseline": "middle", "fontSize": 1.4 * font}
                if block[what].any():
                    beside = base.transform_filter(f"datum.{what}").mark_text(**text)
                    views.append(beside.encode(alt.XValue(place), color=self._ink()))
        shown = ["mitigation:N", "slot:N", f"{name}:Q"]
        if f"{name}_low" in block:
            ends = alt.X(f"{name}_low:Q"), alt.X2(f"{name}_high:Q")
            views.append(base.mark_rule(strokeWidth=1.3).encode(*ends, color=self._ink()))
            shown += [f"{name}_low:Q", f"{name}_high:Q"]
        look = {"color": self._ink(), "shape": self.look.shape, "opacity": self.look.opacity}
        points = base.mark_point(size=self.layout.point, strokeWidth=0).encode(x, tooltip=tooltip(shown), **look)
        return [*views, points]

    def _axis(self, **ticks: Any) -> alt.Axis:
        small = self.layout.font - 0.5
        return alt.Axis(labelFontSize=small, titleFontSize=small, grid=False, **ticks)

    def _ink(self) -> Any:
        """The slot's colour, or grey where the row fails."""
        return alt.condition("datum.fails", alt.value(NEUTRAL), self.look.color)


def _rows(block: Rows, axis: alt.Axis | None) -> alt.Y:
    """The rows of a block, also those of which a column knows nothing."""
    return alt.Y("row:O", axis=axis, scale=alt.Scale(domain=list(block["row"])))


def _shortened(name: str, letters: int) -> str:
    """A long name without some of its middle: such names differ in their ends more than where they begin."""
    head = letters // 3
    return name if len(name) <= letters else f"{name[:head]}…{name[len(name) - letters + head + 1 :]}"


def _ticks(axis: Span, apart: float) -> list[float]:
    """The coarsest ticks of which two or more lie on the axis; where they are dense, every second or third beside 1.

    Args:
        axis: of ratios, on which 1 lies.
        apart: share of the axis from one tick to the next.
    """
    within = [[value for value in ticks if axis.low <= value <= axis.high] for ticks in _TICKS]
    ticks = next((ticks for ticks in within if len(ticks) > 1), [1.0])
    sparser = (ticks[ticks.index(1.0) % step :: step] for step in range(1, len(ticks)))
    return next((some for some in sparser if (np.diff(axis.share(some)) >= apart).all()), [1.0])
