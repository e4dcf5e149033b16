"""The texts of a picture and where they stand, by its SVG."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

_WIDTHS = dict.fromkeys(",.:; ijl", 0.32) | dict.fromkeys("()frt-", 0.41) | dict.fromkeys("mwMW\u2212", 0.9)
"""Of letters of DejaVu Sans over the size of the text; of all others about 0.62."""


class Text(NamedTuple):
    """A text and the box around it, in pixels."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


def touching(svg: str, gap: float = 2.0) -> list[tuple[str, str]]:
    """Pairs of horizontal texts between which there are fewer than `gap` pixels on a line."""
    shown = sorted(_texts(ET.fromstring(svg), 0.0, 0.0), key=lambda text: text.top)
    return [(one.text, other.text) for one, other in combinations(shown, 2) if _touch(one, other, gap)]


def _touch(one: Text, other: Text, gap: float) -> bool:
    across = one.left < other.right + gap and other.left < one.right + gap
    return across and one.top < other.bottom and other.top < one.bottom and one != other


def _texts(node: ET.Element, x: float, y: float) -> Iterator[Text]:
    transform = node.get("transform", "")
    moved = re.match(r"translate\(([-\d.e]+),([-\d.e]+)\)", transform)
    x, y = (x + float(moved[1]), y + float(moved[2])) if moved else (x, y)
    if node.tag.endswith("}text") and "rotate" not in transform and float(node.get("opacity", "1")) > 0:
        text, size = node.text or "", float(node.get("font-size", "10px").removesuffix("px"))
        width = size * sum(_WIDTHS.get(letter, 0.62) for letter in text)
        left = x - width * {"start": 0.0, "middle": 0.5, "end": 1.0}[node.get("text-anchor", "start")]
        yield Text(text, left, y - 0.75 * size, left + width, y + 0.2 * size)
    for inner in node:
        yield from _texts(inner, x, y)
