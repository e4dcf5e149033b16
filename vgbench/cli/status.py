"""`vgbench status`: the state of a run, from another terminal."""

from pathlib import Path
from typing import Annotated

import typer


def status(directory: Annotated[Path, typer.Argument(help="Folder of a run.", metavar="DIR")]) -> None:
    """Show what a run has measured, what it measures now, and what is left."""
    from vgbench.cli.terminal import say
    from vgbench.harness.run_lock import read_status
    from vgbench.records.origin import device_names

    found = read_status(directory)
    names = device_names(device.manifest.provenance.device for device in found.devices)
    for device in found.devices:
        total = sum(device.counts.values())
        counts = ", ".join(f"{count} {status}" for status, count in sorted(device.counts.items()))
        name = names[device.manifest.provenance.device]
        say(f"{device.manifest.suite} on {name}: {total} measurements: {counts}")
    if found.at_work and found.note:
        say(f"running ({found.note}): {found.note.now} since {found.note.since}; {found.note.progress}")
    elif found.at_work:
        say("running: it has just started")
    elif found.note:
        say(f"not running; the last run was stopped while {found.note.now}")
    else:
        say("not running; the last run has finished")
