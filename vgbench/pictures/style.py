"""How pictures look: colours, shapes, and the two themes."""

from typing import Any

COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
"""Okabe & Ito (2008): colour-blind readers can distinguish them."""
BASELINE_COLOR = "#767676"
"""Visible on white and on black."""
SHAPES = ["square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right"]
BASELINE_SHAPE = "circle"
"""Shapes distinguish lines without colour; dashed lines are predictions."""
NEUTRAL = "#808080"

WIDTH, HEIGHT = 260, 190
"""The size of a panel in pixels."""


def theme(text: str, lines: str, background: str) -> dict[str, Any]:
    """A Vega-Lite configuration with these colours."""
    return {
        "background": background,
        "font": "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
        "view": {"stroke": lines},
        "axis": {
            "labelColor": text,
            "titleColor": text,
            "titleFontWeight": "normal",
            "gridColor": lines,
            "gridOpacity": 0.5,
            "domainColor": lines,
            "tickColor": lines,
        },
        "legend": {
            "labelColor": text,
            "titleColor": text,
            "labelLimit": 240,
            "symbolSize": 70,
            "titleFontWeight": "normal",
        },
        "header": {"labelColor": text, "titleColor": text, "labelFontSize": 11},
        "title": {"color": text, "subtitleColor": text, "anchor": "start", "fontSize": 12, "subtitleFontSize": 11},
        "text": {"color": text},
        "line": {"strokeWidth": 2},
        "point": {"size": 45, "filled": True, "opacity": 1},
    }


LIGHT = theme("#222222", "#d0d0d0", "#ffffff")
DARK = theme("#e4e4e4", "#4a4f57", "#16191d")
