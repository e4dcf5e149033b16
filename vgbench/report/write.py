"""The report of a run: its sentences, tables and pictures as files."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from vgbench.errors import InputError, unknown
from vgbench.report import latex, markdown
from vgbench.report.charts import gradient_norms
from vgbench.report.frames import frame
from vgbench.report.report import Report, report_of
from vgbench.report.runs import Run, read_runs
from vgbench.store import write_bytes

_Writer = Callable[[Sequence[Run], Report], str]
_FORMATS: dict[str, tuple[str, _Writer]] = {
    "md": ("table.md", lambda runs, report: markdown.page(report)),
    "csv": ("table.csv", lambda runs, report: _csv(frame(runs))),
    "latex": ("table.tex", lambda runs, report: latex.page(report)),
}
FORMATS = tuple(_FORMATS)
"""The formats that a report can be written in."""


def write_report(directory: str | Path, formats: Sequence[str] = ("md", "csv")) -> Report:
    """Write the report of a run into its folder, from the records there alone.

    The text is the same, byte for byte, whenever the records are.

    Args:
        directory: that a run has written.
        formats: some of `FORMATS`: `table.md`, `table.csv` and `table.tex`.

    Raises:
        InputError: no records are there, one is damaged, the folder cannot be written, or a format is unknown.
    """
    for name in formats:
        if name not in FORMATS:
            raise InputError(unknown("format", name, FORMATS))
    root = Path(directory)
    runs = read_runs(root)
    report = report_of(runs)
    files = {name: write(runs, report).encode() for name, write in (_FORMATS[each] for each in formats)}
    if any(entry.cell and entry.cell.gradients for run in runs for entry in run.entries):
        files["gradients.png"] = _png(runs)
    try:
        for name, content in files.items():
            write_bytes(root / name, content)
    except OSError as error:
        raise InputError(f"{error.filename or root}: cannot write the report: {error.strerror}") from None
    return replace(report, files=[root / name for name in files])


def _csv(data: pd.DataFrame) -> str:
    # Ten digits: the last few of sixteen differ between versions of numpy, and the text must not.
    return data.to_csv(index=False, lineterminator="\n", float_format="%.10g")


def _png(runs: Sequence[Run]) -> bytes:
    import altair
    import vl_convert

    with altair.data_transformers.enable("default", max_rows=None):  # the picture is ours, not a page's
        definition = gradient_norms(list(runs)).to_json()
    return vl_convert.vegalite_to_png(definition, scale=2)
