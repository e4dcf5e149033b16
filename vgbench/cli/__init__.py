"""The command line, one file per verb. Verbs import what they need when they run, so that `--help` is instant."""

import io
import os
import sys
from contextlib import suppress
from typing import Annotated, NoReturn

import typer

from vgbench import __version__
from vgbench.cli.compare import compare
from vgbench.cli.diagnose import diagnose
from vgbench.cli.list import list_members
from vgbench.cli.merge import merge
from vgbench.cli.publish import publish
from vgbench.cli.report import report
from vgbench.cli.run import run
from vgbench.cli.show import show
from vgbench.cli.status import status
from vgbench.cli.theory import theory
from vgbench.errors import InputError, PluginError
from vgbench.plain import printable

app = typer.Typer(
    name="vgbench",
    help="Measure vanishing gradients: how they decay with depth, which networks train, and what mitigations cost.",
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
app.command("show")(show)
app.command("compare")(compare)
app.command("diagnose")(diagnose)
app.command("merge")(merge)
app.command("theory")(theory)
app.command("publish")(publish)
app.command("list")(list_members)


def main() -> None:
    """Run the command line.

    Bad input, a plug-in that fails, or a file or an output that fails gives a message and exit code 2.
    """
    _prepare_outputs()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # now, when a full disk can still be reported
    except (InputError, PluginError) as error:
        _end(str(error))
    except OSError as error:
        _end(f"{error.filename or 'the output cannot be written'}: {error.strerror or error}")


def _prepare_outputs() -> None:
    """Make the outputs escape what they cannot encode, and replace closed outputs by ones that discard everything."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, io.StringIO())
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _end(message: str) -> NoReturn:
    with suppress(OSError):
        sys.stderr.write(printable(f"vgbench: {message}\n"))
        sys.stderr.flush()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # Python would try again at exit and print an error
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(2)
