"""`vgbench publish`: copies a run to the published ones."""

from pathlib import Path
from typing import Annotated

import typer


def publish(
    directory: Annotated[Path, typer.Argument(help="Folder of a run.", metavar="DIR")],
    results: Annotated[Path, typer.Argument(help="Folder of all published runs.", metavar="RESULTS")],
    allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FAULT", help="Publish despite this fault: dirty, stale, incomplete or mixed; repeatable."
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the published records of the same suite and device.")
    ] = False,
) -> None:
    """Copy a run with its tables, pictures and page to RESULTS, and update the index there."""
    from vgbench.cli.host import stay_on_host
    from vgbench.cli.terminal import say
    from vgbench.report.publish import publish as publish_run

    stay_on_host()
    say(f"published: {publish_run(directory, results, allow=allow or (), replace=replace)}")
