"""Histograms of the weights' gradients as ridge lines over layers, before training and after it."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from vgbench.measure.matrices import GRADIENT_BINS
from vgbench.measure.training import TrainingCurves
from vgbench.pictures.compose import Definition, facets
from vgbench.pictures.panels import Chart, Rows, rounded, thinned, tooltip
from vgbench.pictures.style import COLORS, NEUTRAL
from vgbench.records.runs import Run
from vgbench.report.charts.places import ranked

RIDGES = 6
"""Layers shown at most."""
OVERLAP = 1.6
"""Height of the highest ridge, in distances between two."""
MOMENTS = ("before training", "after training")
_EDGES = (np.arange(GRADIENT_BINS) - 126.5) * np.log10(2)
"""log10 of |g| in the middle of each bin."""


def gradient_histograms(runs: Sequence[Run]) -> Definition | None:
    """How the entries g of dL/dW_l are spread: a ridge for each of some layers, the input's lowest."""
    frames = [
        _ridges(entry.cell.training).assign(**place)
        for place, entry in ranked(runs)
        if entry.cell and entry.cell.training
    ]
    data: Rows = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    if data.empty:
        return None
    ends = [float(data["magnitude"].min()), float(data["magnitude"].max())]
    return facets(data, lambda rows: _draw(rows, alt.Scale(domain=ends, nice=False)))


def _draw(rows: Rows, scale: alt.Scale) -> Chart:
    layers = [f"{layer:,}" for layer in sorted(set(rows["layer"]))]
    names = alt.Axis(values=list(range(len(layers))), labelExpr=f"{layers}[datum.value]", grid=False)
    moments = list(MOMENTS)
    color = alt.Scale(domain=moments, range=[NEUTRAL, COLORS[0]])
    dash = alt.Scale(domain=moments, range=[[2, 2], [1, 0]])
    base = alt.Chart(rows).encode(
        alt.X("magnitude:Q", title="log10 of |g|", scale=scale),
        alt.Y("top:Q", title="layer", axis=names, scale=alt.Scale(nice=False)),
        alt.Color("moment:N", title=None, scale=color, legend=alt.Legend(orient="top")),
        detail=alt.Detail("layer:O"),
        tooltip=tooltip(["mitigation:N", "moment:N", "layer:O", "magnitude:Q", "share:Q", "zeros:Q"]),
    )
    area = base.mark_area(opacity=0.4).encode(alt.Y2("foot:Q"))
    line = base.mark_line(strokeWidth=1).encode(strokeDash=alt.StrokeDash("moment:N", title=None, scale=dash))
    return alt.layer(area, line, width=120, height=110)


def _ridges(curves: TrainingCurves) -> pd.DataFrame:
    """Columns moment, layer, magnitude, share (of all entries), foot and top, and zeros: the share that reads as 0."""
    counts = curves.snapshots.gradient_histogram[:, [0, -1]].sum(axis=0).astype(np.float64)  # [moments, layers, bins]
    shares = counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    layers = thinned(shares.shape[1], RIDGES)
    highest = shares[:, layers, 1:-1].max() or 1.0
    frames = [
        _ridge(shares[moment, layer], place, highest).assign(moment=name, layer=layer + 1)
        for place, layer in reversed(list(enumerate(layers)))  # those in front are drawn last
        for moment, name in enumerate(MOMENTS)
    ]
    return pd.concat(frames, ignore_index=True)


def _ridge(share: np.ndarray, place: int, highest: float) -> pd.DataFrame:
    (there,) = np.nonzero(share[1:-1])
    bins = np.arange(max(there[0], 1), min(there[-1] + 3, GRADIENT_BINS - 1)) if len(there) else np.arange(0)
    return pd.DataFrame(
        {
            "magnitude": rounded(_EDGES[bins], 3),
            "share": rounded(share[bins], 3),
            "zeros": float(rounded(share[0], 3)),
            "foot": place,
            "top": rounded(place + OVERLAP * share[bins] / highest, 4),
        }
    )
