"""The table for the terminal."""

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from vgbench.plain import one_line
from vgbench.report.columns.column import Bold
from vgbench.report.tables import header, shown_under


def terminal(table: pd.DataFrame, title: str) -> Table:
    """The table for rich, with a rule between depths."""
    shown = Table(
        title=Text(one_line(title)), title_justify="left", header_style="bold", pad_edge=False, box=box.SIMPLE
    )
    names = [name for name in table.columns if shown_under(name).room != "page"]
    for name in names:
        shown.add_column(Text(one_line(header(name))), justify=shown_under(name).align, no_wrap=True)
    previous = None
    for row in table.to_dict("records"):
        if previous is not None and row["depth"] != previous:
            shown.add_section()
        previous = row["depth"]
        shown.add_row(
            *(Text(one_line(row[name]), style="bold" if isinstance(row[name], Bold) else "") for name in names)
        )
    return shown
