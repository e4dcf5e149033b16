"""Cells of a run that differ in their width, or their depth, alone."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from vgbench.instruments.coordinate_check import Along
from vgbench.records.runs import Run
from vgbench.records.schema import CellRecord
from vgbench.spec.label import label


class SizeSweep(NamedTuple):
    """Cells of one mitigation along width or depth.

    Attributes:
        mitigation: or baseline.
        at: the values of the other axes, in words; empty if there are none.
        along: what is swept.
        values: the widths or depths, increasing.
        cells: the record at each.
    """

    mitigation: str
    at: str
    along: Along
    values: tuple[int, ...]
    cells: tuple[CellRecord, ...]

    @property
    def where(self) -> str:
        """What is swept and where, in words."""
        return f"{self.along} {self.values[0]:,} to {self.values[-1]:,}{f' ({self.at})' if self.at else ''}"


def along(run: Run, axis: Along, chosen: Callable[[CellRecord], bool]) -> Iterator[SizeSweep]:
    """The groups of two cells and more among those that are chosen, in the order of the rows."""
    groups: dict[tuple[str, str], dict[int, CellRecord]] = {}
    for row, cell in ((entry.row, entry.cell) for entry in run.entries if axis in entry.row.axes):
        if cell and chosen(cell):
            at = label([], {name: value for name, value in row.axes.items() if name != axis})
            groups.setdefault((row.mitigation, at), {}).setdefault(getattr(cell.case, axis), cell)
    for (mitigation, at), cells in groups.items():
        if len(cells) > 1:
            values = tuple(sorted(cells))
            yield SizeSweep(mitigation, at, axis, values, tuple(cells[value] for value in values))
