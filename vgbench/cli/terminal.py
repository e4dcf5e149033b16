"""Output of the command line, in which text from files cannot control the terminal."""

from collections.abc import Iterable

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from vgbench.plain import printable

_WIDTH = 200
"""Columns if the output is not a terminal."""


class Terminal(Console):
    """A console on which only rich itself controls the terminal, for tables and bars."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as rich does, but write out control characters in the text."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


def console() -> Console:
    """The console of standard output; it is wide if the output is not a terminal."""
    found = Terminal()
    return found if found.is_terminal else Terminal(width=_WIDTH)


def say(line: str) -> None:
    """Print one line; line breaks in the text, as names may have, become spaces."""
    typer.echo(printable(" ".join(line.splitlines())))
