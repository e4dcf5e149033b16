"""The report of a run: its table, sentences and picture as files."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from vgbench.errors import InputError
from vgbench.report.charts import gradient_norms
from vgbench.report.frames import frame
from vgbench.report.headlines import headlines
from vgbench.report.runs import Run, origins, read_runs
from vgbench.report.tables import LEGEND, display, escape, failures, halves, markdown
from vgbench.store import write_bytes


@dataclass(frozen=True)
class Report:
    """What was written, for whoever wants to show it.

    Attributes:
        title: of the suite.
        sentences: the findings.
        table: as text.
        failures: one line for each measurement that is not ok, with the reason.
        footer: what produced the records: device, versions, commit; numbered where there is more than one.
        files: the paths written.
    """

    title: str
    sentences: list[str]
    table: pd.DataFrame
    failures: list[str]
    footer: list[str]
    files: list[Path]

    @property
    def all_ok(self) -> bool:
        """Whether every measurement is there and ok."""
        return not self.failures


def write_report(directory: str | Path) -> Report:
    """Write `table.md`, `table.csv` and `gradients.png` into `directory` from the records there alone.

    The text is the same, byte for byte, whenever the records are.

    Raises:
        InputError: no records are there, one is damaged, or the folder cannot be written.
    """
    root = Path(directory)
    runs = read_runs(root)
    data = frame(runs)
    table, sentences = display(data), headlines(data)
    not_ok, footer = failures(data), _footer(runs)
    title = runs[0].manifest.title
    tables = "\n\n".join(map(markdown, halves(table)))
    text = _page(title, runs[0].manifest.question, sentences, tables, not_ok, footer)
    files = {"table.md": text.encode(), "table.csv": _csv(data).encode()}
    if any(entry.cell and entry.cell.gradients for run in runs for entry in run.entries):
        files["gradients.png"] = _png(runs)
    try:
        for name, content in files.items():
            write_bytes(root / name, content)
    except OSError as error:
        raise InputError(f"{error.filename or root}: cannot write the report: {error.strerror}") from None
    return Report(title, sentences, table, not_ok, footer, [root / name for name in files])


def _page(title: str, question: str, sentences: list[str], tables: str, failures: list[str], footer: list[str]) -> str:
    findings = "\n".join(f"- {escape(sentence)}" for sentence in sentences)
    not_ok = "".join(f"- {escape(line)}\n" for line in failures)
    not_ok = f"Not ok:\n\n{not_ok}\n" if not_ok else ""
    provenance = "\n\n".join(footer)
    legend = "\n".join(f"- **{name}**: {meaning}" for name, meaning in LEGEND.items())
    return f"# {escape(title)}\n\n{escape(question)}\n\n{findings}\n\n{tables}\n\n{not_ok}{legend}\n\n{provenance}\n"


def _footer(runs: list[Run]) -> list[str]:
    known = origins(runs)
    return [f"({i}) {origin}" for i, origin in enumerate(known, start=1)] if len(known) > 1 else known


def _csv(data: pd.DataFrame) -> str:
    # Ten digits: the last few of sixteen differ between versions of numpy, and the text must not.
    return data.to_csv(index=False, lineterminator="\n", float_format="%.10g")


def _png(runs: list[Run]) -> bytes:
    import altair
    import vl_convert

    with altair.data_transformers.enable("default", max_rows=None):  # the picture is ours, not a page's
        definition = gradient_norms(runs).to_json()
    return vl_convert.vegalite_to_png(definition, scale=2)
