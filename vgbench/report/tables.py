"""Tables for people: the frame's numbers with their intervals, as text; what is shown, and what it means."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import pandas as pd
from tabulate import tabulate

from vgbench.records.runs import Entry, Run
from vgbench.records.schema import RESULTS, CellRecord, CostRecord
from vgbench.report.columns import columns_of, metric_of, under
from vgbench.report.columns.column import NOTHING, Row, Shown


def failures(runs: Sequence[Run]) -> list[str]:
    """A line for each row whose measurement or timing is not ok, with the reason."""
    return [line for run in runs for entry in run.entries for line in _failures(entry)]


def _failures(entry: Entry) -> Iterator[str]:
    label, status = entry.row.label, entry.cell.status if entry.cell else "missing"
    if status != "ok":
        yield _failure(label, entry.cell)
    if entry.row.cost_id is not None and status in RESULTS and (entry.cost is None or entry.cost.status != "ok"):
        yield _failure(f"timing {label}", entry.cost)


def _failure(what: str, record: CellRecord | CostRecord | None) -> str:
    if record is None:
        return f"{what}: missing"
    return f"{what}: {record.status}: {record.reason}".removesuffix(": ")


def display(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as text (some of it `Bold`), with the columns that are shown under their headings."""
    rows: list[Row] = frame.to_dict("records")  # pyright: ignore[reportAssignmentType]
    table: dict[str, list[str]] = {}
    metric = metric_of(frame)
    for column in columns_of(map(str, frame.columns)):
        if column.shown:
            texts = [column.shown.text(row, column.name) for row in rows]
            if _is_needed(column.shown, set(texts)):
                table[column.shown.of_metric(metric).heading] = texts
    return pd.DataFrame(table, dtype=object)  # as text in pyarrow it would forget what is bold


def _is_needed(shown: Shown, texts: set[str]) -> bool:
    if shown.when == "differs":
        return len(texts) > 1
    return shown.when == "always" or texts != {NOTHING}


def shown_under(heading: str) -> Shown:
    """How the column is shown that has this heading."""
    shown = under(heading).shown
    assert shown is not None
    return shown


def informative(table: pd.DataFrame) -> pd.DataFrame:
    """The table without columns of which nothing is known."""
    return table.drop(columns=[name for name in table.columns if set(table[name]) == {NOTHING}])


def with_room(table: pd.DataFrame, places: Sequence[str], axes: Sequence[str]) -> list[str]:
    """The headings of the columns that some places have room for, with the swept axes.

    Args:
        table: as `display` gives it.
        places: some of the places that `Shown.room` names.
        axes: the swept axes. What else merely differs between rows, as their width, does without room.
    """
    return [
        name
        for name in map(str, table.columns)
        if (shown := shown_under(name)).room in places and (name in axes or shown.when != "differs")
    ]


def halves(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The same rows twice, with their benefit and with their cost, without columns of which nothing is known.

    Where nothing is known of the cost, its half has no columns at all.
    """
    shown = informative(table)
    sides = {name: shown_under(str(name)).side for name in shown.columns}
    benefit, cost = ([name for name in shown.columns if sides[name] in ("row", side)] for side in ("benefit", "cost"))
    return shown.filter(items=benefit), shown.filter(items=cost if "cost" in sides.values() else [])


def known_halves(table: pd.DataFrame) -> dict[Literal["benefit", "cost"], pd.DataFrame]:
    """The halves of which something is known, by what they say of a row."""
    benefit, cost = halves(table)
    return {"benefit": benefit, "cost": cost} if len(cost.columns) else {"benefit": benefit}


def header(name: str) -> str:
    """A column's heading with the sign of what is better."""
    return f"{name} {shown_under(name).direction}".rstrip()


def legend(*tables: pd.DataFrame) -> dict[str, str]:
    """What the columns of these tables and the marks in them mean."""
    found = {"↑, ↓, →0": "higher, lower, nearer to zero is better"}
    for heading in dict.fromkeys(str(name) for table in tables for name in table.columns):
        column, shown = under(heading), shown_under(heading)
        found[heading] = shown.legend or column.meaning
        found |= shown.marks
    found["±"] = (
        "half a 95 % t-interval over seeds; left out where it reads as 0, and shown by its ends where it would pass"
        " what is possible"
    )
    return {name: meaning for name, meaning in found.items() if meaning}


def alignment(table: pd.DataFrame) -> list[str]:
    """The side of each column: text left, numbers right."""
    return [shown_under(str(name)).align for name in table.columns]


def tabulated(table: pd.DataFrame, form: str, cell: Callable[[str], str], head: Callable[[str], str]) -> str:
    """The table as text, text left and numbers right.

    Args:
        table: of text.
        form: a format of `tabulate`.
        cell: what is written for the text of a cell.
        head: what is written for the name of a column.
    """
    return tabulate(
        table.map(cell),  # pyright: ignore[reportArgumentType]
        headers=[head(str(name)) for name in table.columns],
        tablefmt=form,
        showindex=False,
        disable_numparse=True,
        colalign=alignment(table),
    )
