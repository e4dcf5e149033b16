"""Renders a definition or a chart as PNG, SVG, PDF or an HTML page that needs no network.

The text of files is set in the package's own font, so that a picture is the same wherever it is drawn and shown.
"""

import json
import re
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from vgbench.pictures.compose import Definition, alone
from vgbench.pictures.png import recompressed
from vgbench.pictures.style import FONT, LIGHT

_FONTS = Path(__file__).parent / "fonts"
_FACES = {"normal": "DejaVuSans.ttf", "bold": "DejaVuSans-Bold.ttf"}
vl_convert.register_font_directory(str(_FONTS))

RENDERERS: dict[str, Callable[[str], bytes]] = {
    "png": lambda text: recompressed(vl_convert.vegalite_to_png(text, scale=1.5)),
    "svg": lambda text: _with_fonts(vl_convert.vegalite_to_svg(text)).encode(),
    "pdf": lambda text: _pdf(vl_convert.vegalite_to_svg(text)),
    "html": lambda text: vl_convert.vegalite_to_html(text, bundle=True).encode(),
}
"""The formats of a picture, which are also the file suffixes."""


def _with_fonts(drawing: str) -> str:
    """An SVG that holds its fonts."""
    faces = "".join(
        f'@font-face{{font-family:"{FONT}";font-weight:{weight};'
        f"src:url(data:font/ttf;base64,{b64encode((_FONTS / name).read_bytes()).decode()})}}"
        for weight, name in _FACES.items()
    )
    tag, rest = drawing.split(">", 1)
    return f"{tag}><style>{faces}</style>{rest}"


def _pdf(drawing: str) -> bytes:
    """An SVG as PDF of the same size, whose unit is 1/72 inch where a pixel is 1/96; its fonts are embedded."""
    size = re.compile(r'(width|height)="([\d.]+)"')
    start, tag, rest = drawing.partition("viewBox")
    smaller = size.sub(lambda found: f'{found[1]}="{0.75 * float(found[2]):g}"', start)
    return vl_convert.svg_to_pdf(smaller + tag + rest)


def render(definition: Definition, form: str) -> bytes:
    """Render a picture in one of the formats of `RENDERERS`, for a white background."""
    return RENDERERS[form](json.dumps({**definition, "config": LIGHT}))


def svg(chart: Any) -> str:
    """Render a single Altair chart as SVG for a page that has fonts, on a white background."""
    return vl_convert.vegalite_to_svg(json.dumps({**alone(chart), "config": LIGHT}))


def interactive(definition: Definition) -> Any:
    """A definition as an Altair chart, for a white background."""
    return alt.Chart.from_dict({**definition, "config": LIGHT})
