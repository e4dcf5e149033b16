"""The choice of the learning rate: the validation metric by learning rate, at every width, depth or other place."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from vgbench.measure.training import TrainingCurves
from vgbench.pictures.compose import Definition, small_multiples
from vgbench.pictures.lines import Lines
from vgbench.pictures.panels import Look, Rows, View, log_span, rounded, span
from vgbench.pictures.style import HEIGHT, WIDTH
from vgbench.plain import one_line
from vgbench.records.runs import Run
from vgbench.report.charts.places import places


def learning_rates(runs: Sequence[Run]) -> Definition | None:
    """A panel for each mitigation, a line for each place: the mean over tuning seeds after the last step."""
    frames = [
        _rows(entry.cell.training).assign(panel=words["mitigation"], mitigation=words["panel"], slot=words["slot"])
        for words, entry in places(runs)
        if entry.cell and entry.cell.training and entry.cell.training.tuning_metric.size
    ]
    if not frames:
        return None
    data = pd.concat(frames, ignore_index=True)
    names = " or ".join(dict.fromkeys(data["metric"]))

    def panel(rows: Rows, each: Look) -> Sequence[View]:
        rates = sorted(set(rows["rate"]))
        axis = alt.Axis(values=rates, format=".1e", labelAngle=-45, grid=False)
        x = alt.X("rate:Q", title="learning rate", scale=log_span(rates).scale(), axis=axis)
        title, heights = f"validation {names}", span(rows["value"])
        return [
            Lines(x, "value", title, heights, each, (WIDTH, HEIGHT), ["rate:Q", "value:Q"]).drawn(rows, points=True)
        ]

    return small_multiples(data, panel)


def _rows(curves: TrainingCurves) -> pd.DataFrame:
    means = rounded(curves.tuning_metric.mean(axis=1), 4)
    rows = {"rate": list(curves.learning_rates), "value": means, "metric": one_line(curves.metric.name)}
    return pd.DataFrame(rows).dropna(subset="value").sort_values("rate")
