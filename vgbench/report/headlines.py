"""Sentences: what a run found, in words, generated from its frame."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import pandas as pd

from vgbench.spec.suite import BASELINE

VANISHED = -4.0
"""Decades between the last and the first layer from which a sentence calls a gradient vanishing."""

_Row = dict[str, Any]


def headlines(frame: pd.DataFrame) -> list[str]:
    """One sentence per device and depth at which there is a baseline: the cheapest mitigation that trains, its cost."""
    rows = frame.dropna(subset=["depth"]).to_dict("records")
    several = len({row["device"] for row in rows}) > 1
    sentences = []
    compared = {(row["device"], row["depth"]) for row in rows if row["mitigation"] == BASELINE}
    for (device, depth), group in groupby(rows, key=lambda row: (row["device"], row["depth"])):
        if (device, depth) in compared:
            place = f"{device}, depth {depth:.0f}" if several else f"Depth {depth:.0f}"
            sentences.append(f"{place}: {_finding(list(group))}")
    return sentences


def _finding(rows: Sequence[_Row]) -> str:
    tried = [row for row in rows if not pd.isna(row["trained"])]
    if not tried:
        return _gradient_finding(rows)
    trains = [row for row in tried if row["trained"] == row["seeds"]]
    target = f"{tried[0]['target']:.0%} test accuracy with every seed"
    baseline = "trains as well" if any(row["mitigation"] == BASELINE for row in trains) else "does not"
    others = [row for row in trains if row["mitigation"] != BASELINE and row["beside"] == BASELINE]
    timed = [row for row in others if not pd.isna(row["step_ratio"])]
    if not timed:
        return f"no mitigation reaches {target}; the baseline {baseline}."
    best = min(timed, key=lambda row: row["step_ratio"])
    return (
        f"the cheapest mitigation that trains ({target}) is {best['mitigation']}, at {best['step_ratio']:.2f}"
        f" [{best['step_ratio_low']:.2f}, {best['step_ratio_high']:.2f}] times the baseline's step;"
        f" the baseline {baseline}.{_in_spite(trains)}"
    )


def _in_spite(trains: Sequence[_Row]) -> str:
    """Those that train although their gradient vanishes at initialisation: the profile at that moment misleads."""
    lost = [row for row in trains if row["log10_first_over_last"] < VANISHED]
    if not lost:
        return ""
    told = [f"{row['mitigation']} ({_decades(row)})" for row in lost]
    return f" Trained though the gradient vanishes at first (decades lost then, and after training): {', '.join(told)}."


def _decades(row: _Row) -> str:
    return f"{-row['log10_first_over_last']:.1f}, {-row['log10_first_over_last_trained']:z.1f}"


def _gradient_finding(rows: Sequence[_Row]) -> str:
    usable = [row for row in rows if not pd.isna(row["decay"])]
    if not usable:
        return "not trained, and no gradient could be followed through the layers."
    place = "time step" if rows[0]["family"] == "recurrent" else "layer"
    # Smaller differences are rounding in float32. Of equal ones the first.
    flattest = min(usable, key=lambda row: round(abs(row["decay"]), 6))
    cost = "" if pd.isna(flattest["step_ratio"]) else f", at {flattest['step_ratio']:.2f} times the baseline's step"
    return (
        f"not trained; the gradient changes least with {flattest['mitigation']}"
        f" ({flattest['decay']:+z.4f} decades a {place}{cost})."
    )
