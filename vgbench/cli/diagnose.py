"""`vgbench diagnose`: what is wrong with a training run, from a run file or the folder of a run."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from vgbench.diagnosis import Diagnosis


def diagnose(
    what: Annotated[Path, typer.Argument(help="A file of JSON lines, or the folder of a run.", metavar="FILE|DIR")],
) -> None:
    """Show what is wrong with each training run, with the evidence and what to try, or what is missing to tell."""
    from vgbench.boundary.run_lines import read_run
    from vgbench.cli.host import stay_on_host
    from vgbench.diagnosis import diagnose as answer_to

    stay_on_host()
    if not what.is_dir():
        _show("", answer_to(read_run(what)))
        return
    for label, record in _records(what):
        _show(label, answer_to(record))


def _records(directory: Path) -> Iterator[tuple[str, Any]]:
    from vgbench.records.runs import read_runs

    for run in read_runs(directory):
        for entry in run.entries:
            if entry.cell is not None:
                yield entry.row.label, entry.cell


def _show(label: str, answer: "Diagnosis") -> None:
    from vgbench.cli.terminal import say

    for line in answer.lines():
        say(f"{label}: {line}" if label and not line.startswith(" ") else line)
