"""Sentences: what a run found, in words, generated from its frame."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pandas as pd

from vgbench.report.reference import compared
from vgbench.report.shared import grouped
from vgbench.spec.label import label
from vgbench.spec.registry import metric_named
from vgbench.spec.suite import BASELINE

VANISHED = -4.0
"""Decades between the last and the first layer from which a sentence calls a gradient vanishing."""
MANY = 12
"""Findings up to which only those share a sentence that say the same in every number."""

_Row = dict[str, Any]


class _Finding(NamedTuple):
    """What was found among rows with one reference: the gist, which other findings may share, and the rest.

    A finding about a row that has no other row at its place to be compared with has the row's name as its subject.
    """

    gist: str
    numbers: str = ""
    reference: str = ""
    more: str = ""
    subject: str = ""

    def __str__(self) -> str:
        return f"{self.subject} {self.gist}{self.numbers}{self.reference}.{self.more}".lstrip()

    @property
    def without_numbers(self) -> str:
        """What many findings may have in common."""
        return f"{self.gist}{self.reference}"


def headlines(frame: pd.DataFrame, axes: Sequence[str]) -> list[str]:
    """The cheapest mitigation that trains, and its cost, among the rows that are compared with one reference.

    There is one finding for each device, combination of swept values and reference there, also for a reference that no
    other row is compared with, and for a row whose reference has other swept values. Findings that say the same share a
    sentence; of more than `MANY` also those that differ in their numbers alone.

    Args:
        frame: of the run.
        axes: names of the swept axes. The depth is named in any case.
    """
    rows: list[_Row] = frame.dropna(subset=["depth"]).to_dict("records")  # pyright: ignore[reportAssignmentType]
    several = len({row["device"] for row in rows}) > 1
    timed = bool(frame["step_ratio"].notna().any())
    groups = grouped(rows, lambda row: (_place(row, axes, with_device=several), row["reference"]))
    findings: list[tuple[str, _Finding]] = []
    for (place, reference), group in groups.items():
        if len(group) > 1 and any(map(_is_reference, group)):
            findings.append((compared(place, reference), _finding(group, timed=timed)))
        elif not pd.isna(reference):
            findings += [(place, _alone(row)) for row in group]
    if len(findings) > MANY:
        return _by_gist(findings)
    return [_sentence(places, same) for places, same in _shared(findings, str)]


def _is_reference(row: _Row) -> bool:
    """Whether the row is compared with itself."""
    return row["mitigation"] == row["reference"]


def _place(row: _Row, axes: Sequence[str], *, with_device: bool) -> str:
    """Where a row stands, in words."""
    device = [row["device"]] if with_device else []
    return label(device, {name: row[name] for name in ["depth", *axes]})


def _sentence(places: Sequence[str], finding: _Finding) -> str:
    listed = "; ".join(places)
    return f"{listed.replace('depth', 'Depth', 1) if listed.startswith('depth') else listed}: {finding}"


def _by_gist(findings: Sequence[tuple[str, _Finding]]) -> list[str]:
    """A sentence for each gist, that of most places first, with the places that it holds at.

    A comparison that shares its gist with no other keeps its numbers. Comparisons come first, then the rows that
    have no other row at their place to be compared with.
    """
    compared_ones = [(place, found) for place, found in findings if not found.subject]
    alone = [(f"{found.subject}, {place}", found) for place, found in findings if found.subject]
    return [
        *(
            f"In {len(places)} of {len(compared_ones)} comparisons {found.without_numbers} ({'; '.join(places)})."
            if len(places) > 1
            else _sentence(places, found)
            for places, found in _most_first(_shared(compared_ones, lambda found: found.without_numbers))
        ),
        *(
            f"What {found.gist}, with no other row there to compare it with: {'; '.join(places)}."
            for places, found in _most_first(_shared(alone, lambda found: found.gist))
        ),
    ]


def _shared(
    findings: Sequence[tuple[str, _Finding]], words: Callable[[_Finding], str]
) -> list[tuple[list[str], _Finding]]:
    """The places of the findings with the same words, and the first of these."""
    same = grouped(findings, lambda each: words(each[1])).values()
    return [([place for place, _ in group], group[0][1]) for group in same]


def _most_first(shared: list[tuple[list[str], _Finding]]) -> list[tuple[list[str], _Finding]]:
    return sorted(shared, key=lambda each: -len(each[0]))


def _finding(rows: Sequence[_Row], *, timed: bool) -> _Finding:
    """What the rows with one reference show; `timed` says whether any row of the run was timed."""
    if all(row["status"] == "missing" for row in rows):
        return _Finding("not measured")
    tried = [row for row in rows if not pd.isna(row["trained"])]
    if not tried:
        return _gradient_finding(rows)
    trains = [row for row in tried if row["trained"] == row["seeds"]]
    others = [row for row in trains if not _is_reference(row)]
    target = _target(tried[0])
    reference = _reference(tried, trains)
    known = [row for row in others if not pd.isna(row["step_ratio"])]
    untimed = [row["mitigation"] for row in others if pd.isna(row["step_ratio"])]
    if not others:
        return _Finding(f"no mitigation reaches {target}", reference=reference, more="" if trains else _closest(tried))
    if not known:
        gist = _untimed(untimed, f" ({target})") if timed else f"{target} is reached with {', '.join(untimed)}"
        return _Finding(gist, reference=reference, more=_in_spite(trains))
    best = min(known, key=lambda row: row["step_ratio"])
    return _Finding(
        f"the cheapest mitigation that trains ({target}) is {best['mitigation']}",
        f", whose step takes {best['step_ratio']:.2f} [{best['step_ratio_low']:.2f}, {best['step_ratio_high']:.2f}]"
        f" times as long as that of {_named(best)}",
        reference,
        (f" Also, {_untimed(untimed)}." if untimed else "") + _in_spite(trains),
    )


def _alone(row: _Row) -> _Finding:
    """What a row shows that has no other row at its place to be compared with."""
    subject = _named(row) if _is_reference(row) else row["mitigation"]
    if row["status"] == "missing":
        return _Finding("was not measured", subject=subject)
    if not pd.isna(row["trained"]):
        reaches = "reaches" if row["trained"] == row["seeds"] else "does not reach"
        return _Finding(f"{reaches} {_target(row)}", subject=subject)
    if pd.isna(row["decay"]):
        return _Finding("was not trained, and no gradient could be followed through the layers", subject=subject)
    return _Finding("was not trained", f"; its gradient changes by {_decay(row)}", subject=subject)


def _target(row: _Row) -> str:
    metric = metric_named(row["metric"])
    return f"{metric.amount(row['target'])} test {metric.name} with every seed"


def _named(row: _Row) -> str:
    """The row's reference, in a sentence."""
    return "the baseline" if row["reference"] == BASELINE else row["reference"]


