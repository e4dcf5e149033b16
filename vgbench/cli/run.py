"""`vgbench run`: measure a suite, write its report and show it."""

import math
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vgbench.errors import InputError
from vgbench.plain import one_line

if TYPE_CHECKING:
    from vgbench.spec.suite import Suite


def run(
    suite: Annotated[str, typer.Argument(help="Name of a built-in suite (see `vgbench list suite`) or a .toml file.")],
    out: Annotated[Path | None, typer.Option(help="Folder for records and report.  [default: runs/SUITE]")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE[,VALUE...]",
            help="Set a field of every case; several values sweep it.",
        ),
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Keep this mitigation (and the baseline); repeatable.")] = None,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Measure the I-th of N parts; `vgbench merge` makes one run of all parts."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Measure the suite's quick version, named SUITE-quick.")
    ] = False,
    device: Annotated[
        str | None, typer.Option(help="cpu, gpu or tpu, with :i for the i-th alone; each has a worker of its own.")
    ] = None,
    executor: Annotated[str, typer.Option(help="local, or ray for a Ray cluster (extra `ray`).")] = "local",
    address: Annotated[
        str | None, typer.Option(help="Of the Ray cluster.  [default: auto, the one that this host belongs to]")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds that one measurement may take.")] = 3600,
    precision: Annotated[
        float,
        typer.Option(
            min=0.001,
            max=1,
            help="Time pairs until their ratio is known this well, or for 4 seconds.",
        ),
    ] = 0.02,
    memory_limit: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=2**32,
            metavar="GIB",
            help="Memory that the worker process may take (Linux).",
        ),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Measure again what ran out of time or memory, or crashed.")
    ] = False,
    keep_stale: Annotated[
        bool, typer.Option("--keep-stale", help="Keep, and mark, records of another source or other versions.")
    ] = False,
    reuse: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Copy results of the same cells from this run, of any suite; repeatable."),
    ] = None,
    allow_imports: Annotated[
        bool, typer.Option("--allow-imports", help="Import models that the suite names as MODULE:FUNCTION.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="End with exit code 1 unless every cell is ok.")] = False,
    log_file: Annotated[Path | None, typer.Option(help="Append a line for every event to this file.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the cells without measuring any.")] = False,
) -> None:
    """Measure gradients, training and cost for every cell of a suite; what is finished is not measured again."""
    from vgbench.cli.terminal import say
    from vgbench.harness.shard import read_shard
    from vgbench.spec.suite import read_suite

    for option, number in (("timeout", timeout), ("precision", precision), ("memory-limit", memory_limit)):
        if number is not None and not math.isfinite(number):
            raise InputError(f"--{option} {number}: is not a finite number")
    settings = _settings(set_ or [])
    names = [name for text in only or [] for name in text.split(",")]
    whole = read_suite(suite)
    selected = (whole.quick_version() if quick else whole).select(settings, names)
    _check_imports(selected, allowed=allow_imports)
    if dry_run:
        part = None if shard is None else read_shard(shard)
        for cell in selected.cells():
            if part is None or part.holds(cell.case):
                say(f"{cell.case.cell_id}  {cell.label}")
        return

    from vgbench.cli.host import stay_on_host
    from vgbench.cli.log import Log
    from vgbench.cli.progress import ProgressBar
    from vgbench.cli.report import show
    from vgbench.harness.interrupt import Interrupted
    from vgbench.harness.run_lock import read_status
    from vgbench.harness.runner import run as run_suite
    from vgbench.report import write_report

    logs = [Log(log_file)] if log_file else []
    try:
        with ProgressBar() as progress:
            folder = run_suite(
                selected,
                out,
                shard=shard,
                device=device,
                executor=executor,
                address=address,
                timeout=timeout,
                precision=precision,
                memory_limit=None if memory_limit is None else int(memory_limit * 2**30),
                retry_failed=retry_failed,
                keep_stale=keep_stale,
                reuse=reuse or (),
                observers=[progress, *logs],
            )
    except Interrupted as interrupted:
        typer.echo(f"vgbench: {interrupted}", err=True)
        raise typer.Exit(128 + interrupted.signal) from None
    if shard is not None:  # of a part there is no table: most rows would miss the baseline that they are compared with
        say(f"part {shard} is in {folder}; `vgbench merge OUT DIR...` makes one run of all parts")
        all_ok = read_status(folder).all_ok
    else:
        stay_on_host()
        report = write_report(folder)
        show(report)
        all_ok = report.all_ok
    if strict and not all_ok:
        raise typer.Exit(1)


def _check_imports(suite: "Suite", *, allowed: bool) -> None:
    from vgbench.models import imported

    if allowed:
        imported.allow()
    for cell in suite.cells():
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
