"""Pictures of a single measurement, for a cell's details on the HTML page and for notebooks.

Each picture has two functions: one makes a table from the measured arrays, the other makes the view of such a table.
The page holds a view only once for all cells.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from vgbench.pictures.panels import NORM, Chart, rounded, thinned, tooltip
from vgbench.pictures.style import COLORS, NEUTRAL

Data = pd.DataFrame | alt.NamedData
Drawn = Chart | alt.HConcatChart

WIDTH, HEIGHT = 265, 150
MOMENTS = ("at initialisation", "after training")
CURVES = {"loss": "training loss", "metric": "validation {metric}"}
_SCALES = {
    CURVES["loss"]: alt.Scale(type="symlog", constant=1e-4, zero=False),
    CURVES["metric"].format(metric="accuracy"): alt.Scale(domain=[0, 1]),
}
"""Of what has a scale of its own."""
BLOCKS = 60
"""Largest number of points of a loss curve; each is the mean over the steps since the previous point."""
_PLAIN = alt.value(COLORS[0])


def layers_view(data: Data) -> Drawn:
    """The gradient norm by layer before and after training: the mean over seeds, with a band from lowest to highest."""
    scale = alt.Scale(domain=list(MOMENTS), range=[NEUTRAL, COLORS[0]])
    color = alt.Color("moment:N", title=None, scale=scale, legend=alt.Legend(symbolOpacity=1, orient="top"))
    return _banded(data, "layer:Q", "layer or time step", "mean:Q", NORM, color)


def gradient_layers(log10_norm: Mapping[str, Float[np.ndarray, "seeds depth"]]) -> pd.DataFrame:
    """The table of `layers_view`, from the norms at some of `MOMENTS`."""
    frames = [_by_layer(norms).assign(moment=moment) for moment, norms in log10_norm.items()]
    return pd.concat(frames, ignore_index=True)


def forward_view(data: Data) -> Drawn:
    """The scale of the forward signal, and the distance between different inputs, by layer."""
    sides = {"scale": "log10 of rms(h)", "distance": "log10(1 - cosine) of input pairs"}
    color = alt.value(COLORS[0])
    return alt.hconcat(
        *(_banded(data, "layer:Q", "layer", "mean:Q", title, color, side) for side, title in sides.items())
    )


def forward_layers(
    log10_scale: Float[np.ndarray, "seeds depth"], log10_pair_distance: Float[np.ndarray, "seeds depth"]
) -> pd.DataFrame:
    """The table of `forward_view`."""
    sides = {"scale": log10_scale, "distance": log10_pair_distance}
    return pd.concat([_by_layer(values).assign(what=what) for what, values in sides.items()], ignore_index=True)


def curves_view(data: Data, metric: str = "metric") -> Drawn:
    """Training loss and validation metric by step: the median over seeds, with a band from lowest to highest.

    Args:
        data: the table that `over_seeds` makes.
        metric: its name.
    """
    titles = {what: title.format(metric=metric) for what, title in CURVES.items()}
    color = alt.value(COLORS[0])
    return alt.hconcat(
        *(_banded(data, "step:Q", "step", "median:Q", title, color, what) for what, title in titles.items())
    )


def over_seeds(
    loss: Float[np.ndarray, "seeds steps"],
    step: Int[np.ndarray, "records"],
    validation_metric: Float[np.ndarray, "seeds records"],
) -> pd.DataFrame:
    """The table of `curves_view`, with the columns what, step, low, median and high.

    Args:
        loss: training loss of every step.
        step: updates made before each record.
        validation_metric: at each record.
    """
    steps = loss.shape[1]
    ends = np.unique(np.linspace(0, steps, BLOCKS + 1).round().astype(int))
    with np.errstate(invalid="ignore", over="ignore"):
        means = np.add.reduceat(loss.astype(np.float64), ends[:-1], axis=1) / np.diff(ends)
    sides = {"loss": (ends[1:], means), "metric": (step, validation_metric)}
    return pd.concat([_band(what, step, values) for what, (step, values) in sides.items()], ignore_index=True)


def _band(what: str, step: np.ndarray, values: np.ndarray) -> pd.DataFrame:
    columns = {name: rounded(take(values, axis=0), 4) for name, take in _TAKES.items()}
    return pd.DataFrame({"what": what, "step": step, **columns}).dropna()


_TAKES = {"low": np.min, "median": np.median, "high": np.max}


def rounds_view(data: Data) -> Drawn:
    """The ratio of the step time to the baseline's in every timing round, and the median of the ratios."""
    base = alt.Chart(data)
    y = alt.Y("ratio:Q", title="time of a step over the baseline's", scale=alt.Scale(zero=False))
    x = alt.X("round:Q", title="round")
    points = base.mark_point(color=COLORS[0], size=20).encode(x, y, tooltip=tooltip(["round:Q", "ratio:Q"]))
    median = base.mark_rule(color=NEUTRAL).encode(alt.Y("median(ratio):Q"))
    return alt.layer(points, median, width=WIDTH, height=HEIGHT)


def timing_rounds(
    step_seconds: Float[np.ndarray, "rounds"], reference_seconds: Float[np.ndarray, "rounds"]
) -> pd.DataFrame:
    """The table of `rounds_view`."""
    ratio = rounded(step_seconds / reference_seconds, 4)
    return pd.DataFrame({"round": np.arange(1, len(ratio) + 1), "ratio": ratio})


def _banded(data: Data, across: str, axis: str, middle: str, title: str, color: Any, what: str | None = None) -> Chart:
    base = alt.Chart(data)
    if what is not None:
        base = base.transform_filter(f"datum.what === '{what}'")
    x = alt.X(across, title=axis, scale=alt.Scale(nice=False))
    scale = _SCALES.get(title, alt.Scale(zero=False))
    band = base.mark_area(opacity=0.2).encode(x, alt.Y("low:Q", title=title), alt.Y2("high:Q"), color=color)
    line = base.mark_line().encode(x, alt.Y(middle, title=title, scale=scale), color=color)
    hovered = line.encode(tooltip=tooltip([across, "low:Q", middle, "high:Q"]))
    return alt.layer(band, hovered, width=WIDTH, height=HEIGHT)


def _by_layer(values: np.ndarray) -> pd.DataFrame:
    layers = thinned(values.shape[1])
    with np.errstate(invalid="ignore"):
        sides = {"low": values.min(axis=0), "mean": values.mean(axis=0), "high": values.max(axis=0)}
    columns = {name: rounded(side[layers]) for name, side in sides.items()}
    return pd.DataFrame({"layer": layers + 1, **columns}).dropna()


class Single(NamedTuple):
    """A picture of a single measurement."""

    title: str
    view: Callable[[Data], Drawn]


SINGLES = {
    "layers": Single("Back-propagated gradient by layer", layers_view),
    "forward": Single("Forward signal by layer at initialisation", forward_view),
    "curves": Single("Learning curves", curves_view),
    "rounds": Single("Rounds of timing", rounds_view),
}
"""The pictures of a cell's details."""