def _reference(tried: Sequence[_Row], trains: Sequence[_Row]) -> str:
    """Whether the reference itself trains."""
    subject = _named(tried[0])
    if not any(_is_reference(row) for row in tried):
        return f"; {subject} was not trained"
    verb = "trains" if any(_is_reference(row) for row in trains) else "does not train"
    return f"; {subject} itself {verb}"


def _closest(tried: Sequence[_Row]) -> str:
    """The row with the best mean over its seeds, where none reaches the target with every seed but some learn."""
    known = [row for row in tried if not pd.isna(row["test_metric"]) and row["none_better_than_chance"] is not True]
    if not known:
        return ""
    metric = metric_named(known[0]["metric"])
    best = max(known, key=lambda row: metric.score(row["test_metric"]))
    name = _named(best) if _is_reference(best) else best["mitigation"]
    return f" Closest is {name}, with {metric.amount(round(best['test_metric'], 3))} on average."


def _untimed(names: Sequence[str], target: str = "") -> str:
    verbs = ("trains", "was") if len(names) == 1 else ("train", "were")
    return f"{', '.join(names)} {verbs[0]}{target} but {verbs[1]} not timed"


def _in_spite(trains: Sequence[_Row]) -> str:
    """Those that train although their gradient vanishes at initialisation: the profile at that moment misleads."""
    lost = [row for row in trains if row["log10_first_over_last"] < VANISHED]
    if not lost:
        return ""
    named = [f"{row['mitigation']} ({_first_over_last(row)})" for row in lost]
    return f" What trains although its gradient vanishes at initialisation: {', '.join(named)}."


def _first_over_last(row: _Row) -> str:
    before, after = row["log10_first_over_last"], row["log10_first_over_last_trained"]
    return f"first/last 10^{before:+z,.1f}, after training 10^{after:+z,.1f}"


def _gradient_finding(rows: Sequence[_Row]) -> _Finding:
    # A gradient that is exactly zero at the first layers has a slope at the others alone.
    usable = [row for row in rows if not pd.isna(row["decay"]) and row["log10_first_over_last"] != -math.inf]
    if not usable:
        return _Finding("nothing was trained, and no gradient could be followed through the layers")
    # Smaller differences are rounding in float32. Of equal ones the first.
    flattest = min(usable, key=lambda row: round(abs(row["decay"]), 6))
    known = not pd.isna(flattest["step_ratio"]) and flattest["mitigation"] != flattest["reference"]
    cost = f"; its step takes {flattest['step_ratio']:.2f} times as long as that of {_named(flattest)}" if known else ""
    gist = f"nothing was trained; the gradient changes least with {flattest['mitigation']}"
    return _Finding(gist, f" ({_decay(flattest)}{cost})")


def _decay(row: _Row) -> str:
    return f"{row['decay']:+z.4f} decades a {'time step' if row['family'] == 'recurrent' else 'layer'}"
