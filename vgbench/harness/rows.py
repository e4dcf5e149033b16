"""Which rows of a run's table are complete, as its records come in."""

from collections.abc import Mapping, Sequence

from vgbench.harness.plan import Record
from vgbench.records.origin import device_names
from vgbench.records.runs import Run, entries_of
from vgbench.records.schema import CellRecord, CostRecord, Manifest, Row


class Rows:
    """Reports each row once, when all its records are there.

    Args:
        manifest: what the run sets out to measure.
        records: those that were there before, by id; the rows that they complete are not reported.
    """

    def __init__(self, manifest: Manifest, records: Mapping[str, Record]) -> None:
        self._manifest = manifest
        self._reported = set(self._complete(records))

    def fresh(self, records: Mapping[str, Record]) -> Sequence[Row]:
        """The rows that these records complete and that were not reported before."""
        found = [place for place in self._complete(records) if place not in self._reported]
        self._reported.update(found)
        return [self._manifest.rows[place] for place in found]

    def run(self, records: Mapping[str, Record]) -> Run:
        """The run with the entries of its complete rows alone."""
        device = self._manifest.provenance.device
        rows = [self._manifest.rows[place] for place in self._complete(records)]
        cells = {name: record for name, record in records.items() if isinstance(record, CellRecord)}
        costs = {name: record for name, record in records.items() if isinstance(record, CostRecord)}
        return Run(self._manifest, device_names([device])[device], entries_of(rows, cells, costs))

    def _complete(self, records: Mapping[str, Record]) -> list[int]:
        """The places of the complete rows."""
        return [
            place
            for place, row in enumerate(self._manifest.rows)
            if row.cell_id in records and (row.cost_id is None or row.cost_id in records)
        ]
