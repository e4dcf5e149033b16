"""From a definition or a chart to a picture: PNG, SVG, PDF and a page that needs no network."""

import json
from collections.abc import Callable
from typing import Any

import altair as alt
import vl_convert

from vgbench.pictures.compose import Definition, alone
from vgbench.pictures.style import LIGHT

RENDERERS: dict[str, Callable[[str], bytes]] = {
    "png": lambda text: vl_convert.vegalite_to_png(text, scale=1.5),
    "svg": lambda text: vl_convert.vegalite_to_svg(text).encode(),
    "pdf": vl_convert.vegalite_to_pdf,
    "html": lambda text: vl_convert.vegalite_to_html(text, bundle=True).encode(),
}
"""The forms of a picture, which are also its files' endings."""


def render(definition: Definition, form: str) -> bytes:
    """The picture in one of the forms of `RENDERERS`, for white paper."""
    return RENDERERS[form](json.dumps({**definition, "config": LIGHT}))


def svg(chart: Any) -> str:
    """A single Altair chart as SVG, for white paper."""
    return RENDERERS["svg"](json.dumps({**alone(chart), "config": LIGHT})).decode()


def interactive(definition: Definition) -> Any:
    """A definition as an Altair chart, for white paper."""
    return alt.Chart.from_dict({**definition, "config": LIGHT})
