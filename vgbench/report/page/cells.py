"""The cells of the page's table: numbers with a bar, a profile as a line, and the outcome as a word."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from vgbench.pictures.panels import thinned
from vgbench.records.runs import Entry
from vgbench.report.columns.column import Bold

WIDTH, HEIGHT = 84, 22
"""Pixels of a profile."""
_POINTS = 24
_DEEPEST = 16.0
"""Decades that a profile shows at most; a gradient that changes by more is lost or endless for every purpose."""
BARS = {"step ratio": "step_ratio", "memory": "memory_ratio"}
"""Headings whose cells have a bar, and the frame's column that it shows."""


def cells(row: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The texts of a row without the remarks that follow them in parentheses, those remarks, and what is bold."""
    parts = {name: str(text).partition(" (") for name, text in row.items()}
    return {
        name: {"text": text, "note": f"({note}" if note else "", "bold": isinstance(row[name], Bold)}
        for name, (text, _, note) in parts.items()
    }


def bars(frame: pd.DataFrame) -> list[dict[str, int]]:
    """For each row the length of its bars in percent of the longest, by the headings of their columns."""
    shares = {}
    for heading, name in BARS.items():
        values = frame[name].to_numpy(np.float64)
        longest = np.nanmax(values) if np.isfinite(values).any() else 1.0
        shares[heading] = np.round(100 * values / longest)
    return [
        {heading: int(share[row]) for heading, share in shares.items() if np.isfinite(share[row])}
        for row in range(len(frame))
    ]


def profiles(entries: Sequence[Entry]) -> list[dict[str, str] | None]:
    """Each row's gradient at initialisation from the last layer to the first, as a line on a scale that all share."""
    known = [_decades(entry) for entry in entries]
    shown = [each[np.isfinite(each)] for each in known if each is not None]
    ends = np.concatenate([*shown, [0.0]])
    low, high = float(ends.min()), float(ends.max())
    return [None if each is None else _line(each, low, max(high, low + 1)) for each in known]


def _decades(entry: Entry) -> Float[np.ndarray, "points"] | None:
    """log10 of the gradient's norm over that at the last layer, on the way back, clipped at `_DEEPEST`."""
    if entry.cell is None or entry.cell.gradients is None:
        return None
    with np.errstate(invalid="ignore"):
        norms = entry.cell.gradients.log10_activation_norm.mean(axis=0)[::-1]
        relative = np.clip(norms - norms[0], -_DEEPEST, _DEEPEST)
    return relative[thinned(len(relative), _POINTS)] if np.isfinite(relative).any() else None


def _line(decades: Float[np.ndarray, "points"], low: float, high: float) -> dict[str, str]:
    across = np.linspace(2, WIDTH - 2, len(decades)) if len(decades) > 1 else np.asarray([2.0])
    up = 2 + (HEIGHT - 4) * (high - decades) / (high - low)
    points = " ".join(f"{x:.0f},{y:.1f}" for x, y in zip(across, up, strict=True) if np.isfinite(y))
    end = decades[np.isfinite(decades)][-1]
    zero = 2 + (HEIGHT - 4) * high / (high - low)
    clipped = " or more" if abs(end) >= _DEEPEST else ""
    words = f"from the last layer to the first the gradient changes by {end:+.1f} decades{clipped}"
    return {"points": points, "zero": f"{zero:.1f}", "words": words}
