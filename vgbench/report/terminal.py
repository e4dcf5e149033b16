"""The table and single rows for the terminal."""

from collections.abc import Iterator, Sequence
from io import StringIO

import numpy as np
import pandas as pd
from jaxtyping import Float
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vgbench.pictures.panels import thinned
from vgbench.plain import one_line
from vgbench.records.runs import Run, swept
from vgbench.report import claims
from vgbench.report.columns.column import NOTHING, Bold
from vgbench.report.columns.row import DEVICE
from vgbench.report.diagnosed import diagnosed
from vgbench.report.outcomes import Outcome, outcome
from vgbench.report.report import Report
from vgbench.report.reproduce import cell_command
from vgbench.report.tables import header, shown_under, with_room

WIDTH = 100
"""Columns of the table that is not wide."""
STYLES = {"trains": "green", "some seeds": "yellow", "does not train": "red", "not trained": "dim", "not ok": "red"}
"""The colours of outcomes, as on the page."""
_WRAPPED = (DEVICE, "mitigation", "decay")
_BLOCKS = "▁▂▃▄▅▆▇█"
_POINTS = 32


def table_of(report: Report, *, wide: bool = False) -> Table:
    """The table of a report, with what is worth most in `WIDTH` columns, or all of it."""
    return shown_table(report.runs, report.table, report.title, wide=wide)


def shown_table(runs: Sequence[Run], table: pd.DataFrame, title: str, *, wide: bool = False) -> Table:
    """The table of runs, given as text; otherwise as `table_of`."""
    entries = [entry for run in runs for entry in run.entries]
    names = list(table.columns) if wide else with_room(table, ("index",), [DEVICE, *swept(runs)])
    return terminal(table.filter(items=["depth", *names]), title, names, [outcome(each) for each in entries])


def lines_of(report: Report, *, wide: bool = False, width: int = WIDTH) -> list[Text]:
    """What the terminal shows of a report: findings, the table (in so many columns), what is not ok, its provenance.

    Args:
        report: as it was written.
        wide: whether all columns of the table are shown.
        width: columns of the terminal that tables take.
    """
    tables = [table_of(report, wide=wide), *further_tables(report)]
    return [
        Text(),
        *(Text(one_line(line)) for line in (*report.sentences, *claims.lines(report.claims))),
        Text(),
        *(line for table in tables for line in _rendered(table, width)),
        *(Text(one_line(f"not ok: {line}")) for line in report.failures),
        *(Text(one_line(line), style="dim") for line in report.footer),
    ]


def _rendered(table: Table, width: int) -> list[Text]:
    console = Console(file=StringIO(), width=width, force_terminal=True, color_system="standard")
    return [
        Text.assemble(*((segment.text, segment.style or "") for segment in line), no_wrap=True, overflow="ignore")
        for line in console.render_lines(table, console.options, pad=False)
    ]


def further_tables(report: Report) -> Iterator[Table]:
    """The tables that follow the main one."""
    for title, content in report.further:
        shown = Table(title=Text(one_line(title)), title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))
        for name in content:
            shown.add_column(Text(one_line(str(name))), justify="left" if name in ("module", "row") else "right")
        for row in content.to_numpy():
            shown.add_row(*(Text(one_line(str(text))) for text in row))
        yield shown


def terminal(table: pd.DataFrame, title: str, names: Sequence[str] = (), outcomes: Sequence[Outcome] = ()) -> Table:
    """The table for rich, with a rule between depths.

    Args:
        table: as text.
        title: above it.
        names: the columns that are shown; all if empty.
        outcomes: how the rows ended, which colours the mitigations; as they are if empty.
    """
    shown = Table(
        title=Text(one_line(title)),
        title_justify="left",
        header_style="bold",
        pad_edge=False,
        padding=(0, 1, 0, 0),
        box=box.SIMPLE,
    )
    names = names or list(map(str, table.columns))
    for name in names:
        wrapped = name in _WRAPPED
        shown.add_column(
            Text(one_line(header(name))), justify=shown_under(name).align, no_wrap=not wrapped, overflow="fold"
        )
    previous = None
    for index, row in enumerate(table.to_dict("records")):
        if previous is not None and row["depth"] != previous:
            shown.add_section()
        previous = row["depth"]
        color = STYLES[outcomes[index].word] if outcomes else ""
        shown.add_row(*(_cell(str(name), row[name], color) for name in names))
    return shown


def _cell(name: str, text: str, color: str) -> Text:
    style = color if name in ("mitigation", "trained") else ""
    return Text(one_line(text), style="bold" if isinstance(text, Bold) else style)


def matching(report: Report, name: str) -> list[int]:
    """The places of the rows that go by this name: of a mitigation, of a row with its axes, or a cell's id.

    Of a row also without commas, as one writes a depth of 10000.
    """
    entries = [entry for run in report.runs for entry in run.entries]
    return [
        place
        for place, entry in enumerate(entries)
        if name in (entry.row.mitigation, entry.row.cell_id)
        or name.replace(",", "") == entry.row.label.replace(",", "")
    ]


def row_lines(report: Report, place: int) -> Iterator[Text]:
    """All that is known of a row: its outcome, profile, numbers, the evidence, and the command that measures it."""
    pairs = [(run.manifest, entry) for run in report.runs for entry in run.entries]
    manifest, entry = pairs[place]
    word, why = outcome(entry)
    yield Text.assemble((one_line(entry.row.label), "bold"), ": ", (word, STYLES[word]), why.removeprefix(word))
    if entry.cell and entry.cell.gradients:
        with np.errstate(invalid="ignore"):
            norms = entry.cell.gradients.log10_activation_norm.mean(axis=0)[::-1]
        yield Text(sparkline(norms - norms[0]))
    row = report.table.iloc[place]
    for name in row.index:
        if row[name] != NOTHING:
            yield Text(f"  {header(str(name)):<18} {one_line(str(row[name]))}")
    for line in diagnosed(entry.cell).lines() if entry.cell else ():
        yield Text(one_line(line))
    yield Text(one_line(cell_command(manifest, entry.row)), style="dim")


def sparkline(decades: Float[np.ndarray, "layers"]) -> str:
    """The gradient on its way back from the last layer, as blocks from its lowest to its highest, and where it ends."""
    shown = decades[thinned(len(decades), _POINTS)]
    known = shown[np.isfinite(shown)]
    if not len(known):
        return "no gradient could be followed through the layers"
    low, high = float(known.min()), float(known.max())
    steps = (len(_BLOCKS) - 1) * (shown - low) / max(high - low, 1.0)
    # A profile that hardly changes stays at the top, since all is there.
    lift = len(_BLOCKS) - 1 - (len(_BLOCKS) - 1) * (high - low) / max(high - low, 1.0)
    blocks = "".join(_BLOCKS[round(step + lift)] if np.isfinite(step) else " " for step in steps)
    return f"last layer {blocks} first layer, {known[-1]:+,.2f} decades"
