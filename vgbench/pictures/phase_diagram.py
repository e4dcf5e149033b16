"""The phase diagram as a chart."""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float

_LIMIT = 0.5
"""Decades a layer beyond which the colour stays the same."""
_INITIALISERS = {"LeCun": 1.0, "He": 2**0.5}


def phase_chart(
    activation: str,
    gains: Float[np.ndarray, "gains"],
    bias_stds: Float[np.ndarray, "biases"],
    decay: Float[np.ndarray, "biases gains"],
    critical_gain: Float[np.ndarray, "biases"],
) -> Any:
    """Draw the decay by gain and bias: blue where the gradient vanishes, red where it explodes, with the edge of chaos.

    Args:
        activation: its name.
        gains: standard deviations of the weights times the root of fan-in.
        bias_stds: standard deviations of the biases.
        decay: decades a layer.
        critical_gain: the gain at the edge of chaos for each of `bias_stds`; NaN if there is none.
    """
    gain, bias = np.meshgrid(gains, bias_stds)
    half_gain, half_bias = (np.diff(each).mean() / 2 for each in (gains, bias_stds))
    cells = pd.DataFrame(
        {
            "gain": gain.ravel(),
            "bias": bias.ravel(),
            "decay": decay.ravel(),
            "left": (gain - half_gain).ravel(),
            "right": (gain + half_gain).ravel(),
            "low": (bias - half_bias).ravel(),
            "high": (bias + half_bias).ravel(),
        }
    )
    x = alt.X("left:Q", title="gain (standard deviation of the weights times the root of fan-in)", scale=_tight())
    y = alt.Y("low:Q", title="standard deviation of the biases", scale=_tight())
    colour = alt.Color(
        "decay:Q",
        title=["decades", "a layer"],
        scale=alt.Scale(scheme="redblue", reverse=True, domain=[-_LIMIT, _LIMIT], clamp=True),
    )
    heat = (
        alt.Chart(cells)
        .mark_rect()
        .encode(x=x, x2="right", y=y, y2="high", color=colour, tooltip=["gain", "bias", "decay"])
    )
    edge = pd.DataFrame({"gain": critical_gain, "bias": bias_stds})
    edge = edge.loc[(edge["gain"] >= gains.min()) & (edge["gain"] <= gains.max())]
    line = alt.Chart(edge).mark_line(color="black", strokeWidth=2).encode(x="gain:Q", y="bias:Q", order="bias:Q")
    marks = pd.DataFrame([{"gain": gain, "name": name} for name, gain in _INITIALISERS.items()])
    rules = alt.Chart(marks).mark_rule(strokeDash=[4, 4]).encode(x="gain:Q")
    names = (
        alt.Chart(marks).mark_text(align="left", dx=4, baseline="top").encode(x="gain:Q", y=alt.value(4), text="name")
    )
    title = alt.TitleParams(
        f"{activation}: change of the gradient's norm a layer",
        subtitle="blue vanishing, white critical, red exploding; black: the edge of chaos",
        anchor="start",
    )
    return alt.layer(heat, rules, names, line).properties(width=420, height=300, title=title)


def _tight() -> alt.Scale:
    return alt.Scale(nice=False, zero=False)
