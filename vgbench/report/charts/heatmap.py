"""The gradient's norm in training, by layer and step: a map for each mitigation."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from vgbench.measure.training import TrainingCurves
from vgbench.pictures.compose import Definition, facets
from vgbench.pictures.panels import NORM, Rows, rounded, thinned, tooltip
from vgbench.records.runs import Run
from vgbench.report.charts.places import ranked

LAYERS, STEPS = 32, 41
"""Rows and columns of a map at most."""
FLOOR = -12.0
"""Where the colours end: a gradient that is smaller has vanished for every purpose."""


def gradient_in_training(runs: Sequence[Run]) -> Definition | None:
    """log10 of the norm at each layer, mean over seeds, after so many steps; blank where it is zero or not finite."""
    frames = [
        _map(entry.cell.training).assign(**place, by="time step" if entry.cell.case.recurrent else "layer")
        for place, entry in ranked(runs)
        if entry.cell and entry.cell.training
    ]
    data: Rows = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    if data.empty:
        return None
    low, high = max(FLOOR, float(data["norm"].min())), float(data["norm"].max())
    scale = alt.Scale(scheme="viridis", domain=[low, max(high, low + 1)], clamp=True)
    # With few labels none is near to those at the ends, which are flush.
    legend = alt.Legend(orient="top", gradientLength=200, tickCount=3)
    color = alt.Color("norm:Q", title=NORM, scale=scale, legend=legend)

    def draw(rows: Rows) -> alt.Chart:
        steps = alt.Axis(values=_ticks(rows["step"]), labelAngle=0, labelOverlap=True, format=",d")
        layers = alt.Axis(values=_ticks(rows["layer"]), format=",d")
        x = alt.X("step:O", title="step", axis=steps)
        y = alt.Y("layer:O", title=" or ".join(dict.fromkeys(rows["by"])), sort="descending", axis=layers)
        shown = ["mitigation:N", "step:O", "layer:O", "norm:Q"]
        # Whole pixels a cell, also at one and a half times the size, or the paper shines through between them.
        width, height = _fitted(rows["step"], 120), _fitted(rows["layer"], 80)
        return (
            alt.Chart(rows.drop(columns="by"), width=width, height=height)
            .mark_rect()
            .encode(x, y, color, tooltip=tooltip(shown))
        )

    return facets(data, draw)


def _map(curves: TrainingCurves) -> pd.DataFrame:
    with np.errstate(invalid="ignore"):
        norms = curves.snapshots.log10_activation_norm.mean(axis=0)
    steps, layers = thinned(norms.shape[0], STEPS), thinned(norms.shape[1], LAYERS)
    step, layer = np.meshgrid(curves.step[steps], layers + 1, indexing="ij")
    values = rounded(norms[np.ix_(steps, layers)], 4)
    return pd.DataFrame({"step": step.ravel(), "layer": layer.ravel(), "norm": values.ravel()}).dropna()


def _fitted(values: Rows, pixels: int) -> int:
    cells = values.nunique()
    return cells * 2 * max(1, round(pixels / cells / 2))


def _ticks(values: Rows) -> list[int]:
    known = np.unique(values)
    return [int(value) for value in known[thinned(len(known), 4)]]
