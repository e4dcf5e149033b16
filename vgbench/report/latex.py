"""Tables for a paper: LaTeX with booktabs; text from suite files stays text."""

import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from itertools import groupby
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined, Template

from vgbench.plain import one_line
from vgbench.report.columns.column import Bold
from vgbench.report.report import Report
from vgbench.report.reproduce import command
from vgbench.report.tables import alignment, header, known_halves, legend

_SIGNS = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
        **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}"},
        **{"±": r"$\pm$", "→": r"$\to$", "↑": r"$\uparrow$", "↓": r"$\downarrow$"},
    }
)


def tex(text: str) -> str:
    """Text as plain text on one line of a LaTeX document; numbers keep their minus signs."""
    written = re.sub(r"(?<![\w.-])-(?=\d)", "$-$", one_line(text).translate(_SIGNS))
    # The end of a row, or an item, before it would take these for its own.
    return f"{{{written[0]}}}{written[1:]}" if written[:1] in ("[", "*") else written


def _tex_cell(text: str) -> str:
    return rf"\textbf{{{tex(text)}}}" if isinstance(text, Bold) else tex(text)


def page(report: Report) -> str:
    """The findings as a list, then the halves of the table, each with what produced it below."""
    captions = {
        "benefit": "Gradient and training of each mitigation",
        "cost": "Cost of a training step of each mitigation",
    }
    tables = [
        {
            "caption": f"{report.title}. {captions[side]}.",
            "label": f"tab:{re.sub('[^a-zA-Z0-9]+', '-', report.suite)}-{side}",
            "alignment": "".join(each[0] for each in alignment(half)),
            "heads": list(map(header, half.columns)),
            "groups": _groups(half),
            "legend": legend(half),
        }
        for side, half in known_halves(report.table).items()
    ]
    return _template().render(report=report, tables=[*tables, *_further(report)], command=command(report.runs))


def _further(report: Report) -> Iterator[dict[str, Any]]:
    """The tables that follow the main one."""
    for number, (title, table) in enumerate(report.further, start=1):
        yield {
            "caption": f"{report.title}. {title}.",
            "label": f"tab:{re.sub('[^a-zA-Z0-9]+', '-', report.suite)}-further-{number}",
            "alignment": f"l{'r' * (len(table.columns) - 1)}",
            "heads": list(map(str, table)),
            "groups": [table.to_numpy().tolist()],
            "legend": {},
        }


def _groups(table: pd.DataFrame) -> list[list[list[str]]]:
    """The rows as lists of cells, those of one depth together."""
    rows = table.to_dict("records")
    return [[list(row.values()) for row in group] for _, group in groupby(rows, key=lambda row: row.get("depth"))]


@cache
def _template() -> Template:
    environment = Environment(
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        autoescape=False,
    )
    environment.filters.update(tex=tex, cell=_tex_cell)
    return environment.from_string((resources.files("vgbench.report") / "table.tex.jinja").read_text())
