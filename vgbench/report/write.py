"""The report of a run: its sentences, tables, pictures and page as files."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from vgbench.boundary.files import write_bytes
from vgbench.errors import InputError, unknown
from vgbench.pictures.render import RENDERERS, render
from vgbench.records.runs import read_runs
from vgbench.report import coordinates, export, latex, markdown
from vgbench.report.page import page
from vgbench.report.report import Report, report_of

_FORMATS: dict[str, tuple[str, Callable[[Report], bytes]]] = {
    "md": ("table.md", lambda report: markdown.page(report).encode()),
    "csv": ("table.csv", lambda report: export.csv(report.frame).encode()),
    "json": ("table.json", lambda report: export.json_table(report.frame).encode()),
    "parquet": ("table.parquet", lambda report: export.parquet(report.frame)),
    "latex": ("table.tex", lambda report: latex.page(report).encode()),
    "html": ("report.html", lambda report: page(report).encode()),
}
FORMATS = tuple(_FORMATS)
"""The formats that a report can be written in."""


def write_report(
    directory: str | Path,
    formats: Sequence[str] = ("md", "csv", "html"),
    pictures: Sequence[str] = (),
    *,
    price: float | None = None,
    first_alone: bool = False,
) -> Report:
    """Write the report of a run into its folder, from the records there alone.

    The text is the same whenever the records are: byte for byte on one machine, and on machines of other kinds but for
    the last digit of a figure that lies between two roundings.

    Args:
        directory: that a run has written.
        formats: some of `FORMATS`: `table.md`, `table.csv`, `table.json`, `table.parquet`, `table.tex` and
            `report.html`, the last with all pictures.
            With `md` goes `claims.md` where the suite has claims, and with `csv` `coordinates.csv` where cells have
            coordinate checks.
        pictures: forms of the pictures that are to lie in `pictures/` as well: png, svg, pdf, html. A picture is drawn
            where the run has what it shows.
        price: of an hour of one device, in any currency, which adds the price of reaching the target.
        first_alone: whether of the pictures only the one that the page begins with is to lie there.

    Raises:
        InputError: no records are there, one is damaged, the folder cannot be written, a format is unknown, or the
            price is not positive or for several devices.
    """
    for kind, names, known in (("format", formats, FORMATS), ("form of a picture", pictures, RENDERERS)):
        for name in names:
            if name not in known:
                raise InputError(unknown(kind, name, known))
    root = Path(directory)
    report = report_of(read_runs(root), price)
    files = {name: write(report) for name, write in (_FORMATS[each] for each in formats)}
    if "csv" in formats and report.checks:
        files["coordinates.csv"] = export.csv(coordinates.frame(report.checks)).encode()
    if "md" in formats and report.claims:
        files["claims.md"] = markdown.claims_page(report).encode()
    files |= dict(_drawn(report, pictures, first_alone=first_alone))
    try:
        for name, content in files.items():
            write_bytes(root / name, content)
    except OSError as error:
        raise InputError(f"{error.filename or root}: cannot write the report: {error.strerror}") from None
    return replace(report, files=[root / name for name in files])


def _drawn(report: Report, forms: Sequence[str], *, first_alone: bool) -> Iterator[tuple[str, bytes]]:
    for name, definition in report.pictures.items() if forms else ():
        for form in forms if name == report.first or not first_alone else ():
            yield f"pictures/{name}.{form}", render(definition, form)
