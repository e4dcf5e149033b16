"""`vgbench list`: names with one line of meaning each, and with their sources if requested."""

from typing import TYPE_CHECKING, Annotated

import typer

from vgbench.errors import InputError, unknown

if TYPE_CHECKING:
    from vgbench.spec.suite import Suite


def list_members(
    kind: Annotated[
        str | None, typer.Argument(help="List only this kind, e.g. suite, norm or optimizer.", metavar="KIND")
    ] = None,
    sources: Annotated[
        bool, typer.Option("--sources", help="Also show the paper or package from which each comes.")
    ] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the documentation page of all members with their options instead.")
    ] = False,
) -> None:
    """List the built-in suites, and all names that a suite can use: the members of every slot, statistics and signs."""
    from vgbench.cli.terminal import console

    if markdown:
        from vgbench.report.components import members_page

        if kind is not None:
            raise InputError(f"--markdown prints one page of all kinds; leave out {kind!r}")
        typer.echo(members_page(), nl=False)
        return

    from rich.table import Table
    from rich.text import Text

    from vgbench.spec.registry import LISTED
    from vgbench.spec.suite import built_in_suites

    listings = {"suite": list(map(_suite, built_in_suites()))}
    for slot, registry in LISTED.items():
        listings[slot] = [(member.name, member.meaning, member.source) for member in registry]
    if kind is not None and kind not in listings:
        raise InputError(unknown("kind", kind, listings))
    columns = ("name", "meaning", "source") if sources else ("name", "meaning")
    table = Table("kind", *columns)
    for name in [kind] if kind else listings:
        for row in listings[name]:
            table.add_row(name, *map(Text, row[: len(columns)]))
        table.add_section()
    console().print(table)


def _suite(suite: "Suite") -> tuple[str, str, str]:
    minutes = f"about {suite.minutes:g} minutes on two CPU cores" if suite.minutes else ""
    needs = f"needs {suite.needs}" if suite.needs else ""
    notes = "; ".join(filter(None, (minutes, needs)))
    return suite.name, f"{suite.question}{notes and f' ({notes})'}", "; ".join(suite.references)
