"""The command line, a file a verb. Verbs import what they need when they run, so that `--help` is instant."""

import sys
from typing import Annotated

import typer

from vgbench import __version__
from vgbench.cli.compare import compare
from vgbench.cli.diagnose import diagnose
from vgbench.cli.list import list_members
from vgbench.cli.merge import merge
from vgbench.cli.publish import publish
from vgbench.cli.report import report
from vgbench.cli.run import run
from vgbench.cli.status import status
from vgbench.cli.theory import theory
from vgbench.errors import InputError, PluginError

app = typer.Typer(
    name="vgbench",
    help="Measure vanishing gradients: how they decay with depth, what trains, and what each mitigation costs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> bool:
    if asked:
        typer.echo(f"vgbench {__version__}")
        raise typer.Exit
    return asked


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


app.command("run")(run)
app.command("status")(status)
app.command("report")(report)
app.command("compare")(compare)
app.command("diagnose")(diagnose)
app.command("merge")(merge)
app.command("theory")(theory)
app.command("publish")(publish)
app.command("list")(list_members)


def main() -> None:
    """Run the command line; bad input, or a plug-in that fails, ends with its message and exit code 2."""
    try:
        app()
    except (InputError, PluginError) as error:
        sys.stderr.write(f"vgbench: {error}\n")
        sys.exit(2)
