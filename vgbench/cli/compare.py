"""`vgbench compare`: what changed between two runs beyond noise."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from vgbench.report.compare import Change


class FailOn(StrEnum):
    """The changes that give exit code 1."""

    REGRESSION = "regression"
    CHANGE = "change"


def compare(
    before: Annotated[Path, typer.Argument(help="Folder of a run.", metavar="A")],
    after: Annotated[Path, typer.Argument(help="Folder of a later run.", metavar="B")],
    fail_on: Annotated[
        FailOn | None,
        typer.Option(help="Give exit code 1 if a value is worse (regression), or if it is better or worse (change)."),
    ] = None,
    across_devices: Annotated[
        bool,
        typer.Option(
            "--across-devices",
            help="Compare each device of A with each of B: whether B reproduces decay, training and step ratios of A.",
        ),
    ] = False,
) -> None:
    """Show for each cell what changed from A to B in decay, training and cost beyond noise."""
    from vgbench.cli.terminal import console, say
    from vgbench.report.compare import compare as compare_runs

    found = compare_runs(before, after, across_devices=across_devices)
    changed = [change for change in found.changes if change.judgement in ("BETTER", "WORSE")]
    if changed:
        console().print(_table(changed))
    counts = ", ".join(f"{found.count(each)} {each.lower()}" for each in ("WORSE", "BETTER", "SAME", "UNCLEAR"))
    say(f"{len(found.changes)} values of cells that are in both runs: {counts}")
    for cells, where in ((found.only_before, before), (found.only_after, after)):
        if cells:
            say(f"only in {where}: {'; '.join(cells)}")
    fails = found.count("WORSE") if fail_on is FailOn.REGRESSION else len(changed) if fail_on else 0
    if fails:
        raise typer.Exit(1)


def _table(changes: "list[Change]") -> "Table":
    from rich.table import Table
    from rich.text import Text

    several = len({change.device for change in changes}) > 1
    table = Table("cell", "quantity", "before", "after", "")
    for change in changes:
        cell = f"{change.cell} ({change.device})" if several else change.cell
        style = "red" if change.judgement == "WORSE" else "green"
        row = [cell, change.what, change.before, change.after]
        table.add_row(*map(Text, row), Text(change.judgement, style=style))
    return table
