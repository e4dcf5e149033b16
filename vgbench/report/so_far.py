"""A run's table while it fills: its complete rows, one of them as a line, and what complete places have shown."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from rich.table import Table

from vgbench.records.runs import Run, swept
from vgbench.records.schema import Row
from vgbench.report.columns.column import NOTHING
from vgbench.report.frames import frame
from vgbench.report.headlines import headlines
from vgbench.report.outcomes import outcome
from vgbench.report.tables import display, shown_under, with_room
from vgbench.report.terminal import shown_table


@dataclass(frozen=True)
class SoFar:
    """The rows of a run that are complete.

    Attributes:
        run: with the entries of these rows alone.
        frame: its numbers.
        text: the frame as text.
    """

    run: Run
    frame: pd.DataFrame
    text: pd.DataFrame

    @classmethod
    def of(cls, run: Run) -> "SoFar":
        """Work out the numbers of the rows, each in some milliseconds."""
        data = frame([run])
        if len(run.entries) < len(run.manifest.rows):
            data["against_best"] = None  # the best row, and the correction for many rows, are known at the end alone
        return cls(run, data, display(data))

    @property
    def table(self) -> Table:
        """The rows with the columns of the final table."""
        return shown_table([self.run], self.text, self.run.manifest.title)

    def line(self, row: Row) -> str:
        """One of the rows in a line: its name, how it ended, and the values of the table's columns."""
        place = [entry.row for entry in self.run.entries].index(row)
        names = with_room(self.text, ("index",), swept([self.run]))
        texts = {name: str(self.text[name].iloc[place]) for name in names if shown_under(name).side != "row"}
        values = [f"{name} {text}" for name, text in texts.items() if text != NOTHING]
        return f"{row.label}: {', '.join([outcome(self.run.entries[place]).word, *values])}"

    def findings(self, rows: Sequence[Row]) -> list[str]:
        """What the places have shown that are complete now, and were not without these rows."""
        due = {repr(row.axes) for row in self.run.manifest.rows if row not in [each.row for each in self.run.entries]}
        complete = {repr(row.axes) for row in rows} - due
        places = [repr(entry.row.axes) in complete for entry in self.run.entries]
        return headlines(self.frame.loc[places], swept([self.run]))
