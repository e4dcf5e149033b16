"""The columns that name a row, and those that say where its records come from."""

from functools import partial

import pandas as pd

from vgbench.records.origin import Kind
from vgbench.records.schema import CellRecord, CostRecord
from vgbench.report.columns.column import Column, Row, Shown, as_it_is
from vgbench.report.columns.source import Source, of_cell
from vgbench.spec.suite import BASELINE

DEVICE = "device"
"""The column that tells the devices of a suite apart."""
_shown = partial(Shown, side="row")


def axis(name: str) -> Column:
    """The column of a swept axis that is in no tuple."""
    shown = _shown(name, as_it_is, when="differs", room="index")
    return Column(name, "", lambda source: source.entry.row.axes.get(name), shown)


def _mitigation(row: Row, name: str) -> str:
    reference = row["reference"]
    versus = "" if pd.isna(reference) or reference in (BASELINE, row[name]) else f" (vs {reference})"
    return f"{row[name]}{versus}{' (mixed)' if row['mixed'] else ''}"


def _origins(source: Source) -> str:
    numbers = {str(source.origins.index(str(record.provenance)) + 1) for record in source.entry.records}
    return ", ".join(sorted(numbers))


def _mixed(source: Source) -> bool:
    now, entry = source.run.manifest.provenance, source.entry
    records: list[tuple[Kind, CellRecord | CostRecord | None]] = [("cell", entry.cell), ("cost", entry.cost)]
    return any(record and now.differences(record.provenance, kind) for kind, record in records)


ROW = (
    Column("suite", "name of the suite", lambda source: source.run.manifest.suite),
    Column(
        DEVICE,
        "what it ran on",
        lambda source: source.run.device,
        _shown(DEVICE, as_it_is, when="differs", room="index", align="left"),
    ),
    Column(
        "device_code",
        "six digits that distinguish devices of one name; empty in records that do not hold the model",
        lambda source: source.run.manifest.provenance.device.code or "",
    ),
    Column(
        "family",
        "name of the model",
        of_cell(lambda cell: cell.case.model.name),
        _shown("family", as_it_is, when="differs", room="index"),
    ),
    Column(
        "width",
        "units of a hidden layer",
        of_cell(lambda cell: cell.case.width),
        _shown("width", as_it_is, when="differs", room="index"),
    ),
    Column(
        "dtype",
        "of activations and of the back-propagated gradient",
        of_cell(lambda cell: cell.case.dtype),
        _shown("dtype", as_it_is, when="differs", room="index"),
    ),
    Column(
        "depth",
        "hidden layers; of a recurrent network, time steps",
        of_cell(lambda cell: cell.case.depth),
        _shown("depth", as_it_is, room="index"),
    ),
    Column(
        "mitigation",
        f"name of the mitigation; `{BASELINE}` is the suite's baseline",
        lambda source: source.entry.row.mitigation,
        _shown(
            "mitigation",
            _mitigation,
            room="index",
            align="left",
            legend="name of the mitigation; its row is compared with the row of its reference, which is"
            f" `{BASELINE}` where no other is named",
            marks={
                "vs NAME": "the reference is NAME",
                "mixed": "measured with another source of vgbench, other versions or other flags than the run's last"
                " start, and kept or merged all the same",
            },
        ),
    ),
    Column(
        "reference",
        "the mitigation whose row, at the same swept values, this row is compared with; a baseline is its own; empty"
        " where the run has no such row",
        lambda source: source.reference and source.reference.mitigation,
    ),
    Column("cell_id", "hash of the case", lambda source: source.entry.row.cell_id),
    Column(
        "status",
        "how the cell ended; `missing` before it is measured",
        lambda source: source.cell.status if source.cell else "missing",
    ),
    Column("reason", "the status in words", lambda source: source.cell.reason if source.cell else ""),
)
"""What names a row, and how its measurement ended."""

ORIGIN = (
    Column(
        "origin",
        "where there are several, the numbers of those lines under the table that say what produced the row's records",
        _origins,
        _shown("origin", as_it_is, when="differs", room="index"),
    ),
    Column(
        "mixed",
        "whether a record comes from another source, other versions or other flags than the run's last start",
        _mixed,
    ),
)
"""Where a row's records come from."""
