"""`vgbench run`: measure a suite, write its report and show it."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vgbench.cli.options import takes_run_options
from vgbench.errors import InputError
from vgbench.harness.options import WHAT, RunOptions, read_options
from vgbench.plain import one_line

if TYPE_CHECKING:
    from vgbench.harness.selection import Selection

_SHOWN = "What is shown"


@takes_run_options
def run(
    suite: Annotated[str, typer.Argument(help="Name of a built-in suite (see `vgbench list suite`) or a .toml file.")],
    allow_imports: Annotated[
        bool,
        typer.Option(
            "--allow-imports", help="Import models that the suite names as MODULE:FUNCTION.", rich_help_panel=WHAT
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the cells without measuring any.", rich_help_panel=WHAT)
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="End with exit code 1 unless every cell is ok.", rich_help_panel=_SHOWN),
    ] = False,
    log_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Append a line for every event to this file.", rich_help_panel=_SHOWN),
    ] = None,
    **options: Any,
) -> None:
    """Measure gradients, training and cost for every cell of a suite; what is finished is not measured again."""
    from vgbench.cli.terminal import say
    from vgbench.harness.selection import select

    names = [name for text in options["only"] or () for name in text.split(",")]
    chosen = read_options({**options, "only": names, "settings": _settings(options["settings"] or ())})
    selection = select(suite, chosen)
    _check_imports(selection, allowed=allow_imports)
    if dry_run:
        for cell in selection.cells:
            say(f"{cell.case.cell_id}  {cell.label}")
        if needs := selection.suite.needs:
            say(f"suite {selection.suite.name} needs {needs}")
        return
    folder = _measure(selection, chosen, log_file)
    if not _show(folder, chosen) and strict:
        raise typer.Exit(1)


def _measure(selection: "Selection", options: RunOptions, log_file: Path | None) -> Path:
    from vgbench.cli.log import Log
    from vgbench.cli.progress import ProgressBar
    from vgbench.harness.interrupt import Interrupted
    from vgbench.harness.runner import measure

    logs = [Log(log_file)] if log_file else []
    try:
        with ProgressBar() as progress:
            return measure(selection, options, [progress, *logs])
    except Interrupted as interrupted:
        typer.echo(f"vgbench: {interrupted}", err=True)
        raise typer.Exit(128 + interrupted.signal) from None


def _show(folder: Path, options: RunOptions) -> bool:
    """Write and show the report, of a part where it is; returns whether every cell is ok."""
    from vgbench.cli.host import stay_on_host
    from vgbench.cli.report import print_lines, show
    from vgbench.cli.terminal import say
    from vgbench.harness.run_lock import read_status
    from vgbench.report.kept import keep, kept

    if options.shard is not None:  # there is no table: most rows would miss the baseline that they are compared with
        say(f"part {options.shard} is in {folder}; `vgbench merge OUT DIR...` makes one run of all parts")
        return read_status(folder).all_ok
    again = kept(folder)
    if again is not None:
        print_lines(again.texts, [folder / name for name in again.files])
        return again.all_ok
    from vgbench.report.write import write_report

    stay_on_host()
    report = write_report(folder)
    keep(folder, report.files, show(report), all_ok=report.all_ok)
    return report.all_ok


def _check_imports(selection: "Selection", *, allowed: bool) -> None:
    from vgbench.models import imported

    if allowed:
        imported.allow()
    for cell in selection.cells:
        imported.check(cell.case)


def _settings(texts: Sequence[str]) -> dict[str, list[Any]]:
    settings: dict[str, list[Any]] = {}
    for text in texts:
        place = f"--set {one_line(text)}"
        field, equals, values = text.partition("=")
        if not (field and equals and values):
            raise InputError(f"{place}: needs FIELD=VALUE, with further values after commas")
        if field in settings:
            raise InputError(f"{place}: {field} is set already; write all its values in one --set, after commas")
        settings[field] = _values(place, values)
    return settings


def _values(place: str, values: str) -> list[Any]:
    """The values as TOML has them, or as text."""
    try:
        table = tomllib.loads(f"values = [{values}\n]")
    except ValueError:
        return [value.strip() for value in values.split(",")]
    except RecursionError:
        raise InputError(f"{place[:40]}...: is nested too deeply") from None
    if table.keys() != {"values"}:
        raise InputError(f"{place}: needs the values of one field alone")
    return table["values"]
