"""Several devices of one suite: the time of a step over the reference's on each, and what carries over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import pandas as pd

from vgbench.measure.pairs import verdict
from vgbench.report.columns import under
from vgbench.report.columns.column import NOTHING
from vgbench.spec.label import label
from vgbench.spec.suite import BASELINE
from vgbench.statistics import Interval

Carried = Literal["yes, slower", "yes, faster", "yes, same", "no", "unclear"]
"""Whether a ratio carries over from one device to the others."""

HEADING = "carries over"
TITLE = (
    "Time of a step over the reference's by device, with its 95 % interval; it carries over where the intervals of all"
    " devices lie on the same side of 1, or all within 3 % of it, and does not where, without that, the verdicts"
    " (SLOWER, FASTER, SAME) of two devices differ; launch marks a device that is idle for more than half of a queue of"
    " steps, so that its ratio compares launches"
)
"""Of the table."""


@dataclass(frozen=True)
class Across:
    """What several devices have in common.

    Attributes:
        sentence: how many ratios carry over, and which do not.
        table: as text: a row for each row of the suite but references, a column for each device, and whether it carries
            over.
    """

    sentence: str
    table: pd.DataFrame


def carried(ratios: Sequence[Interval]) -> Carried:
    """Whether the ratios of one row on several devices agree."""
    if all(ratio.low > 1 for ratio in ratios):
        return "yes, slower"
    if all(ratio.high < 1 for ratio in ratios):
        return "yes, faster"
    verdicts = [verdict(ratio) for ratio in ratios]
    if set(verdicts) == {"SAME"}:
        return "yes, same"
    decided = [each for each in verdicts if each != "UNCLEAR"]
    return "no" if any(one != other for one, other in combinations(decided, 2)) else "unclear"


def across(frame: pd.DataFrame, axes: Sequence[str]) -> Across | None:
    """Hold the devices of a suite against each other; None with a single one, or without a ratio on two.

    Args:
        frame: of all of them.
        axes: names of the swept axes.
    """
    devices = list(dict.fromkeys(frame["device"]))
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in frame.to_dict("records"):
        if row["mitigation"] != row["reference"]:
            found.setdefault(_named(row, axes), {})[row["device"]] = row  # pyright: ignore[reportArgumentType]
    verdicts: dict[str, Carried | None] = {name: _carried(rows) for name, rows in found.items()}
    if set(verdicts.values()) <= {None}:
        return None
    lines = [
        [name, *(_text(rows.get(device)) for device in devices), verdicts[name] or NOTHING]
        for name, rows in found.items()
    ]
    return Across(_sentence(verdicts, len(devices)), pd.DataFrame(lines, columns=["row", *devices, HEADING]))


def _named(row: Any, axes: Sequence[str]) -> str:
    reference = row["reference"]
    versus = "" if pd.isna(reference) or reference == BASELINE else f" (vs {reference})"
    return label([f"{row['mitigation']}{versus}"], {name: row[name] for name in axes})


def _carried(rows: Mapping[str, dict[str, Any]]) -> Carried | None:
    """None for a row that is not timed on two devices."""
    timed = [row for row in rows.values() if not pd.isna(row["step_ratio"])]
    if len(timed) < 2:
        return None
    return carried([Interval(*(row[f"step_ratio{end}"] for end in ("", "_low", "_high"))) for row in timed])


def _text(row: dict[str, Any] | None) -> str:
    shown = under("step ratio").shown
    if row is None or shown is None:
        return NOTHING
    return f"{shown.text(row, 'step_ratio')}{' launch' if row['launch_bound'] is True else ''}"


def _sentence(verdicts: Mapping[str, Carried | None], devices: int) -> str:
    known = {name: each for name, each in verdicts.items() if each is not None}
    kept = sum(each.startswith("yes") for each in known.values())
    lost = [name for name, each in known.items() if each == "no"]
    unclear = len(known) - kept - len(lost)
    named = f" ({'; '.join(lost)})" if lost else ""
    over = f"{kept} of {len(known)} step ratios {_verb(kept, 'carries', 'carry')} over"
    against = f"{len(lost)} {_verb(len(lost), 'does', 'do')} not{named}"
    return f"On {devices} devices, {over}, {against}, and {unclear} {_verb(unclear, 'is', 'are')} unclear."


def _verb(count: int, one: str, several: str) -> str:
    return one if count == 1 else several
