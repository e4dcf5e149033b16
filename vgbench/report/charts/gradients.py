"""The gradient's norm at initialisation: by layer, and of recurrent networks by time steps back from the loss."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from vgbench.measure.gradients import GradientProfile
from vgbench.pictures.compose import Definition, small_multiples
from vgbench.pictures.panels import NORM, Rows, Series, View, extent, layer_axis, lines, rounded, thinned
from vgbench.pictures.style import HEIGHT, WIDTH
from vgbench.records.runs import Run
from vgbench.report.charts.places import places
from vgbench.report.predicted import relative_norms


def gradient_norms(runs: Sequence[Run], predicted: Mapping[str, Sequence[float]] | None = None) -> Definition | None:
    """The gradient's norm by layer, mean over seeds: a line for each mitigation.

    Args:
        runs: those of feed-forward networks are shown.
        predicted: for cell ids log10 of the norm at each layer over that at the last one; drawn dashed, from the last
            measured layer on. Theory's if None.
    """
    data = _profiles(runs, relative_norms(runs) if predicted is None else predicted, recurrent=False)
    return None if data is None else _picture(data, layer_axis())


def gradient_in_time(runs: Sequence[Run], predicted: Mapping[str, Sequence[float]] | None = None) -> Definition | None:
    """The same of recurrent networks, by the number of time steps between a state and the loss."""
    data = _profiles(runs, relative_norms(runs) if predicted is None else predicted, recurrent=True)
    return None if data is None else _picture(data, layer_axis("time steps back from the last one"))


def _picture(data: Rows, x: alt.X) -> Definition | None:
    def panel(rows: Rows, each: Series, whole: Rows) -> Sequence[View]:
        domain = extent(whole["measured"], whole["predicted"])
        scale = alt.Scale(domain=domain, nice=False)
        y = alt.Y("measured:Q", title=NORM, scale=scale)
        drawn = lines(rows, each, x, y, ["layer:Q", "measured:Q", "predicted:Q"])
        theory = rows.dropna(subset="predicted")
        if len(theory):
            dashed = alt.Chart(theory).mark_line(strokeDash=[5, 4], strokeWidth=1.5)
            drawn.append(
                dashed.encode(x, alt.Y("predicted:Q", title=NORM, scale=scale), each.color, opacity=each.opacity)
            )
        return [alt.layer(*drawn, width=WIDTH, height=HEIGHT)]

    return small_multiples(data, panel)


def _profiles(runs: Sequence[Run], predicted: Mapping[str, Sequence[float]], *, recurrent: bool) -> pd.DataFrame | None:
    frames = [
        _profile(entry.cell.gradients, predicted.get(entry.row.cell_id), recurrent).assign(**place)
        for place, entry in places(runs)
        if entry.cell and entry.cell.gradients and entry.cell.case.recurrent == recurrent
    ]
    return pd.concat(frames).dropna(subset="measured").reset_index(drop=True) if frames else None


def _profile(profile: GradientProfile, predicted: Sequence[float] | None, recurrent: bool) -> pd.DataFrame:
    norms = profile.log10_activation_norm
    with np.errstate(invalid="ignore"):
        mean = norms.mean(axis=0)
    layers = thinned(len(mean))
    theory = np.full(len(mean), np.nan) if predicted is None else np.asarray(predicted, np.float64) + mean[-1]
    place = len(mean) - 1 - layers if recurrent else layers + 1
    return pd.DataFrame({"layer": place, "measured": rounded(mean[layers]), "predicted": rounded(theory[layers])})
