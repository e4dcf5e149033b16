"""The gradient of a model of one's own, place by place: at its taps, in its parameters or its modules."""

from typing import Any

import altair as alt
import numpy as np


def gradient_by_place(rows: Any, title: str) -> alt.Chart:
    """The gradient's norm at every place, in the order of the model; zeros and what is not finite are left out.

    Args:
        rows: a frame of pandas with the columns `name` and `log10_gradient`; others are shown on hover.
        title: of the picture.
    """
    shown = rows.replace([np.inf, -np.inf], np.nan).dropna(subset="log10_gradient")
    return (
        alt.Chart(shown, title=title)
        .mark_line(point=True)
        .encode(
            x=alt.X("name:N", sort=list(rows["name"]), title=None),
            y=alt.Y("log10_gradient:Q", title="log10 of the gradient's norm", scale=alt.Scale(zero=False)),
            tooltip=list(rows.columns),
        )
    )
