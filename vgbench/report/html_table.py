"""A table of a report as HTML, for notebooks."""

from html import escape

import pandas as pd

from vgbench.report.columns.column import Bold
from vgbench.report.tables import header, tabulated


def html_table(table: pd.DataFrame) -> str:
    """The table as HTML; what is set in bold is strong."""
    return tabulated(table, "unsafehtml", _cell, lambda name: escape(header(name)))


def _cell(text: str) -> str:
    return f"<strong>{escape(text)}</strong>" if isinstance(text, Bold) else escape(text)
