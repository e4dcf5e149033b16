"""Cost against benefit: what a step costs and how well the network trains with it, and the Pareto front of the two."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from vgbench.pictures.compose import Definition, small_multiples
from vgbench.pictures.panels import Rows, Series, View, rounded
from vgbench.pictures.style import HEIGHT, NEUTRAL, WIDTH
from vgbench.plain import one_line
from vgbench.records.runs import Run
from vgbench.report.benefit import on_front
from vgbench.report.charts.places import places
from vgbench.report.reference import compared

_SMALLEST = {"change": 1e-5, "error": 1e-3}
"""What is shown of each benefit at least, for the logarithm."""
_TITLES = {"change": "|decay|, decades a layer", "error": "test error, 1 - accuracy"}
_RATIO = ["step_ratio", "step_ratio_low", "step_ratio_high"]
_TOOLTIP = ["mitigation:N", *(f"{name}:Q" for name in _RATIO), "accuracy:Q", "decay:Q"]


def cost_and_benefit(runs: Sequence[Run], frame: pd.DataFrame) -> Definition | None:
    """The test error against the step ratio; where nothing is trained, how much the gradient changes by layer.

    Rows with different references have panels of their own, since their step ratios are not to be compared.
    """
    where = pd.DataFrame([place for place, _ in places(runs)])
    known = zip(where["panel"], frame["reference"], strict=True)
    where["panel"] = [one_line(compared(panel, reference)) for panel, reference in known]
    data: Rows = frame.drop(columns="mitigation").join(where)
    data["change"] = data["decay"].abs().clip(lower=_SMALLEST["change"])
    data["error"] = (1 - data["accuracy"]).clip(lower=_SMALLEST["error"])
    data = data[[*where, *_RATIO, "accuracy", "decay", "change", "error"]].dropna(subset="step_ratio")
    data[data.columns[2:]] = rounded(data[data.columns[2:]], 4)
    data = data[data["error"].notna() | data["change"].notna()].reset_index(drop=True)
    return small_multiples(data, _panel)


def _panel(rows: Rows, each: Series, whole: Rows) -> Sequence[View]:
    benefit = "error" if whole["error"].notna().any() else "change"
    whole, rows = whole.dropna(subset=benefit), rows.dropna(subset=benefit)
    ends = [0.95 * float(whole["step_ratio_low"].min()), 1.05 * float(whole["step_ratio_high"].max())]
    width = alt.Scale(type="log", domain=ends, nice=False)
    x = alt.X("step_ratio:Q", title="time of a step over the reference's", scale=width, axis=alt.Axis(tickCount=5))
    ends = [0.8 * float(whole[benefit].min()), 1.25 * float(whole[benefit].max())]
    height = alt.Scale(type="log", reverse=True, domain=ends, nice=False)
    y = alt.Y(f"{benefit}:Q", title=_TITLES[benefit], scale=height, axis=alt.Axis(tickCount=5))
    best = whole[_front(whole, benefit)].sort_values("step_ratio")
    front = alt.Chart(best).mark_line(interpolate="step-after", color=NEUTRAL, strokeWidth=1.2).encode(x, y)
    others = alt.Chart(whole).mark_point(color=NEUTRAL, opacity=0.4, size=25).encode(x, y, tooltip=_TOOLTIP)
    base = alt.Chart(rows).encode(each.color, y, opacity=each.opacity, tooltip=_TOOLTIP)
    interval = base.mark_rule(strokeWidth=1.2).encode(alt.X("step_ratio_low:Q"), alt.X2("step_ratio_high:Q"))
    points = base.mark_point(size=70).encode(x, each.shape)
    return [alt.layer(others, front, interval, points, width=WIDTH, height=HEIGHT)]


def _front(rows: Rows, benefit: str) -> np.ndarray:
    pairs = zip(rows["step_ratio"], rows[benefit], strict=True)
    return np.asarray(on_front([("all", pair) for pair in pairs]), bool)
