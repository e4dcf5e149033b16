"""Pictures, as Vega-Lite definitions."""

import altair as alt
import numpy as np
import pandas as pd

from vgbench.report.runs import Run

PALETTE = ["#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442"]
"""Okabe & Ito (2008): told apart by colour-blind readers; dashes tell lines apart in grey."""
POINTS = 250
"""Layers that a line is drawn through at most, evenly spaced, the first and the last among them."""
DASHES = [[1, 0], [8, 3], [3, 3], [8, 3, 2, 3], [2, 2], [12, 4], [5, 2, 1, 2, 1, 2], [1, 4]]


def gradient_norms(runs: list[Run]) -> alt.Chart | alt.ConcatChart:
    """The gradient's norm by layer at initialisation: a panel for each depth, a line for each mitigation.

    Of recurrent networks by the distance in time from the loss.
    """
    data = pd.concat([_profiles(run) for run in runs], ignore_index=True)
    in_time = not data.empty and bool((data["family"] == "recurrent").all())
    axis = "time steps back from the last one" if in_time else "layer (1 = nearest the input)"
    if in_time:
        data["layer"] = data["depth"] - data["layer"]
    names = list(dict.fromkeys(data["mitigation"]))
    scale = {"domain": names, "range": [PALETTE[i % len(PALETTE)] for i in range(len(names))]}
    # Another dash whenever the colours begin anew, so that no two of 64 lines are alike.
    turned = [DASHES[(i + i // len(PALETTE)) % len(DASHES)] for i in range(len(names))]
    dashes = {"domain": names, "range": turned}
    panels = [
        alt.Chart(rows, title=f"depth {depth}")
        .mark_line(strokeWidth=2, point=depth == 1)
        .encode(
            x=alt.X("layer:Q", title=axis, scale=alt.Scale(nice=False)),
            y=alt.Y("log10_norm:Q", title="log10 of the norm of dL/dh", scale=alt.Scale(zero=False)),
            color=alt.Color("mitigation:N", scale=alt.Scale(**scale), sort=names, title=None),
            strokeDash=alt.StrokeDash("mitigation:N", scale=alt.Scale(**dashes), sort=names, title=None),
        )
        .properties(width=260, height=220)
        for depth, rows in data.groupby("depth", sort=True)
    ]
    title = alt.TitleParams("Back-propagated gradient at initialisation, mean over seeds", anchor="start")
    chart = alt.concat(*panels, columns=2, title=title).configure_axis(gridOpacity=0.4)
    return chart.configure_legend(symbolStrokeWidth=2, symbolSize=400, labelLimit=300, orient="bottom", columns=5)


def _profiles(run: Run) -> pd.DataFrame:
    frames = []
    for entry in run.entries:
        if entry.cell and entry.cell.gradients:
            norms = entry.cell.gradients.log10_activation_norm.mean(axis=0)
            layers = np.unique(np.linspace(0, len(norms) - 1, POINTS).round().astype(int))
            line = {"layer": layers + 1, "log10_norm": norms[layers]}
            who = {"mitigation": entry.row.mitigation, "family": entry.cell.case.model.name, "depth": len(norms)}
            frames.append(pd.DataFrame({**who, **line}))
    data = pd.concat([pd.DataFrame(columns=["mitigation", "family", "depth", "layer", "log10_norm"]), *frames])
    return data.loc[np.isfinite(data["log10_norm"].astype(float))]
