"""`vgbench list`: names, one line of meaning, and the source."""

from typing import Annotated

import typer

from vgbench.errors import InputError, unknown


def list_members(
    kind: Annotated[str | None, typer.Argument(help="One kind only, e.g. suite, norm or optimizer.")] = None,
) -> None:
    """List what a suite can name: suites, models, mitigations of every slot, data."""
    from rich.console import Console
    from rich.table import Table

    from vgbench.registry import REGISTRIES
    from vgbench.suite import built_in_suites

    listings = {"suite": [(suite.name, suite.question, "") for suite in built_in_suites()]}
    for slot, registry in REGISTRIES.items():
        listings[slot] = [(member.name, member.meaning, member.source) for member in registry]
    if kind is not None and kind not in listings:
        raise InputError(unknown("kind", kind, listings))
    table = Table("kind", "name", "meaning", "source")
    for name in [kind] if kind else listings:
        for row in listings[name]:
            table.add_row(name, *row)
        table.add_section()
    console = Console()
    (console if console.is_terminal else Console(width=200)).print(table)
