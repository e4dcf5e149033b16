"""What depth does: to the test metric, and to the time, the memory and the compilation of a step."""

from collections.abc import Callable, Sequence

import altair as alt
import pandas as pd

from vgbench.pictures.compose import Definition, small_multiples
from vgbench.pictures.lines import Lines
from vgbench.pictures.panels import Look, Rows, Span, View, log_span, rounded, span
from vgbench.pictures.style import HEIGHT, NEUTRAL, WIDTH
from vgbench.records.runs import Run
from vgbench.report.charts.places import grow_with, places
from vgbench.report.columns import metric_of
from vgbench.spec.metric import ACCURACY

_COSTS = {
    "latency": ("time of a step, ms", 1e3),
    "peak_bytes": ("peak memory of a step, MiB", 2**-20),
    "compile_seconds": ("trace, lower and compile, s", 1.0),
}


def metric_by_depth(runs: Sequence[Run], frame: pd.DataFrame) -> Definition | None:
    """The test metric with its t-interval against depth; None for a single depth."""
    data, depth, metric = _against_depth(runs, frame, "test_metric"), _axis(runs), metric_of(frame)
    if data is None:
        return None

    def panel(rows: Rows, each: Look) -> Sequence[View]:
        x, heights = depth(rows), Span(0.0, 1.0) if metric == ACCURACY else span(rows[[*_METRIC, "target"]])
        base = alt.Chart(rows).encode(x, each.color, opacity=each.opacity)
        target = alt.Chart(rows.head(1)).mark_rule(color=NEUTRAL, strokeDash=[2, 3]).encode(alt.Y("target:Q"))
        ends = alt.Y("test_metric_low:Q", scale=heights.scale()), alt.Y2("test_metric_high:Q")
        interval = base.mark_rule(strokeWidth=1.2).encode(*ends)
        shown, title = ["depth:Q", *(f"{name}:Q" for name in _METRIC)], f"test {metric.name if metric else 'metric'}"
        lines = Lines(x, "test_metric", title, heights, each, (WIDTH, HEIGHT), shown)
        return [lines.drawn(rows, points=True, above=[target, interval])]

    return small_multiples(data, panel)


def cost_by_depth(runs: Sequence[Run], frame: pd.DataFrame) -> Definition | None:
    """Time, memory and compilation of a step by depth; lines break where blocks change from unrolled to scanned."""
    data, depth = _against_depth(runs, frame, "latency"), _axis(runs)
    if data is None:
        return None
    for name, (_, unit) in _COSTS.items():
        data[name] = rounded(data[name] * unit, 4)

    def panel(rows: Rows, each: Look) -> Sequence[View]:
        return [
            Lines(
                depth(rows), name, title, log_span(rows[name]), each, (190, HEIGHT), ["depth:Q", f"{name}:Q", "form:N"]
            ).drawn(rows, points=True, broken="form")
            for name, (title, _) in _COSTS.items()
        ]

    return small_multiples(data, panel, stacked="hconcat", columns=1)


def _axis(runs: Sequence[Run]) -> Callable[[Rows], alt.X]:
    """The axis of the depth, which names what grows with it."""
    title = " and ".join(["depth", *grow_with(runs, "depth")])

    def depth(rows: Rows) -> alt.X:
        depths = sorted({int(depth) for depth in rows["depth"]})
        return alt.X("depth:Q", title=title, scale=log_span(depths).scale(), axis=alt.Axis(values=depths, format=",d"))

    return depth


def _against_depth(runs: Sequence[Run], frame: pd.DataFrame, needed: str) -> pd.DataFrame | None:
    """The rows of the panels in which `needed` is known at two depths or more; None where there is no such panel."""
    where = pd.DataFrame([place for place, _ in places(runs, "depth")])
    data: Rows = frame.drop(columns="mitigation").join(where).dropna(subset=needed)
    data = data[data.groupby("panel")["depth"].transform("nunique") > 1]
    return None if data.empty else data[[*where, *_USED]].reset_index(drop=True)


_METRIC = ["test_metric", "test_metric_low", "test_metric_high"]
_USED = ["depth", *_METRIC, "target", "form", *_COSTS]
