"""From a definition to a picture: PNG, SVG, PDF and a page that stands alone."""

import json
from collections.abc import Callable

import vl_convert

from vgbench.pictures.compose import Definition
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
