"""The report of a run: its sentences, tables, pictures and page as files."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from vgbench.boundary.files import write_bytes
from vgbench.errors import InputError, unknown
from vgbench.pictures.render import RENDERERS, render
from vgbench.plain import one_line
from vgbench.records.runs import read_runs
from vgbench.report import latex, markdown
from vgbench.report.page import page
from vgbench.report.report import Report, report_of

_FORMATS: dict[str, tuple[str, Callable[[Report], str]]] = {
    "md": ("table.md", markdown.page),
    "csv": ("table.csv", lambda report: _csv(report.frame)),
    "latex": ("table.tex", latex.page),
    "html": ("report.html", page),
}
FORMATS = tuple(_FORMATS)
"""The formats that a report can be written in."""


def write_report(
    directory: str | Path, formats: Sequence[str] = ("md", "csv", "html"), pictures: Sequence[str] = ()
) -> Report:
    """Write the report of a run into its folder, from the records there alone.

    The text is the same whenever the records are: byte for byte on one machine, and on machines of other kinds but for
    the last digit of a figure that lies between two roundings.

    Args:
        directory: that a run has written.
        formats: some of `FORMATS`: `table.md`, `table.csv`, `table.tex` and `report.html`, the last with all pictures.
            With `md` goes `claims.md` where the suite has claims.
        pictures: forms of the pictures that are to lie in `pictures/` as well: png, svg, pdf, html. A picture is drawn
            where the run has what it shows.

    Raises:
        InputError: no records are there, one is damaged, the folder cannot be written, or a format is unknown.
    """
    for kind, names, known in (("format", formats, FORMATS), ("form of a picture", pictures, RENDERERS)):
        for name in names:
            if name not in known:
                raise InputError(unknown(kind, name, known))
    root = Path(directory)
    report = report_of(read_runs(root))
    files = {name: write(report).encode() for name, write in (_FORMATS[each] for each in formats)}
    if "md" in formats and report.claims:
        files["claims.md"] = markdown.claims_page(report).encode()
    files |= dict(_drawn(report, pictures))
    try:
        for name, content in files.items():
            write_bytes(root / name, content)
    except OSError as error:
        raise InputError(f"{error.filename or root}: cannot write the report: {error.strerror}") from None
    return replace(report, files=[root / name for name in files])


def _drawn(report: Report, forms: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for name, definition in report.pictures.items() if forms else ():
        for form in forms:
            yield f"pictures/{name}.{form}", render(definition, form)


_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
"""What a spreadsheet takes for the beginning of a formula, in full width, too."""


def _csv(data: pd.DataFrame) -> str:
    data = data.map(_csv_cell).rename(columns=_csv_cell)
    return data.to_csv(index=False, lineterminator="\n", float_format=_digits)


def _digits(value: float) -> str:
    """A count in full, anything else with seven digits: float32, in which most is measured, has no more."""
    return f"{value:z.0f}" if value.is_integer() else f"{value:z.7g}"


def _csv_cell(value: Any) -> Any:
    """A name on one line, as text to spreadsheets; a number as it is."""
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
