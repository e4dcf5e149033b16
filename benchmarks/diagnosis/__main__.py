"""`python benchmarks/diagnosis --out results/diagnosis`: train the labelled corpus, diagnose it, score the diagnosis.

With `--half tuning` only the half that thresholds were set on; the other half is scored once. What each rule said of
each configuration is kept in configurations.json, and table.md is made from that file alone (`--from DIR` makes it
anew).
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
from corpus import Build, builds
from generate import Job, jobs_of, train
from outcome import Outcome
from score import Row, page
from tools import TOOLS

from vgbench.diagnosis import verdict
from vgbench.records.provenance import provenance

LEARNS = 0.1
"""Share of the constant predictor's loss: what an intervention has to take off, and its fault must not."""


def learns(run: Outcome) -> bool:
    """By the mean loss of the last 25 steps alone."""
    tail = run.loss[-25:].mean()
    return bool(tail < (1 - LEARNS) * run.evidence.chance)


def verified(build: Build, runs: dict[Job, Outcome]) -> bool:
    """Whether the label holds: the intervention makes it learn, and without it, it does not."""
    own, *cured = (runs[job] for job in jobs_of(build))
    if build.label in ("trains", "zero by design"):
        return learns(own)
    if build.label == "unlearnable":
        return bool(own.accuracy[-1] < 0.2) and learns(cured[0])
    if build.label == "frozen":
        return learns(cured[0])
    return not learns(own) and learns(cured[0])


def row_of(build: Build, runs: dict[Job, Outcome]) -> Row:
    """What was built, and what each rule says of it."""
    own = runs[jobs_of(build)[0]]
    return Row(
        half=build.half,
        family=build.case.model.name,
        label=build.label,
        configuration=build.case.cell_id,
        verified=verified(build, runs),
        verdict=verdict(own.evidence),
        alarms={name: rule(own) for name, rule in TOOLS.items()},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=("tuning", "held-out"))
    parser.add_argument("--family", help="of the models, such as recurrent")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--from", dest="source", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every n-th configuration only")
    given = parser.parse_args()
    if given.source:
        content: dict[str, Any] = json.loads((given.source / "configurations.json").read_text())
    else:
        chosen = [
            build
            for build in builds()
            if given.half in (None, build.half) and given.family in (None, build.case.model.name)
        ][:: given.every]
        runs = train([job for build in chosen for job in jobs_of(build)])
        rows = [asdict(row_of(build, runs)) for build in chosen]
        content = {"command": " ".join(sys.argv[1:]), "provenance": asdict(provenance(jax.devices()[0])), "rows": rows}
    print(text := page(content))
    if out := given.out or given.source:
        out.mkdir(parents=True, exist_ok=True)
        (out / "configurations.json").write_text(f"{json.dumps(content, indent=1)}\n")
        (out / "table.md").write_text(text)


if __name__ == "__main__":
    main()
