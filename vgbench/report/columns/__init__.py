"""The columns of a run's frame: each is one entry, which frame, tables, legends and documentation are made from."""

from collections.abc import Iterable

from vgbench.report.columns.column import Column
from vgbench.report.columns.cost import COST
from vgbench.report.columns.gradient import GRADIENT
from vgbench.report.columns.row import ORIGIN, ROW, axis
from vgbench.report.columns.training import TRAINING

COLUMNS: tuple[Column, ...] = (*ROW, *GRADIENT, *TRAINING, *COST, *ORIGIN)
"""The columns of `load`, in the order of frame and tables, where any other swept axis comes before them."""


def columns_of(names: Iterable[str]) -> tuple[Column, ...]:
    """All columns of a frame, where `names` are its swept axes, or all its names."""
    known = {column.name for column in COLUMNS}
    return (*(axis(name) for name in names if name not in known), *COLUMNS)


def under(heading: str) -> Column:
    """The column that a table shows under a heading; any other heading is a swept axis."""
    found = (column for column in COLUMNS if column.shown and column.shown.heading == heading)
    return next(found, None) or axis(heading)
