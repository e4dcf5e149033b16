"""The table that fills on the terminal: its last rows that fit, with the head, above the bar."""

from io import StringIO

import pytest
from rich import box
from rich.console import Console
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from vgbench.cli.filling import FillingTable, cropped

LINES = [[Segment(text)] for text in ("title", "head", "────", "a", "b", "c", "d")]


@pytest.mark.parametrize(
    ("room", "shown"),
    [
        (9, "title head ──── a b c d"),
        (7, "title head ──── a b c d"),
        (5, "title head ──── c d"),
        (4, "title head ──── d"),
        (3, ""),
        (-1, ""),
    ],
)
def test_last_rows_that_fit_are_shown_below_the_head(room: int, shown: str) -> None:
    assert [line[0].text for line in cropped(LINES, room)] == shown.split()


def drawn(rows: int, height: int, findings: tuple[str, ...] = ("It trains.", "and more")) -> list[str]:
    table = Table("name", "value", box=box.SIMPLE)
    for row in range(rows):
        table.add_row(f"row {row}", "x" * 30)
    filling = FillingTable(Text("the bar"))
    filling.fill(table, findings)
    filling.fill(table, ())
    out = StringIO()
    Console(file=out, width=24, height=height, force_terminal=True, color_system=None).print(filling, end="")
    return out.getvalue().splitlines()


@pytest.mark.parametrize("height", [4, 12, 25, 60])
def test_bar_is_below_the_table_and_all_fits_on_a_narrow_terminal(height: int) -> None:
    lines = drawn(rows=24, height=height)
    assert len(lines) < height
    assert max(map(len, lines)) <= 24
    assert [line.strip() for line in lines[-2:]] == ["It trains.", "the bar"]
    assert any("row 23" in line for line in lines) == (height > 10)
    assert any("row 0 " in line for line in lines) == (height > 40)


def test_bar_is_alone_before_a_row_is_complete() -> None:
    out = StringIO()
    Console(file=out, width=24, height=10).print(FillingTable(Text("the bar")), end="")
    assert out.getvalue().split("\n") == ["the bar", ""]
