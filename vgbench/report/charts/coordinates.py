"""The coordinate check: the change of every module's output against width or depth, in which flat lines are good."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from vgbench.instruments.coordinate_steps import QUANTITIES
from vgbench.pictures.compose import Definition, small_multiples
from vgbench.pictures.lines import Lines
from vgbench.pictures.panels import Look, Rows, View, log_span, rounded
from vgbench.pictures.style import HEIGHT, WIDTH
from vgbench.plain import one_line
from vgbench.records.runs import Run
from vgbench.report.charts.places import places
from vgbench.report.coordinates import Check

_CHANGE = [*QUANTITIES].index("change")


def coordinates(runs: Sequence[Run], checks: Sequence[Check]) -> Definition | None:
    """A panel for each mitigation and what it is swept along, a line for each module: the geometric mean over seeds."""
    slots = {words["mitigation"]: words["slot"] for words, _ in places(runs)}
    frames = [_rows(check).assign(slot=slots[one_line(check.group.mitigation)]) for check in checks]
    if not frames:
        return None

    def panel(rows: Rows, each: Look) -> Sequence[View]:
        along, values = rows["along"].iloc[0], sorted(set(rows["value"]))
        axis = alt.Axis(values=values, format=",d", grid=False)
        x = alt.X("value:Q", title=along, scale=log_span(values).scale(), axis=axis)
        title = f"rms change after {rows['step'].iloc[0]} steps"
        lines = Lines(x, "change", title, log_span(rows["change"]), each, (WIDTH, HEIGHT), ["value:Q", "change:Q"])
        return [lines.drawn(rows, points=True)]

    return small_multiples(pd.concat(frames, ignore_index=True), panel)


def _rows(check: Check) -> pd.DataFrame:
    which = [check.sweep.modules.index(module) for module in check.modules]
    with np.errstate(divide="ignore"):
        change = 10 ** np.log10(check.sweep.rms[:, :, -1, which, _CHANGE]).mean(axis=0)
    index = pd.MultiIndex.from_product([check.sweep.values, check.modules], names=["value", "mitigation"])
    rows = pd.DataFrame({"change": rounded(change.ravel())}, index=index).reset_index()
    panel = one_line(f"{check.group.mitigation}: {check.group.where}")
    return rows[rows["change"] > 0].assign(panel=panel, along=check.group.along, step=check.steps)
