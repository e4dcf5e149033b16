"""`vgbench report`: rebuild tables and pictures from records alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vgbench.report.write import Report


def report(
    directory: Annotated[Path, typer.Argument(help="Folder that a run has written.", metavar="DIR")],
) -> None:
    """Rebuild table.md, table.csv and gradients.png of a run from its records, and show the table."""
    from vgbench.report import write_report

    show(write_report(directory))


def show(written: "Report") -> None:
    """Print the findings, the table and where it came from."""
    from rich.console import Console
    from rich.text import Text

    from vgbench.report.tables import terminal

    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print()
    for sentence in written.sentences:
        console.print(Text(sentence))
    console.print()
    console.print(terminal(written.table, written.title))
    for line in written.failures:
        console.print(Text(f"not ok: {line}"))
    for line in written.footer:
        console.print(Text(line, style="dim"))
    console.print(Text("written: " + ", ".join(map(str, written.files)), style="dim"))
