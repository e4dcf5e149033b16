"""Sentences: what a run found, in words, generated from its frame."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from vgbench.spec.suite import BASELINE

VANISHED = -4.0
"""Decades between the last and the first layer from which a sentence calls a gradient vanishing."""
MANY = 12
"""Combinations of swept values up to which each has a sentence of its own."""

_Row = dict[str, Any]


class _Finding(NamedTuple):
    """What was found at one combination of swept values: the gist, which others may share, and the rest."""

    gist: str
    numbers: str = ""
    baseline: str = ""
    more: str = ""

    def __str__(self) -> str:
        return f"{self.gist}{self.numbers}{self.baseline}.{self.more}"


def headlines(frame: pd.DataFrame, axes: Sequence[str]) -> list[str]:
    """The cheapest mitigation that trains, and its cost, at each combination of swept values that has a baseline.

    There is one sentence for each device and combination. Of more than `MANY` combinations those that have the same
    finding share a sentence.

    Args:
        frame: of the run.
        axes: names of the swept axes. The depth is named in any case.
    """
    rows: list[_Row] = frame.dropna(subset=["depth"]).to_dict("records")  # pyright: ignore[reportAssignmentType]
    several = len({row["device"] for row in rows}) > 1
    groups: dict[str, list[_Row]] = {}
    for row in rows:
        groups.setdefault(_place(row, axes, with_device=several), []).append(row)
    findings = {
        place: _finding(group) for place, group in groups.items() if any(row["mitigation"] == BASELINE for row in group)
    }
    if len(findings) > MANY:
        return _by_finding(findings)
    return [f"{place if several else _begun(place)}: {finding}" for place, finding in findings.items()]


def _begun(place: str) -> str:
    return place[0].upper() + place[1:]


def _place(row: _Row, axes: Sequence[str], *, with_device: bool) -> str:
    """Where a row stands, in words; what is equal in them is compared."""
    device = [row["device"]] if with_device else []
    names = dict.fromkeys(["depth", *axes])
    return ", ".join([*device, *(f"{name} {_value(row[name])}" for name in names)])


def _value(value: Any) -> str:
    # pandas makes floats of a column's integers where one is missing.
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)


def _by_finding(findings: dict[str, _Finding]) -> list[str]:
    """A sentence for each finding, that of most combinations first, with the combinations that it holds at."""
    shared: dict[str, list[str]] = {}
    for place, finding in findings.items():
        shared.setdefault(f"{finding.gist}{finding.baseline}", []).append(place)
    ordered = sorted(shared.items(), key=lambda each: -len(each[1]))
    return [
        f"At {len(places)} of {len(findings)} combinations {found} ({'; '.join(places)})." for found, places in ordered
    ]


def _finding(rows: Sequence[_Row]) -> _Finding:
    if all(row["status"] == "missing" for row in rows):
        return _Finding("not measured")
    tried = [row for row in rows if not pd.isna(row["trained"])]
    if not tried:
        return _gradient_finding(rows)
    trains = [row for row in tried if row["trained"] == row["seeds"]]
    others = [row for row in trains if row["mitigation"] != BASELINE]
    target = f"{tried[0]['target']:.0%} test accuracy with every seed"
    baseline = _baseline(tried, trains)
    timed = [row for row in others if row["beside"] == BASELINE and not pd.isna(row["step_ratio"])]
    rest = [row for row in others if row not in timed]
    if not others:
        return _Finding(f"no mitigation reaches {target}", baseline=baseline)
    if not timed:
        return _Finding(_apart(rest, f" ({target})"), baseline=baseline, more=_in_spite(trains))
    best = min(timed, key=lambda row: row["step_ratio"])
    return _Finding(
        f"the cheapest mitigation that trains ({target}) is {best['mitigation']}",
        f", at {best['step_ratio']:.2f} [{best['step_ratio_low']:.2f}, {best['step_ratio_high']:.2f}] times the"
        " baseline's step",
        baseline,
        (f" Besides, {_apart(rest)}." if rest else "") + _in_spite(trains),
    )


def _baseline(tried: Sequence[_Row], trains: Sequence[_Row]) -> str:
    if all(row["mitigation"] != BASELINE for row in tried):
        return "; the baseline was not trained"
    as_well = any(row["mitigation"] == BASELINE for row in trains)
    return "; the baseline trains as well" if as_well else "; the baseline does not"


def _apart(rows: Sequence[_Row], target: str = "") -> str:
    """Those that train and whose cost is not known relative to the baseline's, and why it is not."""
    names: dict[str, list[str]] = {}
    for row in rows:
        name, reference = row["mitigation"], row["beside"]
        if pd.isna(row["step_ratio"]):
            names.setdefault("but {was} not timed", []).append(name)
        elif name == reference:
            names.setdefault("and {is} the reference of others", []).append(name)
        else:
            cost = f"{name} (at {row['step_ratio']:.2f} times its step)"
            names.setdefault(f"and {{is}} compared with {reference}", []).append(cost)
    return "; ".join(f"{', '.join(each)} {_train(why, target, one=len(each) == 1)}" for why, each in names.items())


def _train(why: str, target: str, *, one: bool) -> str:
    verbs = {"was": "was", "is": "is"} if one else {"was": "were", "is": "are"}
    return f"{'trains' if one else 'train'}{target} {why.format(**verbs)}"


def _in_spite(trains: Sequence[_Row]) -> str:
    """Those that train although their gradient vanishes at initialisation: the profile at that moment misleads."""
    lost = [row for row in trains if row["log10_first_over_last"] < VANISHED]
    if not lost:
        return ""
    told = [f"{row['mitigation']} ({_decades(row)})" for row in lost]
    return f" Trained though the gradient vanishes at first (decades lost then, and after training): {', '.join(told)}."


def _decades(row: _Row) -> str:
    return f"{-row['log10_first_over_last']:.1f}, {-row['log10_first_over_last_trained']:z.1f}"


def _gradient_finding(rows: Sequence[_Row]) -> _Finding:
    usable = [row for row in rows if not pd.isna(row["decay"])]
    if not usable:
        return _Finding("not trained, and no gradient could be followed through the layers")
    # Smaller differences are rounding in float32. Of equal ones the first.
    flattest = min(usable, key=lambda row: round(abs(row["decay"]), 6))
    place = "time step" if flattest["family"] == "recurrent" else "layer"
    reference = "the baseline's step" if flattest["beside"] == BASELINE else f"the step of {flattest['beside']}"
    cost = "" if pd.isna(flattest["step_ratio"]) else f", at {flattest['step_ratio']:.2f} times {reference}"
    gist = f"not trained; the gradient changes least with {flattest['mitigation']}"
    return _Finding(gist, f" ({flattest['decay']:+z.4f} decades a {place}{cost})")
