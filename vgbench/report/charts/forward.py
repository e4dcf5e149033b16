"""The forward signal at initialisation: its scale, and the cosine distance between inputs."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from vgbench.measure.forward import ForwardProfile
from vgbench.pictures.compose import Definition, small_multiples
from vgbench.pictures.panels import Rows, Series, View, extent, layer_axis, lines, rounded, thinned
from vgbench.pictures.style import WIDTH
from vgbench.records.runs import Run
from vgbench.report.charts.places import places

_SIDES = {"scale": "log10 of rms(h)", "distance": "log10(1 - cosine)"}


def forward_signal(runs: Sequence[Run]) -> Definition | None:
    """Scale and cosine distance by layer, mean over seeds: a line for each mitigation."""
    frames = [
        _signal(entry.cell.forward).assign(**place)
        for place, entry in places(runs)
        if entry.cell and entry.cell.forward
    ]
    return small_multiples(pd.concat(frames, ignore_index=True), _panel) if frames else None


def _signal(profile: ForwardProfile) -> pd.DataFrame:
    layers = thinned(profile.log10_activation_scale.shape[1])
    sides = {"scale": profile.log10_activation_scale, "distance": profile.log10_pair_distance}
    means = {side: rounded(values.mean(axis=0)[layers]) for side, values in sides.items()}
    return pd.DataFrame({"layer": layers + 1, **means})


def _panel(rows: Rows, each: Series, whole: Rows) -> Sequence[View]:
    sides = []
    for side, title in _SIDES.items():
        y = alt.Y(f"{side}:Q", title=title, scale=alt.Scale(domain=extent(whole[side]), nice=False))
        drawn = lines(rows.dropna(subset=side), each, layer_axis(), y, ["layer:Q", f"{side}:Q"])
        sides.append(alt.layer(*drawn, width=WIDTH, height=130))
    return sides
