"""The answer of a run in two sentences: what works where it is hardest, and what does not."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd

from vgbench.report.claims import Judged
from vgbench.report.reference import compared
from vgbench.report.shared import grouped
from vgbench.spec.label import label
from vgbench.spec.metric import ACCURACY
from vgbench.spec.registry import metric_named
from vgbench.spec.suite import BASELINE

NAMED = 4
"""Mitigations that a sentence names at most."""

_VERDICTS = {
    "supported": "hold",
    "refuted": "are refuted",
    "depends": "depend on the conditions",
    "unclear": "are unclear",
}
"""Verdicts on claims, in a sentence."""
_Row = dict[str, Any]


def answer(frame: pd.DataFrame, axes: Sequence[str], claims: Sequence[Judged] = ()) -> list[str]:
    """Two sentences on the deepest place at which cells are trained, among the rows of one reference there.

    A suite with claims is answered by their verdicts. Where nothing is trained, the sentences are about the gradient
    at the greatest depth.

    Args:
        frame: of the run.
        axes: names of the swept axes.
        claims: of the run's suite, as judged on each device.
    """
    if claims:
        return [sentence for judged in claims for sentence in _of_claims(judged, several=len(claims) > 1)]
    rows: list[_Row] = frame.dropna(subset=["depth"]).to_dict("records")  # pyright: ignore[reportAssignmentType]
    known = [row for row in rows if not (pd.isna(row["trained"]) and pd.isna(row["decay"]))]
    tried = [row for row in known if not pd.isna(row["trained"])]
    if not known:
        return ["Nothing is measured yet."]

    def place_of(row: _Row) -> tuple[str, str, Any]:
        return row["device"], label([], {name: row[name] for name in ["depth", *axes]}), row["reference"]

    groups = grouped(tried or known, place_of).items()
    (_, place, reference), group = max(groups, key=lambda each: (each[1][0]["depth"], len(each[1])))
    return (_trained if tried else _gradients)(f"At {compared(place, reference)}", group)


def _of_claims(judged: Judged, *, several: bool) -> list[str]:
    counts = Counter(judgement.verdict for judgement in judged.judgements)
    shares = ", ".join(f"{counts[verdict]} {words}" for verdict, words in _VERDICTS.items() if counts[verdict])
    where = f"On {judged.device}, of" if several else "Of"
    refuted = [each.claim.sentence for each in judged.judgements if each.verdict == "refuted"]
    first = f"{where} {len(judged.judgements)} claims {shares}."
    return [first, f"Refuted: {_listed(refuted, '; ')}."] if refuted else [first]


def _trained(place: str, rows: Sequence[_Row]) -> list[str]:
    reached = [row for row in rows if row["trained"] == row["seeds"]]
    others = [row for row in rows if row["trained"] != row["seeds"]]
    metric = metric_named(next(row["metric"] for row in rows if not pd.isna(row["metric"])))
    target = f"{metric.amount(rows[0]['target'])} test {metric.name} with every seed"
    if not reached:
        return [f"{place}, none of {len(rows)} networks reaches {target}{_closest(rows)}.", *_extremes(rows)]
    best = max(reached, key=_score)
    word = "most accurate" if metric == ACCURACY else "best"
    first = f"{place}, {len(reached)} of {len(rows)} networks reach {target}; "
    first += f"{best['mitigation']} is the {word} ({best['test_metric']:.3f})"
    timed = [row for row in reached if not pd.isna(row["step_ratio"])]
    if timed:
        cheapest = min(timed, key=_ratio)
        first += f" and {'' if cheapest is best else cheapest['mitigation'] + ' '}the cheapest{_cheap(cheapest)}"
    return [f"{first}.", *([_losses(others)] if others else [])]


def _closest(rows: Sequence[_Row]) -> str:
    """The best of the rows that learn something."""
    learned = [row for row in rows if not pd.isna(row["test_metric"]) and row["none_better_than_chance"] is not True]
    best = max(learned, key=_score, default=None)
    return f"; closest is {best['mitigation']} ({best['test_metric']:.3f})" if best else ""


def _score(row: _Row) -> float:
    """The result on the test examples, the higher the better; of what was not trained the lowest."""
    if pd.isna(row["metric"]):
        return -float("inf")
    return metric_named(row["metric"]).score(row["test_metric"])


def _ratio(row: _Row) -> float:
    """The ratio of the step times; of a reference, whose measured one shows the noise, 1."""
    return 1.0 if row["mitigation"] == row["reference"] else row["step_ratio"]


def _cheap(row: _Row) -> str:
    if row["mitigation"] == row["reference"]:
        return ""
    reference = "the baseline" if row["reference"] == BASELINE else row["reference"]
    return f" ({row['step_ratio']:.2f} times the step time of {reference})"


def _losses(rows: Sequence[_Row]) -> str:
    """What does not train, with the decades that the gradient changes by."""
    known = sorted(rows, key=lambda row: (row["mitigation"] != row["reference"], _score(row)))
    named = [f"{row['mitigation']}{_change(row)}" for row in known]
    return f"{'These do' if len(rows) > 1 else 'This does'} not: {_listed(named)}."


def _change(row: _Row) -> str:
    return "" if pd.isna(row["log10_first_over_last"]) else f" (gradient {_changes(row)})"


def _changes(row: _Row) -> str:
    """What the gradient does at initialisation, of a row in which that is known."""
    decades = row["log10_first_over_last"]
    if abs(decades) < 0.05:
        return "keeps its size"
    if decades == -math.inf:
        return "is exactly zero at the first layers"
    return f"{'loses' if decades < 0 else 'gains'} {abs(decades):,.1f} decades"


def _gradients(place: str, rows: Sequence[_Row]) -> list[str]:
    ordered = _steadiest_first(rows)
    if not ordered:
        return [f"{place}, nothing was trained, and no gradient could be followed through the layers."]
    first, last = ordered[0], max(ordered, key=_size)  # of equal rows the table's first one, say the baseline
    best = f"{place}, nothing was trained; the gradient changes least with {first['mitigation']}{_change(first)}."
    return [best] if first is last else [best, f"It changes most with {last['mitigation']}{_change(last)}."]


def _extremes(rows: Sequence[_Row]) -> list[str]:
    """With what the gradient at initialisation changes least and most; nothing where no gradient is known."""
    ordered = _steadiest_first(rows)
    changes = [_changes(row) for row in ordered]
    if len(set(changes)) < 2:
        return [f"At initialisation, the gradient {change} with each of them." for change in changes[:1]]
    first, last = (f"{_changes(end)} with {end['mitigation']}" for end in (ordered[0], max(ordered, key=_size)))
    return [f"At initialisation, the gradient {first} and {last}, which change it least and most."]


def _steadiest_first(rows: Sequence[_Row]) -> list[_Row]:
    """The rows whose gradient is known by how much it changes."""
    return sorted((row for row in rows if not pd.isna(row["log10_first_over_last"])), key=_size)


def _size(row: _Row) -> float:
    """Decades by which the gradient changes; smaller differences than the last digit are rounding in float32."""
    return round(abs(row["log10_first_over_last"]), 5)


def _listed(names: Sequence[str], joint: str = ", ") -> str:
    more = len(names) - NAMED
    return joint.join(names) if more <= 1 else f"{joint.join(names[:NAMED])}{joint}and {more} others"
