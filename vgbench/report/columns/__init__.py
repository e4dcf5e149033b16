"""The columns of a run's frame: each is one entry, which frame, tables, legends and documentation are made from."""

from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from vgbench.report.columns.column import Column
from vgbench.report.columns.cost import COST
from vgbench.report.columns.gradient import GRADIENT
from vgbench.report.columns.row import ORIGIN, ROW, axis
from vgbench.report.columns.training import TRAINING
from vgbench.spec.metric import Metric
from vgbench.spec.registry import DATA, metric_named

COLUMNS: tuple[Column, ...] = (*ROW, *GRADIENT, *TRAINING, *COST, *ORIGIN)
"""The columns of `load`, in the order of frame and tables, where any other swept axis comes before them."""


def columns_of(names: Iterable[str]) -> tuple[Column, ...]:
    """All columns of a frame, where `names` are its swept axes, or all its names."""
    known = {column.name for column in COLUMNS}
    return (*(axis(name) for name in names if name not in known), *COLUMNS)


def under(heading: str) -> Column:
    """The column that a table shows under a heading, in the words of its metric; any other heading is a swept axis."""
    metrics = None, *(member.metric for member in DATA)
    every = (
        replace(column, shown=column.shown.of_metric(metric))
        for column in COLUMNS
        if column.shown
        for metric in metrics
    )
    return next((column for column in every if column.shown and column.shown.heading == heading), None) or axis(heading)


def metric_of(frame: pd.DataFrame) -> Metric | None:
    """What all rows that were trained are judged by; None without any, and where they differ."""
    names = set(frame["metric"].dropna()) if "metric" in frame else set()
    return metric_named(names.pop()) if len(names) == 1 else None
