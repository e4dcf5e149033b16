"""From claims and records to verdicts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from vgbench.claims import signs, statistics
from vgbench.claims.statistics import Measured
from vgbench.spec.claim import Cells, Claim, Verdict
from vgbench.statistics import Interval, t_interval

_NOTHING = Interval(*[float("nan")] * 3)


@dataclass(frozen=True)
class Condition:
    """One thing that a claim was tested on.

    Attributes:
        label: in words.
        effect: with its 95 % interval; NaN where it is not measured.
        verdict: of the claim's rule.
        cells: ids of the cells behind it.
    """

    label: str
    effect: Interval
    verdict: Verdict
    cells: tuple[str, ...]


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


def judge(claims: Sequence[Claim], measured: Sequence[Measured]) -> list[Judgement]:
    """Judge claims by the rows of a run."""
    return [Judgement(claim, tuple(_conditions(claim, measured))) for claim in claims]


def selected(cells: Cells, measured: Sequence[Measured]) -> list[tuple[Measured, Measured | None]]:
    """The rows that are meant, each with the one that it is compared with; None where there is no such row."""
    found = (
        each
        for each in measured
        if (not cells.mitigation or each.row.mitigation in cells.mitigation) and _is_at(each.row.axes, cells.at)
    )
    return [(each, _reference(cells, each, measured)) for each in found]


def _conditions(claim: Claim, measured: Sequence[Measured]) -> Iterator[Condition]:
    found = [(cells, selected(cells, measured)) for cells in claim.cells]
    pairs = [(cells, pair) for cells, chosen in found for pair in chosen]
    missing = [label for cells, chosen in found for label in _missing(cells, chosen)]
    yield from (Condition(label, _NOTHING, "not measured", ()) for label in missing)
    if claim.sign is not None:
        rows = {(row.row.place, row.row.cell_id): row for _, (row, _) in pairs}
        yield from _of_sign(claim, claim.sign, list(rows.values()))
        return
    for cells, (row, other) in pairs:
        label, ids = row.row.label, (row.row.cell_id,)
        if cells.reference is not None:
            label = f"{label} against {other.row.label if other else cells.reference}"
            ids = (*ids, other.row.cell_id) if other else ids
        effect = _effect(claim, row, other, alone=cells.reference is None)
        yield Condition(label, effect or _NOTHING, claim.rule.judge(effect) if effect else "not measured", ids)


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


def _effect(claim: Claim, row: Measured, other: Measured | None, *, alone: bool) -> Interval | None:
    assert claim.statistic is not None
    if alone:
        values = statistics.value(claim.statistic, row)
    else:
        values = None if other is None else statistics.difference(claim.statistic, row, other)
    return None if values is None else t_interval(values)


def _of_sign(claim: Claim, sign: str, measured: Sequence[Measured]) -> Iterator[Condition]:
    gone, there = signs.split(measured)
    hits, alarms = signs.showing(sign, gone), signs.showing(sign, there)
    for name, right, group in (("sensitivity", hits, gone), ("specificity", len(there) - alarms, there)):
        effect = signs.wilson(right, len(group))
        verdict: Verdict = claim.rule.judge(effect) if group else "not measured"
        label = f"{name} ({right} of {len(group)} cells)"
        yield Condition(label, effect, verdict, tuple(each.row.cell_id for each in group))


def _reference(cells: Cells, row: Measured, measured: Sequence[Measured]) -> Measured | None:
    axes = {name: (value,) for name, value in {**row.row.axes, **cells.reference_at}.items()}
    others = (each for each in measured if each.row.mitigation == cells.reference)
    return next((each for each in others if _is_at(each.row.axes, axes)), None)


def _is_at(axes: Mapping[str, Any], chosen: Mapping[str, Sequence[Any]]) -> bool:
    return all(name in axes and str(axes[name]) in map(str, values) for name, values in chosen.items())
