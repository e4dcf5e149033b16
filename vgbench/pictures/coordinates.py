"""The picture of a coordinate check: a panel for every module, in which flat lines are good."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float

from vgbench.pictures.panels import tooltip

COLUMNS, WIDTH, HEIGHT = 5, 130, 100


def coordinates(
    sweeps: Sequence[tuple[str, Sequence[int], Sequence[str], Float[np.ndarray, "seeds values steps modules"]]],
    title: str,
) -> alt.VConcatChart:
    """Draw a quantity over width and over depth, a line for each step; the geometric mean over the seeds.

    Args:
        sweeps: of each what is swept, the values, the modules' names and the quantity; zeros are left out.
        title: what the quantity is.
    """
    return alt.vconcat(*(_panels(along, _rows(values, modules, rms), title) for along, values, modules, rms in sweeps))


def _rows(
    values: Sequence[int], modules: Sequence[str], rms: Float[np.ndarray, "seeds values steps modules"]
) -> pd.DataFrame:
    with np.errstate(divide="ignore"):
        mean = 10 ** np.mean(np.log10(rms), axis=0)
    index = pd.MultiIndex.from_product([values, range(mean.shape[1]), modules], names=["value", "step", "module"])
    rows = pd.DataFrame({"rms": mean.ravel()}, index=index).reset_index()
    return rows.replace([0, np.inf], np.nan).dropna(subset="rms")


def _panels(along: str, rows: pd.DataFrame, title: str) -> alt.FacetChart:
    modules, values = ([*dict.fromkeys(rows[name])] for name in ("module", "value"))
    return (
        alt.Chart(rows, width=WIDTH, height=HEIGHT)
        .mark_line(point=True)
        .encode(
            x=alt.X("value:Q", title=along, scale=alt.Scale(type="log"), axis=alt.Axis(values=values, grid=False)),
            y=alt.Y("rms:Q", title="rms", scale=alt.Scale(type="log")),
            color=alt.Color("step:Q", scale=alt.Scale(scheme="viridis")),
            detail="step:N",
            tooltip=tooltip(["module:N", "step:Q", "value:Q", "rms:Q"]),
        )
        .facet(facet=alt.Facet("module:N", sort=modules, title=None), columns=COLUMNS)
        .properties(title=title)
    )
