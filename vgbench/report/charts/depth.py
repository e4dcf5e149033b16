"""What depth does: to the accuracy, and to the time, the memory and the compilation of a step."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from vgbench.pictures.compose import Definition, small_multiples
from vgbench.pictures.panels import Rows, Series, View, lines, rounded
from vgbench.pictures.style import HEIGHT, NEUTRAL, WIDTH
from vgbench.records.runs import Run
from vgbench.report.charts.places import places

_COSTS = {
    "latency": ("time of a step, ms", 1e3),
    "peak_bytes": ("peak memory of a step, MiB", 2**-20),
    "compile_seconds": ("trace, lower and compile, s", 1.0),
}


def accuracy_by_depth(runs: Sequence[Run], frame: pd.DataFrame) -> Definition | None:
    """Test accuracy with its t-interval against depth, the trainable depth ringed; None for a single depth."""
    data = _against_depth(runs, frame, "accuracy")
    if data is None:
        return None
    data["ringed"] = (data["depth"] == data["trainable_depth"]).astype(bool)

    def panel(rows: Rows, each: Series, whole: Rows) -> Sequence[View]:
        x, y = _depth(whole), alt.Y("accuracy:Q", title="test accuracy", scale=alt.Scale(domain=[0, 1], clamp=True))
        base = alt.Chart(rows).encode(x, each.color, opacity=each.opacity)
        target = alt.Chart(rows.head(1)).mark_rule(color=NEUTRAL, strokeDash=[2, 3]).encode(alt.Y("target:Q"))
        interval = base.mark_rule(strokeWidth=1.5).encode(alt.Y("accuracy_low:Q"), alt.Y2("accuracy_high:Q"))
        ring = base.transform_filter("datum.ringed").mark_point(filled=False, size=260, strokeWidth=1.5).encode(y)
        drawn = lines(rows, each, x, y, ["depth:Q", "accuracy:Q", "accuracy_low:Q", "accuracy_high:Q"])
        return [alt.layer(target, interval, *drawn, ring, width=WIDTH, height=HEIGHT)]

    return small_multiples(data, panel)


def cost_by_depth(runs: Sequence[Run], frame: pd.DataFrame) -> Definition | None:
    """Time, memory and compilation of a step by depth; lines break where blocks change from unrolled to scanned."""
    data = _against_depth(runs, frame, "latency")
    if data is None:
        return None
    for name, (_, unit) in _COSTS.items():
        data[name] = rounded(data[name] * unit, 4)

    def panel(rows: Rows, each: Series, whole: Rows) -> Sequence[View]:
        sides = []
        for name, (title, _) in _COSTS.items():
            y = alt.Y(f"{name}:Q", title=title, scale=_log(whole[name]), axis=alt.Axis(tickCount=5))
            shown = ["depth:Q", f"{name}:Q", "form:N"]
            parts = [part for _, part in rows.groupby("form")]
            drawn = [view for part in parts for view in lines(part, each, _depth(whole), y, shown)]
            sides.append(alt.layer(*drawn, width=190, height=HEIGHT))
        return sides

    return small_multiples(data, panel, stacked="hconcat", columns=1)


def _depth(rows: Rows) -> alt.X:
    depths = sorted({int(depth) for depth in rows["depth"]})
    return alt.X("depth:Q", title="depth", scale=_log(rows["depth"]), axis=alt.Axis(values=depths, format="d"))


def _log(values: Rows) -> alt.Scale:
    return alt.Scale(type="log", nice=False, domain=[0.8 * float(values.min()), 1.25 * float(values.max())])


def _against_depth(runs: Sequence[Run], frame: pd.DataFrame, needed: str) -> pd.DataFrame | None:
    """The frame with panels, where `needed` is known at two depths or more; None elsewhere."""
    where = pd.DataFrame([place for place, _ in places(runs, "depth")])
    data: Rows = frame.drop(columns="mitigation").join(where).dropna(subset=needed)
    return data[[*where, *_USED]].reset_index(drop=True) if data["depth"].nunique() > 1 else None


_USED = ["depth", "accuracy", "accuracy_low", "accuracy_high", "trainable_depth", "target", "form", *_COSTS]
