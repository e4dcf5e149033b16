"""Learning curves: training loss and validation accuracy by step, with a band over seeds."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from vgbench.measure.training import TrainingCurves
from vgbench.pictures.compose import Definition, small_multiples
from vgbench.pictures.panels import Rows, Series, View, lines
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


def _panel(rows: Rows, each: Series, whole: Rows) -> Sequence[View]:
    return [_side(what, rows, each, whole) for what in TITLES]


def _side(what: str, rows: Rows, each: Series, whole: Rows) -> View:
    shown = rows[rows["what"] == what]
    x = alt.X("step:Q", title="step", scale=alt.Scale(domain=[0, int(whole["step"].max())], nice=False))
    y = alt.Y("median:Q", title=TITLES[what], scale=scale(what, whole), axis=alt.Axis(tickCount=5))
    drawn = lines(shown, each, x, y, ["step:Q", "low:Q", "median:Q", "high:Q"])
    band = alt.Chart(shown).mark_area(opacity=0.15).encode(x, alt.Y("low:Q"), alt.Y2("high:Q"), each.color)
    return alt.layer(band, *drawn, width=WIDTH, height=140)


def scale(what: str, rows: Rows) -> alt.Scale:
    """Of the loss logarithmic where it can be, of the accuracy all there is."""
    if what == "accuracy":
        return alt.Scale(domain=[0, 1])
    loss = rows.loc[rows["what"] == what, "low"]
    return alt.Scale(type="log" if len(loss) and loss.min() > 0 else "symlog", nice=False)
