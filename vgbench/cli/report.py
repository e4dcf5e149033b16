"""`vgbench report`: writes tables and pictures from records alone."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.text import Text

    from vgbench.report.report import Report


PRICE = typer.Option(
    metavar="NUMBER", help="Price of an hour of one device, in any currency: adds the price of reaching the target."
)


def report(
    directories: Annotated[list[Path], typer.Argument(help="Folders that runs have written.", metavar="DIR...")],
    format_: Annotated[
        str,
        typer.Option(
            "--format", metavar="NAME[,NAME...]", help="Formats of the report: md, csv, json, parquet, latex, html."
        ),
    ] = "md,csv,html",
    pictures: Annotated[
        str,
        typer.Option(metavar="FORM[,FORM...]", help="Also write the pictures as files: png, svg, pdf, html."),
    ] = "",
    wide: Annotated[bool, typer.Option("--wide", help="Show all columns of the table.")] = False,
    price: Annotated[float | None, PRICE] = None,
) -> None:
    """Write the report of each run from its records into its folder, and show the table in 100 columns.

    Each run gets its own report; `vgbench merge` combines runs.
    """
    from vgbench.cli.host import stay_on_host
    from vgbench.report import write_report

    stay_on_host()
    forms = pictures.split(",") if pictures else ()
    for directory in directories:
        show(write_report(directory, format_.split(","), forms, price=price), wide=wide)


def show(written: "Report", *, wide: bool = False) -> "list[Text]":
    """Print the findings, the table (in 100 columns, or all of it) and its provenance; returns what was printed."""
    from vgbench.cli.terminal import console
    from vgbench.report.terminal import WIDTH, lines_of

    lines = lines_of(written, wide=wide, width=console().width if wide else WIDTH)
    print_lines(lines, written.files)
    return lines


def print_lines(lines: "Iterable[Text]", files: Iterable[Path]) -> None:
    """Print the lines of a report, those of its table without wrapping them, and which files hold it."""
    from rich.text import Text

    from vgbench.cli.terminal import console

    out = console()
    for line in lines:
        out.print(line, soft_wrap=bool(line.no_wrap))
    out.print(Text("written: " + ", ".join(map(str, files)), style="dim"))
