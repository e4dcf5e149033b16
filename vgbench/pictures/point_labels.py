"""Labels beside points, none of which lies on another label or on a point."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float

LETTER, HEIGHT = 5.8, 12
"""Pixels that a letter takes across, and a line in height."""
_REACH = (7, 14, 24, 38, 56, 80)
"""Distances from the point that are tried, in pixels."""
_POINT = 5
"""Pixels around the middle of a point that a label must not lie on."""

_Box = tuple[float, float, float, float]


def beside(
    points: Float[np.ndarray, "points 2"],
    bars: Float[np.ndarray, "points 2"],
    names: Sequence[str],
    size: tuple[int, int],
) -> Float[np.ndarray, "points 2"]:
    """The middle of the left edge of each point's label, in pixels from the upper left corner; NaN where none fits.

    Args:
        points: pixels from the left and from the upper edge.
        bars: left and right end of each point's interval, in pixels; NaN where it has none.
        names: the texts.
        size: width and height of the panel, within which labels lie.
    """
    left, right = np.fmin(bars[:, 0], points[:, 0]), np.fmax(bars[:, 1], points[:, 0])
    spans = list(zip(left, right, points[:, 1], strict=True))
    taken: list[_Box] = [(left - _POINT, y - _POINT, right + _POINT, y + _POINT) for left, right, y in spans]
    found = np.full((len(names), 2), np.nan)
    for index, (span, name) in enumerate(zip(spans, names, strict=True)):
        width = LETTER * len(name)
        for x, y in _candidates(*span, width):
            box = x, y - HEIGHT / 2, x + width, y + HEIGHT / 2
            inside = box[0] >= 0 and box[1] >= 0 and box[2] <= size[0] and box[3] <= size[1]
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                found[index] = x, y
                break
    return found


def _candidates(left: float, right: float, y: float, width: float) -> Iterator[tuple[float, float]]:
    """To the right and to the left of a point with its interval, above and below, then further away."""
    for reach in _REACH:
        yield right + reach, y
        yield left - reach - width, y
        for x in ((left + right - width) / 2, right + reach, left - reach - width):
            yield x, y - reach - HEIGHT / 2
            yield x, y + reach + HEIGHT / 2


def _overlap(one: _Box, other: _Box) -> bool:
    return bool(one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3])
