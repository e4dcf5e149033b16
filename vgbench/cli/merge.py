"""`vgbench merge`: one run from several."""

from pathlib import Path
from typing import Annotated

import typer


def merge(
    out: Annotated[Path, typer.Argument(help="Folder to merge into; what it holds stays.", metavar="OUT")],
    sources: Annotated[list[Path], typer.Argument(help="Folders of runs.", metavar="DIR...")],
    allow_mixed: Annotated[
        bool, typer.Option("--allow-mixed", help="Merge, and mark, records of other versions or flags.")
    ] = False,
) -> None:
    """Merge runs of one suite into one, in any order, and show its table; devices stay apart."""
    from vgbench.cli.report import show
    from vgbench.harness.merge import merge as merge_runs
    from vgbench.report import write_report

    def say(line: str) -> None:
        typer.echo(f"vgbench: {line}", err=True)

    show(write_report(merge_runs(out, sources, allow_mixed=allow_mixed, say=say)))
