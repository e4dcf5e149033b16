"""Tables in few bytes: by column, and what repeats itself with its number."""

from vgbench.report.page.pack import packed


def test_table_is_packed_by_column_and_repetition() -> None:
    rows = [{"name": "he", "x": x, "y": None} for x in (1, 2, 3, 4, 5)]
    assert packed(rows) == {"name": {"runs": [["he", 5]]}, "x": [1, 2, 3, 4, 5], "y": {"runs": [[None, 5]]}}


def test_nothing_is_packed_as_nothing() -> None:
    assert packed([]) == {}
