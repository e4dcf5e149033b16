"""`vgbench publish`: copies a run to the published ones."""

from pathlib import Path
from typing import Annotated

import typer

from vgbench.errors import InputError


def publish(
    directory: Annotated[Path, typer.Argument(help="Folder of a run.", metavar="DIR")],
    results: Annotated[
        Path | None, typer.Argument(help="Folder of all published runs; not needed with --check.", metavar="RESULTS")
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FAULT", help="Publish despite this fault: dirty, stale, incomplete or mixed; repeatable."
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the published records of the same suite and device.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether the run could be published; exit code 1 if it could not.")
    ] = False,
) -> None:
    """Copy a run with its tables, pictures and page to RESULTS, and update the index there."""
    from vgbench.cli.host import stay_on_host
    from vgbench.cli.terminal import say
    from vgbench.report.publish import check as check_run
    from vgbench.report.publish import publish as publish_run

    stay_on_host()
    if check:
        found = check_run(directory)
        for fault, reason in found.items():
            say(f"{fault}: {reason}")
        say(f"{directory}: {'not fit to be published as it is' if found else 'fit to be published'}")
        raise typer.Exit(1 if found else 0)
    if results is None:
        raise InputError("publish: name the folder of all published runs after the run's, or give --check")
    say(f"published: {publish_run(directory, results, allow=allow or (), replace=replace)}")
