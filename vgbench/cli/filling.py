"""The table of a run that fills on the terminal, as many of its last rows as there is room for, above the bar."""

from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from vgbench.plain import one_line

_WIDTH = 100
"""Columns of the table, as in the report."""
_SPARE = 2
"""Lines of the terminal that stay free, for the cursor and a note."""


class FillingTable:
    """What rich draws of a run that is at work.

    Args:
        bar: is drawn last.
    """

    def __init__(self, bar: RenderableType) -> None:
        self._bar = bar
        self._rows: RenderableType | None = None
        self._findings: list[str] = []

    def fill(self, table: Table, findings: Sequence[str]) -> None:
        """Show another table, and the first finding where there is one."""
        self._rows = table
        self._findings = list(findings[:1]) or self._findings

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """Draw the table, the finding and the bar."""
        below = Group(*(Text(one_line(finding)) for finding in self._findings), self._bar)
        last = console.render_lines(below, options, pad=False)
        table = options.update(width=min(options.max_width, _WIDTH))
        rows = [] if self._rows is None else console.render_lines(self._rows, table, pad=False)
        for line in (*cropped(rows, console.height - _SPARE - len(last)), *last):
            yield from line
            yield Segment.line()


def cropped(lines: list[list[Segment]], room: int) -> list[list[Segment]]:
    """The lines of a table that fit: its head, which ends with a rule, and the last of the others, or else none."""
    if len(lines) <= room:
        return lines
    head = 1 + next((i for i, line in enumerate(lines) if any("─" in segment.text for segment in line)), 0)
    return [*lines[:head], *lines[len(lines) - (room - head) :]] if room > head else []
