"""A table of a report as HTML, for notebooks."""

from html import escape

import pandas as pd
from tabulate import tabulate

from vgbench.report.tables import Bold, alignment, header


def html_table(table: pd.DataFrame) -> str:
    """The table as HTML; what is set in bold is strong."""
    return tabulate(
        table.map(_cell),  # pyright: ignore[reportArgumentType]
        headers=[escape(header(str(name))) for name in table.columns],
        tablefmt="unsafehtml",
        showindex=False,
        disable_numparse=True,
        colalign=alignment(table),
    )


def _cell(text: str) -> str:
    return f"<strong>{escape(text)}</strong>" if isinstance(text, Bold) else escape(text)
