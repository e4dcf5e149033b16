"""The verdicts on the claims of a run's suite."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vgbench.claims.judge import Judgement, judge
from vgbench.claims.looks import confidence
from vgbench.claims.statistics import measured
from vgbench.records.runs import Run, footer
from vgbench.spec.claim import rules_digest
from vgbench.statistics import Interval

_NOTE = (
    "Each condition is judged by its own 95 % interval (t over seeds, paired by seed where two cells are compared;"
    " Wilson's for shares of cells), without a correction for their number."
)


@dataclass(frozen=True)
class Judged:
    """The claims of a run on one device.

    Attributes:
        device: what it ran on.
        judgements: a claim each.
        rules: what was decided beforehand, and the commit that fixed it.
        records: what produced the records and when.
        looks: the numbers of seeds at which they were judged; empty where they were judged once.
    """

    device: str
    judgements: tuple[Judgement, ...]
    rules: str
    records: tuple[str, ...]
    looks: tuple[int, ...]


def judged(runs: Sequence[Run]) -> list[Judged]:
    """The claims of every run whose suite has some."""
    return [_judged(run) for run in runs if run.manifest.claims]


def _judged(run: Run) -> Judged:
    looks = run.manifest.looks
    return Judged(
        device=run.device,
        judgements=tuple(judge(run.manifest.claims, measured(run.entries), looks)),
        rules=_rules(run),
        records=tuple(footer([run])),
        looks=looks,
    )


def note(found: Sequence[Judged]) -> str:
    """How the verdicts come about."""
    looks = next((each.looks for each in found if each.looks), ())
    if not looks:
        return _NOTE
    numbers = f"{', '.join(map(str, looks[:-1]))} and {looks[-1]}"
    return (
        f"{_NOTE} Seeds were added until a condition was decided, with looks at {numbers} seeds: each look's t-interval"
        f" has a confidence of {confidence():.2%}, with which the intervals of all looks cover the effect at once with"
        " 95 % (Pocock 1977; Jennison & Turnbull 1989, 1991). Signs were judged at the first look."
    )


def _rules(run: Run) -> str:
    rules = f"rules {rules_digest(run.manifest.claims)}"
    fixed = run.manifest.fixed
    if fixed is None:
        return f"{rules}: no commit holds them as they are"
    records = [record for entry in run.entries for record in entry.records]
    earlier = sum(record.started < fixed.date for record in records)
    before = f"; {earlier} of {len(records)} records had been measured before" if earlier else ""
    return f"{rules}, fixed in commit {fixed.commit} on {fixed.date[:10]}{before}"


def effect(interval: Interval) -> str:
    """An effect with its interval, as text: three digits, and none below 1e-7, where rounding in float32 begins."""
    if np.isnan(interval.value):
        return "-"
    value, low, high = (f"{round(end, 7):+z.3g}" for end in interval)
    return value if np.isnan(interval.low) else f"{value} [{low}, {high}]"


def lines(found: Sequence[Judged]) -> Iterator[str]:
    """A line for each claim, and what the verdicts rest on."""
    for each in found:
        if len(found) > 1:
            yield each.device
        for judgement in each.judgements:
            more = f"; {judgement.note}" if judgement.note else ""
            yield f"{judgement.claim.sentence}: {judgement.words}{_effects(judgement)}{more}"
        yield each.rules


def _effects(judgement: Judgement) -> str:
    """The smallest and the largest effect, where some are known."""
    effects = sorted(condition.effect for condition in judgement.conditions if not np.isnan(condition.effect.value))
    if not effects:
        return ""
    ends = [effects[0], effects[-1]] if len(effects) > 1 else effects
    return f" ({judgement.claim.statistic or judgement.claim.sign} {' to '.join(map(effect, ends))})"
