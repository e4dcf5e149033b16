"""`python benchmarks/diagnosis --out DIR`: train the labelled corpus, diagnose it, and publish how well that went.

With `--half tuning` only the half that thresholds were set on; the other half is scored once. `--keep FILE` keeps the
trained runs, `--from FILE` scores those instead of training (a file of one's own: it is unpickled).
"""

import argparse
import pickle
from collections import Counter
from pathlib import Path

from corpus import UNCOUNTED, VANISHING, Build, builds
from generate import Job, Outcome, jobs_of, train
from score import confusion, mcnemar, recall_and_precision, told
from tools import TOOLS

from vgbench.diagnosis import verdict

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


def report(chosen: list[Build], runs: dict[Job, Outcome], dropped: Counter[str]) -> str:
    """The page."""
    own = [runs[jobs_of(build)[0]] for build in chosen]
    all_labels, all_verdicts = [build.label for build in chosen], [verdict(run.evidence) for run in own]
    counted = [i for i, label in enumerate(all_labels) if label not in UNCOUNTED]
    labels, verdicts = [all_labels[i] for i in counted], [all_verdicts[i] for i in counted]
    truth = [label in VANISHING for label in labels]
    ours = [said in VANISHING for said in verdicts]
    others = {name: [rule(own[i]) for i in counted] for name, rule in TOOLS.items()}
    lines = [
        "| rule | recall for vanishing | precision | only it is right | only vgbench is | McNemar's p |",
        "| --- | --- | --- | --- | --- | --- |",
        f"| vgbench | {' | '.join(recall_and_precision(truth, ours))} | | | |",
    ]
    for name, said in others.items():
        mine, theirs, p = mcnemar(truth, ours, said)
        lines.append(f"| {name} | {' | '.join(recall_and_precision(truth, said))} | {theirs} | {mine} | {p:.2g} |")
    alarms = ["| built as | " + " | ".join(["vgbench", *others]) + " |", "| --- " * (2 + len(others)) + "|"]
    for label in sorted(set(labels) - set(VANISHING)):
        of_label = [i for i, each in enumerate(labels) if each == label]
        shares = [told(sum(said[i] for i in of_label), len(of_label)) for said in (ours, *others.values())]
        alarms.append(f"| {label} | {' | '.join(shares)} |")
    named = ["| built as | named so first |", "| --- | --- |"]
    for label in sorted(set(all_labels)):
        hits = [all_verdicts[i] in _accepted(label) for i, each in enumerate(all_labels) if each == label]
        named.append(f"| {label} | {told(sum(hits), len(hits))} |")
    left = ", ".join(f"{label} {count}" for label, count in sorted(dropped.items())) or "none"
    return "\n\n".join(
        [
            f"{len(chosen)} configurations whose label an intervention bore out; left out, since none did: {left}.",
            "## Vanishing or not",
            "\n".join(lines),
            "## False alarms of vanishing among what looks like it",
            "\n".join(alarms),
            "## By name",
            "\n".join(named),
            "## Confusion",
            confusion(all_labels, all_verdicts),
        ]
    )


def _accepted(label: str) -> tuple[str, ...]:
    return ("healthy", "converged") if label == "trains" else (label,)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=("tuning", "held-out"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--from", dest="source", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every n-th configuration only")
    given = parser.parse_args()
    chosen = [build for build in builds() if given.half in (None, build.half)][:: given.every]
    if given.source:
        runs = pickle.loads(given.source.read_bytes())
    else:
        runs = train([job for build in chosen for job in jobs_of(build)])
    if given.keep:
        given.keep.write_bytes(pickle.dumps(runs))
    pages = []
    for half in dict.fromkeys(build.half for build in chosen):
        members = [build for build in chosen if build.half == half]
        good = [build for build in members if verified(build, runs)]
        dropped = Counter(build.label for build in members) - Counter(build.label for build in good)
        pages.append(f"# The {half} half\n\n{report(good, runs, dropped)}\n")
    text = "\n".join(pages)
    print(text)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "table.md").write_text(text)


main()
