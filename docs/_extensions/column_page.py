"""The page `columns.md`: the meaning of each column of a run's frame, and its heading in tables."""

from pathlib import Path

from sphinx.application import Sphinx

from vgbench.report.columns import COLUMNS
from vgbench.report.columns.column import Column

_HEAD = """# Columns of a run's frame

{py:func}`vgbench.load` and `table.csv` have a row for each cell of a run and these columns; unknown values are empty.
Before these columns, each further swept axis has a column with its name. Tables show some of the columns as text, under
the headings below.

| Column | Meaning | Heading in tables |
| --- | --- | --- |
"""


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the writing of the page, which has to happen before Sphinx looks for sources."""
    app.connect("builder-inited", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _write(app: Sphinx) -> None:
    (Path(app.srcdir) / "columns.md").write_text(_page(), encoding="utf-8")


def _page() -> str:
    return _HEAD + "".join(map(_line, COLUMNS))


def _line(column: Column) -> str:
    heading = column.shown.heading if column.shown else ""
    meaning = column.meaning.replace("|", "\\|")
    return f"| `{column.name}` | {meaning} | {heading} |\n"
