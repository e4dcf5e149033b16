"""Lines and the labels at their ends: labels keep their order and never overlap, and lines that coincide share one."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgbench.pictures.lines import GAP, merged, spread
from vgbench.pictures.panels import Span, log_span, span


@given(st.lists(st.floats(0, 300), min_size=1, max_size=25))
def test_labels_keep_their_order_and_do_not_overlap(places: list[float]) -> None:
    found = spread(np.asarray(places), GAP, 300)
    order = np.argsort(places, kind="stable")
    assert (np.diff(found[order]) >= GAP - 1e-9).all()
    assert found.min() >= 0
    assert found.max() <= 300 + 1e-9


def test_panel_without_lines_has_no_labels() -> None:
    assert spread(np.empty(0), GAP, 100).size == 0


def test_labels_stay_at_their_lines_where_there_is_room() -> None:
    assert list(spread(np.asarray([200.0, 10.0, 100.0]), GAP, 300)) == [200, 10, 100]
    assert list(spread(np.asarray([100.0, 100.0]), 10, 300)) == [95, 105]


def lines(**heights: list[float]) -> pd.DataFrame:
    return pd.DataFrame([{"mitigation": name, "y": y} for name, values in heights.items() for y in values])


def test_lines_that_coincide_share_a_label_with_all_their_names() -> None:
    rows = lines(baseline=[0, -5], he=[0, 0], adam=[0, -5.01], short=[0])
    found = merged(rows, "y", Span(-10.0, 0.0), 0.002)
    assert list(found["mitigation"]) == ["baseline", "baseline", "he", "he", "short"]
    assert list(dict.fromkeys(found["names"])) == ["baseline, adam", "he", "short"]
    apart = merged(rows, "y", Span(-10.0, 0.0), 0.0005)
    assert list(dict.fromkeys(apart["names"])) == ["baseline", "he", "adam", "short"]


@pytest.mark.parametrize("axis", [Span(-3.0, 5.0), Span(0.01, 100.0, log=True)])
def test_span_finds_numbers_along_the_axis_and_back(axis: Span) -> None:
    assert list(axis.share([axis.low, axis.high])) == [0, 1]
    assert axis.at(axis.share([1.0, 2.0])) == pytest.approx([1.0, 2.0])


def test_span_shows_all_finite_numbers() -> None:
    assert span([1.0, np.nan, 3.0], [-np.inf, 2.0]) == Span(0.92, 3.08)
    assert span([np.nan]) == Span(-0.04, 1.04)
    found = log_span([1.0, 100.0])
    assert found.log
    assert found.low < 1 < 100 < found.high
