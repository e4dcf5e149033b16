"""Cost against benefit: what a step costs and how well the network trains with it, and the Pareto front of the two."""

from collections.abc import Sequence
from functools import partial

import altair as alt
import numpy as np
import pandas as pd

from vgbench.pictures.compose import Definition, small_multiples
from vgbench.pictures.panels import Layers, Look, Rows, Span, View, log_span, rounded, tooltip
from vgbench.pictures.point_labels import beside
from vgbench.pictures.style import NEUTRAL
from vgbench.records.runs import Run
from vgbench.report.benefit import on_front
from vgbench.report.charts.places import compared_panels, places
from vgbench.report.columns import metric_of
from vgbench.spec.metric import ACCURACY, Metric

_SMALLEST = {"change": 1e-5, "error": 1e-3}
"""What is shown of each benefit at least, for the logarithm."""
_DECAY = "|decay|, decades a layer"
_RATIO = ["step_ratio", "step_ratio_low", "step_ratio_high"]
_TOOLTIP = ["mitigation:N", "slot:N", *(f"{name}:Q" for name in _RATIO), "test_metric:Q", "decay:Q"]
_SIZE = 420, 300


def cost_and_benefit(runs: Sequence[Run], frame: pd.DataFrame) -> Definition | None:
    """The test error against the step ratio; where nothing is trained, how much the gradient changes by layer.

    Rows with different references have panels of their own, since their step ratios are not to be compared.
    """
    where = pd.DataFrame([place for place, _ in places(runs)])
    where["panel"] = compared_panels(where["panel"], frame["reference"])
    data: Rows = frame.drop(columns="mitigation").join(where)
    data["change"] = data["decay"].abs().clip(lower=_SMALLEST["change"])
    metric = metric_of(frame)
    error = 1 - data["test_metric"] if metric == ACCURACY else data["test_metric"]
    data["error"] = error.clip(lower=_SMALLEST["error"]) if metric else float("nan")
    data = data[[*where, *_RATIO, "test_metric", "decay", "change", "error"]].dropna(subset="step_ratio")
    data[data.columns[len(where.columns) :]] = rounded(data[data.columns[len(where.columns) :]], 4)
    data = data[data["error"].notna() | data["change"].notna()]
    several = data.groupby("panel")["mitigation"].transform("size") > 1
    return small_multiples(data[several].reset_index(drop=True), partial(_panel, _error_title(metric)))


def _error_title(metric: Metric | None) -> str:
    return "test error, 1 - accuracy" if metric is None or metric == ACCURACY else f"test {metric.name}"


def _panel(error: str, rows: Rows, each: Look) -> Sequence[View]:
    benefit = "error" if rows["error"].notna().any() else "change"
    rows = rows.dropna(subset=benefit)
    across, up = log_span(rows[_RATIO]), log_span(rows[benefit])
    x = alt.X(
        "step_ratio:Q",
        title="time of a step over the reference's",
        scale=across.scale(),
        axis=alt.Axis(tickCount=5, grid=False),
    )
    scale = up.scale()
    scale.reverse = True
    y = alt.Y(
        f"{benefit}:Q",
        title=error if benefit == "error" else _DECAY,
        scale=scale,
        axis=alt.Axis(tickCount=5, grid=False),
    )
    rows = rows.join(_labels(rows, benefit, across, up))
    best = rows[_front(rows, benefit)].sort_values("step_ratio")
    front = alt.Chart(best).mark_line(interpolate="step-after", color=NEUTRAL, strokeWidth=1.2).encode(x, y)
    base = alt.Chart(rows).encode(each.color, y, opacity=each.opacity, tooltip=tooltip(_TOOLTIP))
    interval = base.mark_rule(strokeWidth=1.2).encode(alt.X("step_ratio_low:Q"), alt.X2("step_ratio_high:Q"))
    points = base.mark_point(size=60).encode(x, each.shape)
    named = alt.Chart(rows.dropna(subset="label_x"))
    lead = named.mark_rule(strokeWidth=0.5, color=NEUTRAL, strokeOpacity=0.6).encode(
        x, y, x2=alt.X2("label_x:Q"), y2=alt.Y2("label_y:Q")
    )
    halo, text = (
        named.mark_text(align="left", baseline="middle", fontSize=10, style=style).encode(
            alt.X("label_x:Q"), alt.Y("label_y:Q", scale=scale), text=alt.Text("mitigation:N")
        )
        for style in ("halo", "label")
    )
    return [Layers([front, lead, halo, interval, points, text], *_SIZE)]


def _labels(rows: Rows, benefit: str, across: Span, up: Span) -> Rows:
    """Where the names of the points stand, in the numbers of the axes."""
    width, height = _SIZE
    # The best is at the top.
    points = np.stack([across.share(rows["step_ratio"]) * width, up.share(rows[benefit]) * height], axis=1)
    low, high = (across.share(rows[f"step_ratio_{end}"]) * width for end in ("low", "high"))
    labels = beside(points, np.stack([low, high], axis=1), list(rows["mitigation"]), _SIZE)
    places = {"label_x": across.at(labels[:, 0] / width), "label_y": up.at(labels[:, 1] / height)}
    return pd.DataFrame({name: rounded(values, 6) for name, values in places.items()}, index=rows.index)


def _front(rows: Rows, benefit: str) -> np.ndarray:
    pairs = zip(rows["step_ratio"], rows[benefit], strict=True)
    return np.asarray(on_front([("all", pair) for pair in pairs]), bool)
