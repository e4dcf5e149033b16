"""`python benchmarks/diagnosis/left_out.py --runs DIR --out results/diagnosis`: how much the thresholds fit their runs.

Every threshold is made smaller and larger by itself, and all recordings are asked again. Then one family of faults is
left out: each threshold gets the value that is best for all others, the published one where it is as good, and the
family is asked with all of these at once. Thresholds that fit one family alone change their value, and the family is
answered worse. The same is done with each single source. The rules themselves are not made anew.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from answers import Answer
from faults import FAULTS, Fault
from reported import names_of, outcome_of
from score import ratio, table

from vgbench.diagnosis import Evidence, diagnose, thresholds
from vgbench.diagnosis.lines import from_lines

WAYS = ("default", "full")
FACTORS = (2 / 3, 1.5)
MISLED = 2
"""How many causes named a misleading answer, or an accused run, is held against."""
PUBLISHED: dict[str, float] = {name: value for name, value in vars(thresholds).items() if name.isupper()}


@dataclass(frozen=True)
class Pair:
    """A fault, the errors that its runs left, and what was recorded of both by way of recording."""

    fault: Fault
    errors: list[float]
    runs: list[dict[str, Evidence]]

    def answer(self) -> Answer:
        """What is said with the thresholds as they are."""
        said = [{way: names_of(diagnose(run[way])) for way in WAYS} for run in self.runs]
        fault = self.fault
        return Answer(fault.name, fault.half, fault.family, fault.source, fault.cause, self.errors, said[0], said[1])


def worth(answer: Answer) -> int:
    """Causes named, less what misleads and what is said against runs that are in order, over the ways."""
    return sum(answer.named(way) - MISLED * (answer.misled(way) + answer.accused(way)) for way in WAYS)


@contextmanager
def changed(values: Mapping[str, float]) -> Iterator[None]:
    """Other thresholds for a while."""
    for name, value in values.items():
        setattr(thresholds, name, value)
    try:
        yield
    finally:
        for name in values:
            setattr(thresholds, name, PUBLISHED[name])


def worths(pairs: Sequence[Pair]) -> dict[str, dict[float, list[int]]]:
    """What each pair is worth at every value of every threshold, the published one first."""
    now = [worth(pair.answer()) for pair in pairs]
    found: dict[str, dict[float, list[int]]] = {}
    for name, value in PUBLISHED.items():
        found[name] = {value: now}
        for factor in FACTORS:
            with changed({name: value * factor}):
                found[name][value * factor] = [worth(pair.answer()) for pair in pairs]
    return found


def chosen_without(found: Mapping[str, Mapping[float, Sequence[int]]], left: Sequence[bool]) -> dict[str, float]:
    """The thresholds that would have another value if these pairs were not there."""
    best = {}
    for name, values in found.items():
        totals = {
            value: sum(own for own, out in zip(each, left, strict=True) if not out) for value, each in values.items()
        }
        best[name] = max(totals, key=lambda value: totals[value])  # the first of equals, which is the published one
    return {name: value for name, value in best.items() if value != PUBLISHED[name]}


def left_out(
    pairs: Sequence[Pair], found: Mapping[str, Mapping[float, Sequence[int]]], group: Callable[[Fault], str]
) -> tuple[list[Answer], dict[str, list[str]]]:
    """Each pair's answer with the thresholds that were chosen without its group, and which those are, by group."""
    answers, moved = [], {}
    for name in dict.fromkeys(group(pair.fault) for pair in pairs):
        left = [group(pair.fault) == name for pair in pairs]
        values = chosen_without(found, left)
        moved[name] = sorted(values)
        with changed(values):
            answers += [pair.answer() for pair, out in zip(pairs, left, strict=True) if out]
    return answers, moved


def scores(kind: str, answers: Sequence[Answer]) -> Iterator[list[str]]:
    """A row for each way of recording, of faults whose cause a finding names."""
    own = [answer for answer in answers if answer.group == "a finding's cause"]
    for way in WAYS:
        counts = [sum(getattr(each, what)(way) for each in own) for what in ("named", "misled", "undecided")]
        accused = sum(each.accused(way) for each in answers)
        yield [kind, way, *(ratio(count, len(own)) for count in counts), ratio(accused, len(answers))]


def sensitive(pairs: Sequence[Pair], found: Mapping[str, Mapping[float, Sequence[int]]]) -> Iterator[list[str]]:
    """A row for each threshold of which another value costs something: how much, and in which families."""
    for name, values in found.items():
        now, *others = values.values()
        lost = [sum(now) - sum(each) for each in others]
        if max(lost) > 0:
            worse = {
                pair.fault.family
                for each in others
                for pair, before, after in zip(pairs, now, each, strict=True)
                if after < before
            }
            yield [name, *map(str, lost), ", ".join(sorted(worse))]


def page(pairs: Sequence[Pair]) -> str:
    """The published page."""
    found = worths(pairs)
    families, moved = left_out(pairs, found, lambda fault: fault.family)
    sources, by_source = left_out(pairs, found, lambda fault: fault.source)
    rows = [
        *scores("thresholds as published", [pair.answer() for pair in pairs]),
        *scores("chosen without the family", families),
        *scores("chosen without the source", sources),
    ]
    everywhere = sorted(chosen_without(found, [False] * len(pairs)))
    others = [f"{name}: {', '.join(names) or 'none'}" for name, names in moved.items()]
    alone = sorted({name for names in by_source.values() for name in names} - {*everywhere})
    return "\n\n".join(
        [
            "# Thresholds with a family left out",
            f"{len(pairs)} pairs of runs of {len(moved)} families; {len(PUBLISHED)} thresholds, each at two thirds and"
            " three halves of its value.",
            table(
                ["thresholds", "recording", "cause named", "misleading", "not enough recorded", "fixed run accused"],
                rows,
            ),
            f"Another value is better with all runs: {', '.join(everywhere) or 'of no threshold'}.",
            f"Another value is better only without one source: {', '.join(alone) or 'of no threshold'}.",
            "Other values without a family:\n\n" + "\n".join(f"- {each}" for each in others),
            "What another value costs, in causes named, and of which families. Others may have any of the three.",
            table(["threshold", "at two thirds", "at three halves", "families"], list(sensitive(pairs, found))),
        ]
    )


def pairs_of(runs: Path) -> list[Pair]:
    """The recordings in a folder, of faults whose label they bear out."""
    pairs = []
    for fault in FAULTS:
        outcomes = [outcome_of(fault, broken, runs) for broken in (True, False)]
        read = [{way: from_lines(each.lines[way]) for way in WAYS} for each in outcomes]
        pairs.append(Pair(fault, [each.error for each in outcomes], read))
    return [pair for pair in pairs if pair.answer().borne_out]


def write(description: str | None, page: Callable[[list[Pair]], str], name: str) -> None:
    """Show the page about the recordings that the command line names, and write it where it says.

    Args:
        description: of the program.
        page: from the recordings to its text.
        name: of its file.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    print(text := page(pairs_of(given.runs)) + "\n")
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / name).write_text(text)


if __name__ == "__main__":
    write(__doc__, page, "left_out.md")
