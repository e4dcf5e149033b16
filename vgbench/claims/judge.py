"""From claims and records to verdicts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from vgbench.claims import signs, statistics, undecided
from vgbench.claims.looks import confidence
from vgbench.claims.statistics import Measured, Values
from vgbench.spec.claim import Cells, Claim, Verdict
from vgbench.statistics import CONFIDENCE, Interval, t_interval

_NOTHING = Interval(*[float("nan")] * 3)
_NOTES = 3
"""So many different notes of its conditions a claim repeats."""


@dataclass(frozen=True)
class Condition:
    """One thing that a claim was tested on.

    Attributes:
        label: in words.
        effect: with its 95 % interval; NaN where it is not measured.
        verdict: of the claim's rule.
        cells: ids of the cells behind it.
        look: number of seeds at the look that decided it, or at the last one; None where it was judged once.
        note: what would decide it where it is unclear.
    """

    label: str
    effect: Interval
    verdict: Verdict
    cells: tuple[str, ...]
    look: int | None = None
    note: str = ""

    @property
    def words(self) -> str:
        """The verdict with the look that it is from, and with what would decide it."""
        look = "" if self.look is None else f" at {self.look} seeds"
        return f"{self.verdict}{look}{self.note and f': {self.note}'}"

    @property
    def needs_seeds(self) -> bool:
        """Whether a further look may decide it."""
        return self.verdict == "unclear" and self.look is not None and bool(np.isfinite(self.effect.low))


@dataclass(frozen=True)
class Judgement:
    """A claim and what became of it.

    Attributes:
        claim: that was tested.
        conditions: that it was tested on.
    """

    claim: Claim
    conditions: tuple[Condition, ...]

    @property
    def verdict(self) -> Verdict | Literal["depends"]:
        """What all conditions say, depends where some support and some refute, unclear where some say nothing."""
        found = {condition.verdict for condition in self.conditions}
        if len(found) < 2:
            return self.conditions[0].verdict if self.conditions else "not measured"
        return "depends" if {"supported", "refuted"} <= found else "unclear"

    @property
    def outcome(self) -> str:
        """The verdict as the claim puts it."""
        return self.claim.in_words(self.verdict)

    @property
    def words(self) -> str:
        """The verdict with what it depends on."""
        if len({condition.verdict for condition in self.conditions}) < 2:
            return self.outcome
        sides: dict[Verdict, list[str]] = {}
        for condition in self.conditions:
            sides.setdefault(condition.verdict, []).append(condition.label)
        order: tuple[Verdict, ...] = ("supported", "refuted", "unclear", "not measured")
        said = self.claim.in_words
        found = "; ".join(f"{said(side)} for {' / '.join(sides[side])}" for side in order if side in sides)
        return f"{self.outcome}: {found}"

    @property
    def note(self) -> str:
        """What would decide it where it is unclear, otherwise the look that decided it; empty where there was none."""
        if self.verdict == "unclear":
            notes = list(dict.fromkeys(each.note for each in self.conditions if each.note))
            return "; ".join([*notes[:_NOTES], *([f"and {len(notes) - _NOTES} more"] if notes[_NOTES:] else [])])
        looks = [each.look for each in self.conditions if each.look is not None and each.verdict != "unclear"]
        return f"decided at {max(looks)} seeds" if looks else ""


def judge(claims: Sequence[Claim], measured: Sequence[Measured], looks: Sequence[int] = ()) -> list[Judgement]:
    """Judge claims by the rows of a run.

    Args:
        claims: of its suite.
        measured: its rows.
        looks: the numbers of seeds after which each condition is judged until it is decided, by intervals that are
            wide enough for all of them; without any, it is judged once, by all seeds. Signs are judged at the first.
    """
    return [Judgement(claim, tuple(_conditions(claim, measured, looks))) for claim in claims]


def selected(cells: Cells, measured: Sequence[Measured]) -> list[tuple[Measured, Measured | None]]:
    """The rows that are meant, each with the one that it is compared with; None where there is no such row."""
    found = (
        each
        for each in measured
        if (not cells.mitigation or each.row.mitigation in cells.mitigation) and _is_at(each.row.axes, cells.at)
    )
    return [(each, _reference(cells, each, measured)) for each in found]


def _conditions(claim: Claim, measured: Sequence[Measured], looks: Sequence[int]) -> Iterator[Condition]:
    found = [(cells, selected(cells, measured)) for cells in claim.cells]
    pairs = [(cells, pair) for cells, chosen in found for pair in chosen]
    missing = [label for cells, chosen in found for label in _missing(cells, chosen)]
    yield from (Condition(label, _NOTHING, "not measured", ()) for label in missing)
    if claim.sign is not None:
        rows = {(row.row.place, row.row.cell_id): row for _, (row, _) in pairs}
        yield from _of_sign(claim, claim.sign, [row.first(looks[0]) if looks else row for row in rows.values()])
        return
    for cells, (row, other) in pairs:
        yield _of_statistic(claim, cells.reference, row, other, looks)


def _of_statistic(
    claim: Claim, reference: str | None, row: Measured, other: Measured | None, looks: Sequence[int]
) -> Condition:
    label, ids = row.row.label, (row.row.cell_id,)
    if reference is not None:
        label = f"{label} against {other.row.label if other else reference}"
        ids = (*ids, other.row.cell_id) if other else ids
    condition = Condition(label, _NOTHING, "not measured", ids)
    certain = confidence() if looks else CONFIDENCE
    for look in looks or (None,):
        values = _values(claim, reference is None, row.first(look), other.first(look) if other else None)
        if values is None:
            break
        effect = t_interval(values, certain)
        verdict = claim.rule.judge(effect)
        note = undecided.by_seeds(claim.rule, values, certain) if verdict == "unclear" else ""
        condition = replace(condition, effect=effect, verdict=verdict, look=look, note=note)
        if not condition.needs_seeds:
            break
    return condition


def _missing(cells: Cells, pairs: Sequence[tuple[Measured, Measured | None]]) -> Iterator[str]:
    """What a claim names and a run does not have, as where it was narrowed: without it no verdict is whole."""
    for name in cells.mitigation:
        found = [row.row.axes for row, _ in pairs if row.row.mitigation == name]
        if not found:
            yield name
            continue
        for axis, values in cells.at.items():
            there = {str(axes[axis]) for axes in found}
            yield from (f"{name}, {axis} {value}" for value in values if str(value) not in there)


def _values(claim: Claim, alone: bool, row: Measured, other: Measured | None) -> Values | None:
    assert claim.statistic is not None
    if alone:
        return statistics.value(claim.statistic, row)
    return None if other is None else statistics.difference(claim.statistic, row, other)


def _of_sign(claim: Claim, sign: str, measured: Sequence[Measured]) -> Iterator[Condition]:
    gone, there = signs.split(measured)
    hits, alarms = signs.showing(sign, gone), signs.showing(sign, there)
    for name, right, group in (("sensitivity", hits, gone), ("specificity", len(there) - alarms, there)):
        effect = signs.wilson(right, len(group))
        verdict: Verdict = claim.rule.judge(effect) if group else "not measured"
        label = f"{name} ({right} of {len(group)} cells)"
        note = undecided.by_cells(claim.rule, right, len(group)) if verdict == "unclear" else ""
        yield Condition(label, effect, verdict, tuple(each.row.cell_id for each in group), note=note)


def _reference(cells: Cells, row: Measured, measured: Sequence[Measured]) -> Measured | None:
    axes = {name: (value,) for name, value in {**row.row.axes, **cells.reference_at}.items()}
    others = (each for each in measured if each.row.mitigation == cells.reference)
    return next((each for each in others if _is_at(each.row.axes, axes)), None)


def _is_at(axes: Mapping[str, Any], chosen: Mapping[str, Sequence[Any]]) -> bool:
    return all(name in axes and str(axes[name]) in map(str, values) for name, values in chosen.items())
