"""The gradient's norm at initialisation: by layer, and of recurrent networks by time steps back from the loss."""

from collections.abc import Callable, Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from vgbench.measure.gradients import GradientProfile
from vgbench.pictures.compose import Definition, small_multiples
from vgbench.pictures.lines import Lines
from vgbench.pictures.panels import NORM, Look, Rows, View, back_to_input, rounded, span, thinned
from vgbench.pictures.style import HEIGHT, NEUTRAL, WIDTH
from vgbench.records.runs import Run
from vgbench.report.charts.places import places
from vgbench.report.predicted import relative_norms


def gradient_norms(runs: Sequence[Run], predicted: Mapping[str, Sequence[float]] | None = None) -> Definition | None:
    """The gradient's norm by layer: the mean over seeds in a band from the lowest to the highest; not of one layer.

    Args:
        runs: those of feed-forward networks are shown.
        predicted: for cell ids log10 of the norm at each layer over that at the last one; drawn dashed, from the last
            measured layer on. Theory's if None.
    """
    return _picture(_profiles(runs, predicted, recurrent=False), back_to_input)


def gradient_in_time(runs: Sequence[Run], predicted: Mapping[str, Sequence[float]] | None = None) -> Definition | None:
    """The same of recurrent networks, by the number of time steps between a state and the loss."""
    return _picture(_profiles(runs, predicted, recurrent=True), _back_in_time)


def _back_in_time(rows: Rows) -> alt.X:
    return alt.X("layer:Q", title="time steps back from the last one", scale=alt.Scale(nice=False))


def _picture(data: Rows, axis: Callable[[Rows], alt.X]) -> Definition | None:
    def panel(rows: Rows, each: Look) -> Sequence[View]:
        x, heights = axis(rows), span(*(rows[name] for name in ("low", "high", "predicted")))
        lines = Lines(x, "measured", NORM, heights, each, (WIDTH, HEIGHT), ["layer:Q", "measured:Q", "predicted:Q"])
        predicted = rows.dropna(subset="predicted").drop(columns="slot")  # grey, whatever the slot
        theory = alt.Chart(predicted).mark_line(color=NEUTRAL, strokeDash=[3, 3], strokeWidth=0.9)
        dashed = theory.encode(x, alt.Y("predicted:Q", scale=heights.scale()), detail=alt.Detail("mitigation:N"))
        return [lines.drawn(rows, band=True, above=[dashed] if rows["predicted"].notna().any() else [])]

    return None if data is None else small_multiples(data, panel)


def _profiles(
    runs: Sequence[Run], predicted: Mapping[str, Sequence[float]] | None, *, recurrent: bool
) -> pd.DataFrame | None:
    theory = relative_norms(runs) if predicted is None else predicted
    frames = [
        _profile(entry.cell.gradients, theory.get(entry.row.cell_id), recurrent).assign(**place)
        for place, entry in places(runs)
        if entry.cell and entry.cell.gradients and entry.cell.case.recurrent == recurrent and entry.cell.case.depth > 1
    ]
    return pd.concat(frames).dropna(subset="measured").reset_index(drop=True) if frames else None


def _profile(profile: GradientProfile, predicted: Sequence[float] | None, recurrent: bool) -> pd.DataFrame:
    """Rows from the last layer, where the backward pass begins, to the first."""
    norms = profile.log10_activation_norm
    depth = norms.shape[1]
    with np.errstate(invalid="ignore"):
        mean, low, high = norms.mean(axis=0), norms.min(axis=0), norms.max(axis=0)
    theory = np.full(depth, np.nan) if predicted is None else np.asarray(predicted, np.float64) + mean[-1]
    back = thinned(depth)[::-1]
    columns = {"measured": mean, "low": low, "high": high, "predicted": theory}
    place = depth - 1 - back if recurrent else back + 1
    return pd.DataFrame({"layer": place, **{name: rounded(values[back], 4) for name, values in columns.items()}})
