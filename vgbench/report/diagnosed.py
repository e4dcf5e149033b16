"""What is wrong with the cells of runs; each record is diagnosed once, however often that is shown."""

from functools import lru_cache

from vgbench.diagnosis import Diagnosis, diagnose
from vgbench.records.schema import CellRecord


def diagnosed(cell: CellRecord) -> Diagnosis:
    """The diagnosis of a record."""
    return _diagnosed(_Same(cell))


class _Same:
    """A record that equals itself alone: records hold arrays, which have no hash."""

    def __init__(self, cell: CellRecord) -> None:
        self.cell = cell

    def __hash__(self) -> int:
        return id(self.cell)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.cell is self.cell


@lru_cache(maxsize=256)
def _diagnosed(same: _Same) -> Diagnosis:
    return diagnose(same.cell)
