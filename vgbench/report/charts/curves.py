"""Learning curves: training loss and validation metric by step, with a band over seeds."""

from collections.abc import Sequence
from functools import partial

import altair as alt
import pandas as pd

from vgbench.measure.training import TrainingCurves
from vgbench.pictures.compose import Definition, small_multiples
from vgbench.pictures.lines import Lines
from vgbench.pictures.panels import Look, Rows, Span, View, log_span, span
from vgbench.pictures.single import CURVES, over_seeds
from vgbench.pictures.style import WIDTH
from vgbench.records.runs import Run
from vgbench.report.charts.places import places
from vgbench.spec.metric import ACCURACY, Metric

_BEYOND = 100.0
"""How far above the highest median a band is shown, as a factor: one seed that diverges would flatten all lines."""


def learning_curves(runs: Sequence[Run]) -> Definition | None:
    """The median over seeds in a band from the lowest to the highest: a line for each mitigation."""
    found = [
        (entry.cell.training, place) for place, entry in places(runs) if entry.cell and entry.cell.training is not None
    ]
    metrics = {curves.metric for curves, _ in found}
    panel = partial(_panel, metrics.pop() if len(metrics) == 1 else None)
    frames = [curves_of(curves).assign(**place) for curves, place in found]
    return small_multiples(pd.concat(frames, ignore_index=True), panel) if frames else None


def curves_of(curves: TrainingCurves) -> pd.DataFrame:
    """Loss and metric over the seeds, as in `over_seeds`."""
    return over_seeds(curves.loss, curves.step, curves.validation_metric)


def _panel(metric: Metric | None, rows: Rows, each: Look) -> Sequence[View]:
    x = alt.X("step:Q", title="step", scale=alt.Scale(domain=[0, int(rows["step"].max())], nice=False))
    sides = {what: _cut(rows[rows["what"] == what]) for what in CURVES}
    titles = {what: title.format(metric=metric.name if metric else "metric") for what, title in CURVES.items()}
    return [
        Lines(
            x,
            "median",
            titles[what],
            _span(what, metric, shown),
            each,
            (WIDTH, 150),
            ["step:Q", "low:Q", "median:Q", "high:Q"],
        ).drawn(shown, band=True)
        for what, shown in sides.items()
        if len(shown)
    ]


def _cut(rows: Rows) -> Rows:
    return rows.assign(high=rows["high"].clip(upper=_BEYOND * rows["median"].max()))


def _span(what: str, metric: Metric | None, rows: Rows) -> Span:
    """Of an accuracy all there is, of what has no bounds by logarithms where it is positive."""
    if what == "metric" and metric == ACCURACY:
        return Span(0.0, 1.0)
    ends = rows[["low", "high"]]
    return log_span(ends) if (ends > 0).all(axis=None) else span(ends)
