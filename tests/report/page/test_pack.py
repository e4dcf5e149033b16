"""Tables by column, and text in few bytes."""

import base64
import zlib

from vgbench.report.page.pack import by_column, compressed


def test_a_table_is_given_by_column() -> None:
    rows = [{"name": "he", "x": x, "y": None} for x in (1, 2)]
    assert by_column(rows) == {"name": ["he", "he"], "x": [1, 2], "y": [None, None]}


def test_no_rows_have_no_columns() -> None:
    assert by_column([]) == {}


def test_text_is_compressed_as_browsers_read_it() -> None:
    text = "</script>\u2028" * 100
    packed = compressed(text)
    assert len(packed) < 100
    assert zlib.decompress(base64.b64decode(packed)).decode() == text
