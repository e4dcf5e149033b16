"""`vgbench merge`: combines several runs into one."""

from pathlib import Path
from typing import Annotated

import typer


def merge(
    out: Annotated[Path, typer.Argument(help="Folder to merge into; its records are kept.", metavar="OUT")],
    sources: Annotated[list[Path], typer.Argument(help="Folders of runs.", metavar="DIR...")],
    allow_mixed: Annotated[
        bool,
        typer.Option("--allow-mixed", help="Also merge records of other versions or flags; the table marks them."),
    ] = False,
) -> None:
    """Merge runs of one suite into one, in any order, and show its table; each device has its own rows."""
    from vgbench.cli.host import stay_on_host
    from vgbench.cli.report import show
    from vgbench.harness.merge import merge as merge_runs
    from vgbench.report import write_report

    def say(line: str) -> None:
        typer.echo(f"vgbench: {line}", err=True)

    stay_on_host()
    show(write_report(merge_runs(out, sources, allow_mixed=allow_mixed, say=say)))
