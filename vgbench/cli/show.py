"""`vgbench show`: one row of a run, with its profile as a line of blocks."""

from pathlib import Path
from typing import Annotated

import typer

from vgbench.errors import InputError, unknown


def show(
    name: Annotated[
        str, typer.Argument(help="A mitigation, a row such as 'he, depth 8', or a cell's id.", metavar="NAME")
    ],
    directory: Annotated[
        Path | None, typer.Argument(help="Folder of a run; by default the last one in runs/.", metavar="[DIR]")
    ] = None,
) -> None:
    """Show all that is known of a row, or of a mitigation at all swept values, with its gradient by layer."""
    from vgbench.cli.host import stay_on_host
    from vgbench.cli.terminal import console
    from vgbench.records.runs import read_runs
    from vgbench.report.report import report_of
    from vgbench.report.terminal import matching, row_lines

    stay_on_host()
    report = report_of(read_runs(directory or _last(Path("runs"))))
    places = matching(report, name)
    if not places:
        known = dict.fromkeys(entry.row.mitigation for run in report.runs for entry in run.entries)
        raise InputError(unknown("mitigation", name, known))
    out = console()
    for place in places:
        for line in row_lines(report, place):
            out.print(line)
        out.print()


def _last(runs: Path) -> Path:
    """The folder of the run whose manifest was written last."""
    manifests = sorted(runs.glob("*/*/manifest.json"), key=lambda path: path.stat().st_mtime)
    if not manifests:
        raise InputError(f"{runs}: no run is here; name the folder of one, as in `vgbench show NAME DIR`")
    return manifests[-1].parent.parent
