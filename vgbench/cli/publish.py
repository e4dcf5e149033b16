"""`vgbench publish`: a run among the published ones."""

from pathlib import Path
from typing import Annotated

import typer


def publish(
    directory: Annotated[Path, typer.Argument(help="Folder of a run.", metavar="DIR")],
    results: Annotated[Path, typer.Argument(help="Folder of all published runs.", metavar="RESULTS")],
    allow: Annotated[
        list[str] | None,
        typer.Option(metavar="FAULT", help="Publish in spite of it: dirty, stale, incomplete or mixed; repeatable."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of other records of the same suite and device.")
    ] = False,
) -> None:
    """Add a run with its tables, pictures and page to RESULTS, and write the index there anew."""
    from vgbench.cli.host import stay_on_host
    from vgbench.cli.terminal import say
    from vgbench.report.publish import publish as publish_run

    stay_on_host()
    say(f"published: {publish_run(directory, results, allow=allow or (), replace=replace)}")
