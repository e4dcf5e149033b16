"""The gradient of a user's own model at its taps, parameters or modules."""

from typing import Any

import altair as alt
import numpy as np

from vgbench.pictures.panels import tooltip


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


def by_place_and_step(rows: Any, field: str, title: str) -> alt.Chart:
    """A number at every place, in the order of the model, a line for each record; what is not finite is left out.

    Args:
        rows: a frame of pandas with the columns `step`, `name` and the field's.
        field: the column that is shown.
        title: of the picture.
    """
    shown = rows[["step", "name", field]].replace([np.inf, -np.inf], np.nan).dropna(subset=field)
    return (
        alt.Chart(shown, title=title)
        .mark_line(point=True)
        .encode(
            x=alt.X("name:N", sort=list(dict.fromkeys(rows["name"])), title=None),
            y=alt.Y(f"{field}:Q", title=field, scale=alt.Scale(zero=False)),
            color=alt.Color("step:Q", scale=alt.Scale(scheme="viridis")),
            detail="step:Q",
            tooltip=tooltip(["step:Q", "name:N", f"{field}:Q"]),
        )
    )
