"""The gradient of a user's own model at its taps, parameters or modules."""

from typing import Any

import altair as alt
import numpy as np


def gradient_by_place(rows: Any, title: str) -> alt.Chart:
    """Draw the gradient norm by name, in the order of the rows; non-finite logarithms are left out.

    Args:
        rows: a pandas frame with the columns `name` and `log10_gradient`; hovering shows its other columns.
        title: the title of the picture.
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
