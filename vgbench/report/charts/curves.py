"""Learning curves: training loss and validation accuracy by step, with a band over seeds."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from vgbench.measure.training import TrainingCurves
from vgbench.pictures.compose import Definition, small_multiples
from vgbench.pictures.lines import Lines
from vgbench.pictures.panels import Look, Rows, Span, View, log_span, span
from vgbench.pictures.single import TITLES, over_seeds
from vgbench.pictures.style import WIDTH
from vgbench.records.runs import Run
from vgbench.report.charts.places import places


def learning_curves(runs: Sequence[Run]) -> Definition | None:
    """The median over seeds in a band from the lowest to the highest: a line for each mitigation."""
    frames = [
        curves_of(entry.cell.training).assign(**place)
        for place, entry in places(runs)
        if entry.cell and entry.cell.training
    ]
    return small_multiples(pd.concat(frames, ignore_index=True), _panel) if frames else None


def curves_of(curves: TrainingCurves) -> pd.DataFrame:
    """Loss and accuracy over the seeds, as in `over_seeds`."""
    return over_seeds(curves.loss, curves.step, curves.validation_accuracy)


def _panel(rows: Rows, each: Look) -> Sequence[View]:
    x = alt.X("step:Q", title="step", scale=alt.Scale(domain=[0, int(rows["step"].max())], nice=False))
    sides = {what: rows[rows["what"] == what] for what in TITLES}
    return [
        Lines(
            x, "median", TITLES[what], _span(what, shown), each, (WIDTH, 150), ["step:Q", "low:Q", "median:Q", "high:Q"]
        ).drawn(shown, band=True)
        for what, shown in sides.items()
        if len(shown)
    ]


def _span(what: str, rows: Rows) -> Span:
    """Of the accuracy all there is, of the loss by logarithms where it is positive."""
    if what == "accuracy":
        return Span(0.0, 1.0)
    ends = rows[["low", "high"]]
    return log_span(ends) if (ends > 0).all(axis=None) else span(ends)
