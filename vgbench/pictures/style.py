"""How pictures look: colours, shapes, and the two themes."""

from typing import Any

FONT = "DejaVu Sans"
"""The font of pictures in files, which hold it."""
COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
"""Okabe & Ito (2008): colour-blind readers can distinguish them."""
NEUTRAL = "#767676"
"""Visible on white and on black."""
LOOKS = {
    "reference": (NEUTRAL, "circle"),
    "cell": ("#8C564B", "M0,-1L.23,-.31L.95,-.31L.36,.12L.59,.81L0,.38L-.59,.81L-.36,.12L-.95,-.31L-.23,-.31Z"),
    "skip": ("#0072B2", "square"),
    "norm": ("#009E73", "diamond"),
    "optimizer": ("#D55E00", "triangle-up"),
    "gradient transform": ("#CC79A7", "triangle-down"),
    "init": ("#56B4E9", "triangle-right"),
    "activation": ("#E69F00", "cross"),
    "precision": ("#7A5195", "triangle-left"),
    "other": ("#4D7C0F", "M-.5,-.87L.5,-.87L1,0L.5,.87L-.5,.87L-1,0Z"),
}
"""The colour and the shape of each slot, in the order of a legend. Shapes distinguish slots in print without colour."""

WIDTH, HEIGHT = 260, 190
"""The size of a panel in pixels."""


def theme(text: str, lines: str, background: str) -> dict[str, Any]:
    """A Vega-Lite configuration with these colours."""
    return {
        "background": background,
        "font": f"'{FONT}', system-ui, 'Segoe UI', Roboto, sans-serif",
        "view": {"stroke": lines},
        "axis": {
            "labelColor": text,
            "titleColor": text,
            "titleFontWeight": "normal",
            "gridColor": lines,
            "gridOpacity": 0.5,
            "domainColor": lines,
            "tickColor": lines,
            # A label that is flush with the end of its axis comes near to the next one.
            "labelFlush": False,
            "labelSeparation": 4,
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
        "tick": {"color": text},
        "line": {"strokeWidth": 2},
        "point": {"size": 45, "filled": True, "opacity": 1},
        # Under a text, so that lines behind it do not cross it out.
        "style": {"halo": {"stroke": background, "strokeWidth": 6, "strokeJoin": "round"}},
    }


LIGHT = theme("#222222", "#d0d0d0", "#ffffff")
DARK = theme("#e4e4e4", "#4a4f57", "#16191d")
