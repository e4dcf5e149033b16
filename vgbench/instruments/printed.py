"""Tables as text, for `print` outside of a terminal."""

from typing import Any

from rich.console import Console

_WIDTH = 140


def printed(table: Any) -> str:
    """What rich prints of a table, without colours."""
    console = Console(width=_WIDTH, no_color=True)
    with console.capture() as text:
        console.print(table)
    return text.get()
