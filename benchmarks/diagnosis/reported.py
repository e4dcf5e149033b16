"""`python benchmarks/diagnosis/reported.py --runs DIR --out results/diagnosis`: the diagnosis of what people reported.

Every fault of `faults/` is trained broken and fixed, recorded in three ways, and diagnosed. A label counts where the
intervention bears it out: the broken run leaves an error that the fixed one does not. Rules and thresholds were set on
the half `tuning`; the half `held-out` has other sources. Run files in `--runs` are read where they are there, and
written where they are not. What was said is kept in reported.json, and reported.md is made from that file alone.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
from faults import FAULTS, Fault
from faults.train import WAYS, Outcome, train
from score import ratio, table

from vgbench.diagnosis import Diagnosis, diagnose
from vgbench.diagnosis.answer import UNTOLD
from vgbench.diagnosis.consistency import ASIDE
from vgbench.records.provenance import provenance

FAILS, WORKS = 0.6, 0.5
"""Shares of a constant answer's error: what a broken run has to leave, and a fixed one not."""
SOUND = (*ASIDE, "nothing found", UNTOLD)
"""What may be said of a fixed run."""


@dataclass(frozen=True)
class Answer:
    """What was said of one fault.

    Attributes:
        name: of the fault.
        half: of the corpus.
        family: of the model or the loss.
        source: of the report.
        cause: findings that name it.
        errors: that the broken and the fixed run left.
        broken: all findings about the broken run, or the verdict without any, by way of recording.
        fixed: the same about the fixed run.
    """

    name: str
    half: str
    family: str
    source: str
    cause: Sequence[str]
    errors: Sequence[float]
    broken: dict[str, list[str]]
    fixed: dict[str, list[str]]

    @property
    def borne_out(self) -> bool:
        """Whether the broken run fails and the fixed one works."""
        broken, fixed = self.errors
        return not broken < FAILS and fixed < WORKS

    def named(self, way: str) -> bool:
        """Whether the first finding, or another beside it, is the cause."""
        return any(name in self.cause for name in self.broken[way])

    def misled(self, way: str) -> bool:
        """Whether a cause was named, and the first one is wrong; that all is well is wrong, too."""
        first = self.broken[way][0]
        return not self.named(way) and first != UNTOLD and first not in ("frozen", "zero by design")

    def untold(self, way: str) -> bool:
        """Whether it was said that not enough was recorded."""
        return self.broken[way] == [UNTOLD]

    def accused(self, way: str) -> bool:
        """Whether anything wrong was said of the fixed run."""
        return any(name not in SOUND for name in self.fixed[way])


def outcome_of(fault: Fault, broken: bool, runs: Path | None) -> Outcome:
    """Of a run that was made before, or is made now."""
    path = None if runs is None else runs / f"{fault.name}-{'broken' if broken else 'fixed'}.json"
    if path is not None and path.exists():
        return Outcome(**json.loads(path.read_text()))
    print(path or fault.name, file=sys.stderr, flush=True)
    outcome = train(fault.build(broken))
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(outcome)))
    return outcome


def names_of(answer: Diagnosis) -> list[str]:
    """All findings, or the verdict where there is none."""
    return [finding.name for finding in answer] or [answer.verdict]


def answer_of(fault: Fault, runs: Path | None) -> Answer:
    """Train the fault and its fix, and ask about both."""
    outcomes = [outcome_of(fault, broken, runs) for broken in (True, False)]
    said = [{way: names_of(diagnose(each.lines[way])) for way in WAYS} for each in outcomes]
    return Answer(
        name=fault.name,
        half=fault.half,
        family=fault.family,
        source=fault.source,
        cause=fault.cause,
        errors=[each.error for each in outcomes],
        broken=said[0],
        fixed=said[1],
    )


def page(content: dict[str, Any]) -> str:
    """The published page, from the file of answers."""
    answers, origin = [Answer(**row) for row in content["rows"]], content["provenance"]
    parts = ["# Faults that people reported"]
    for half in dict.fromkeys(answer.half for answer in answers):
        own = [answer for answer in answers if answer.half == half]
        proven = [answer for answer in own if answer.borne_out]
        dropped = ", ".join(answer.name for answer in own if not answer.borne_out) or "none"
        parts += [
            f"## Reported faults: the {half} half",
            f"{len(proven)} faults whose label the fix bore out; left out, since it did not: {dropped}.",
            _scores(proven),
            _causes(proven),
            _answers(proven),
        ]
    packages = ", ".join(f"{name} {version}" for name, version in origin["packages"].items())
    made = f"`python benchmarks/diagnosis/reported.py {content['command']}`"
    parts.append(
        f"Made by {made} on {origin['cpu']}, commit {origin['commit']}, Python {origin['python']}, {packages}."
    )
    return "\n\n".join(parts) + "\n"


def _scores(answers: Sequence[Answer]) -> str:
    head = ["recording", "cause named", "misleading", "not enough recorded", "fixed run accused"]
    lines = []
    for way in WAYS:
        counts = [
            sum(getattr(each, kind)(way) for each in answers) for kind in ("named", "misled", "untold", "accused")
        ]
        lines.append([way, *(ratio(count, len(answers)) for count in counts)])
    return table(head, lines)


def _causes(answers: Sequence[Answer]) -> str:
    head = ["cause", *(f"recall, {way}" for way in WAYS), *(f"precision, {way}" for way in WAYS)]
    lines = []
    for cause in sorted({answer.cause[0] for answer in answers}):
        own = [answer for answer in answers if answer.cause[0] == cause]
        recall = [f"{sum(answer.named(way) for answer in own)}/{len(own)}" for way in WAYS]
        precision = []
        for way in WAYS:
            said = [answer for answer in answers if answer.broken[way][0] == cause]
            alarms = sum(answer.fixed[way][0] == cause for answer in answers)
            right = sum(cause in answer.cause for answer in said)
            precision.append(f"{right}/{len(said) + alarms}")
        lines.append([cause, *recall, *precision])
    return table(head, lines)


def _answers(answers: Sequence[Answer]) -> str:
    head = ["fault", "family", "source", "label", *WAYS]
    lines = [
        [
            answer.name.replace("_", " "),
            answer.family,
            answer.source,
            answer.cause[0],
            *(", ".join(answer.broken[way]) for way in WAYS),
        ]
        for answer in answers
    ]
    return table(head, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=("tuning", "held-out"))
    parser.add_argument("--only", help="the name of one fault")
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--train", action="store_true", help="make the runs, and ask nothing")
    given = parser.parse_args()
    chosen = [each for each in FAULTS if given.half in (None, each.half) and given.only in (None, each.name)]
    if given.train:
        for fault in chosen:
            errors = [outcome_of(fault, broken, given.runs).error for broken in (True, False)]
            print(fault.half, fault.name, *(f"{error:.3f}" for error in errors), flush=True)
        return
    rows = [asdict(answer_of(fault, given.runs)) for fault in chosen]
    half = f"--half {given.half} " if given.half else ""
    command = f"{half}--out {given.out}" if given.out else half
    content = {"command": command, "provenance": asdict(provenance(jax.devices()[0])), "rows": rows}
    print(text := page(content))
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "reported.json").write_text(f"{json.dumps(content, indent=1)}\n")
        (given.out / "reported.md").write_text(text)


if __name__ == "__main__":
    main()
