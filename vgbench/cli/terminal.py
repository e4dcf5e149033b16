"""What the command line prints: text from files is only text there."""

from collections.abc import Iterable

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from vgbench.plain import printable

_WIDTH = 200
"""Columns where the output is no terminal."""


class Terminal(Console):
    """A console on which only rich's own markup of tables and bars controls the terminal."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as rich does, with the control characters of the text written out."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


def console() -> Console:
    """The console of standard output; it is wide where that is no terminal."""
    found = Terminal()
    return found if found.is_terminal else Terminal(width=_WIDTH)


def say(line: str) -> None:
    """Print a line; one with line ends in it, as a name may have, stays one."""
    typer.echo(printable(" ".join(line.splitlines())))
