"""`vgbench report`: writes tables and pictures from records alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
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


def show(written: "Report", *, wide: bool = False) -> None:
    """Print the findings, the table (in 100 columns, or all of it) and its provenance."""
    from rich.text import Text

    from vgbench.cli.terminal import console
    from vgbench.plain import one_line
    from vgbench.report import claims
    from vgbench.report.terminal import WIDTH, further_tables, table_of

    out = console()
    out.print()
    for sentence in written.sentences:
        out.print(Text(one_line(sentence)))
    for line in claims.lines(written.claims):
        out.print(Text(one_line(line)))
    out.print()
    out.print(table_of(written, wide=wide), width=None if wide else WIDTH)
    for table in further_tables(written):
        out.print(table, width=None if wide else WIDTH)
    for line in written.failures:
        out.print(Text(one_line(f"not ok: {line}")))
    for line in written.footer:
        out.print(Text(one_line(line), style="dim"))
    out.print(Text("written: " + ", ".join(map(str, written.files)), style="dim"))
