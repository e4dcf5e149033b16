"""The forward signal at initialisation: its scale, and the cosine distance between inputs."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from vgbench.measure.forward import ForwardProfile
from vgbench.pictures.compose import Definition, small_multiples
from vgbench.pictures.lines import Lines
from vgbench.pictures.panels import Look, Rows, View, rounded, span, thinned, whole_layers
from vgbench.pictures.style import WIDTH
from vgbench.records.runs import Run
from vgbench.report.charts.places import places

_SIDES = {"scale": "log10 of rms(h)", "distance": "log10(1 - cosine)"}


def forward_signal(runs: Sequence[Run]) -> Definition | None:
    """Scale and cosine distance by layer, mean over seeds: a line for each mitigation that has several layers."""
    frames = [
        _signal(entry.cell.forward).assign(**place)
        for place, entry in places(runs)
        if entry.cell and entry.cell.forward and entry.cell.case.depth > 1
    ]
    return small_multiples(pd.concat(frames, ignore_index=True), _panel) if frames else None


def _signal(profile: ForwardProfile) -> pd.DataFrame:
    layers = thinned(profile.log10_activation_scale.shape[1])
    sides = {"scale": profile.log10_activation_scale, "distance": profile.log10_pair_distance}
    means = {side: rounded(values.mean(axis=0)[layers], 4) for side, values in sides.items()}
    return pd.DataFrame({"layer": layers + 1, **means})


def _panel(rows: Rows, each: Look) -> Sequence[View]:
    title, scale = "layer (1 is nearest the input)", alt.Scale(nice=False)
    x = alt.X("layer:Q", title=title, scale=scale, axis=whole_layers(rows))
    return [
        Lines(x, side, title, span(rows[side]), each, (WIDTH, 150), ["layer:Q", f"{side}:Q"]).drawn(
            rows.dropna(subset=side)
        )
        for side, title in _SIDES.items()
    ]
