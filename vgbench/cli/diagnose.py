"""`vgbench diagnose`: what is wrong with a training run, from a file of JSON lines or the folder of a run."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vgbench.errors import InputError

if TYPE_CHECKING:
    from vgbench.diagnosis import Finding


def diagnose(
    what: Annotated[Path, typer.Argument(help="A file of JSON lines, or the folder of a run.", metavar="FILE|DIR")],
) -> None:
    """Show what is wrong with each training run, with the evidence and what to try."""
    from vgbench.diagnosis import diagnose as findings_of
    from vgbench.diagnosis.lines import from_lines

    if not what.is_dir():
        records = read_lines(what)
        _show("", findings_of(from_lines([*records.values()], [*records])))
        return
    for label, record in _records(what):
        _show(label, findings_of(record))


def read_lines(path: Path) -> dict[str, Any]:
    """The records of a file of JSON lines; each key names the file and the line.

    Raises:
        InputError: the file cannot be read, or a line is not JSON; the message names the line.
    """
    from vgbench.boundary.strict_json import loads

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    records = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            records[f"{path}: line {number}"] = loads(line, nonfinite=True)
        except ValueError as error:
            raise InputError(f"{path}: line {number}: not valid JSON: {error}") from None
    return records


def _records(directory: Path) -> Iterator[tuple[str, Any]]:
    from vgbench.records.runs import read_runs

    for run in read_runs(directory):
        for entry in run.entries:
            if entry.cell is not None:
                yield entry.row.label, entry.cell


def _show(label: str, findings: "list[Finding]") -> None:
    from vgbench.cli.terminal import say

    head = f"{label}: " if label else ""
    if not findings:
        say(f"{head}healthy")
    for finding in findings:
        seeds = f", {finding.seeds[0]} of {finding.seeds[1]} seeds" if finding.seeds[1] > 1 else ""
        say(f"{head}{finding}{seeds}")
        say(f"  try: {finding.suggestion}")
