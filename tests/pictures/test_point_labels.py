"""Labels beside points: they lie within the panel, and neither on one another nor on a point."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vgbench.pictures.point_labels import HEIGHT, LETTER, beside

SIZE = 420, 300


@given(st.lists(st.tuples(st.integers(0, 420), st.integers(0, 300)), min_size=1, max_size=30))
def test_labels_lie_on_nothing_and_within_the_panel(points: list[tuple[int, int]]) -> None:
    places, name = np.asarray(points, float), "residual"
    found = beside(places, np.full(places.shape, np.nan), [name] * len(places), SIZE)
    shown = found[~np.isnan(found[:, 0])]
    width = LETTER * len(name)
    assert (shown >= [0, HEIGHT / 2]).all()
    assert (shown <= [SIZE[0] - width, SIZE[1] - HEIGHT / 2]).all()
    for index, (x, y) in enumerate(shown):
        across, up = np.abs(shown[:, 0] - x), np.abs(shown[:, 1] - y)
        assert all(across[other] >= width or up[other] >= HEIGHT for other in range(len(shown)) if other != index)
        on = (places[:, 0] > x) & (places[:, 0] < x + width) & (np.abs(places[:, 1] - y) < HEIGHT / 2)
        assert not on.any()


def test_label_stands_beyond_the_interval_of_its_point() -> None:
    (place,) = beside(np.asarray([[100.0, 100.0]]), np.asarray([[50.0, 150.0]]), ["he"], SIZE)
    assert place[0] > 150
    assert place[1] == 100
