"""Scores of classifiers over configurations: recall, precision, confusion, Wilson intervals, McNemar's test."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from vgbench.claims.signs import wilson

VANISHING = ("vanishing", "collapse", "vanishing in training")
"""Labels that count as vanishing: of scale, with the information as well, and later on."""
UNCOUNTED = ("saturation",)
"""Neither vanishing nor not: the gradient does vanish there, for a reason with a name of its own."""
ACCEPTED = {
    "trains": ("nothing found", "healthy", "converged", "learns the training data"),
    "unlearnable": ("unlearnable", "constant answer", "learned by heart"),
    "dead units": ("dead units", "units that died"),
    "exploding": ("exploding", "first loss too large"),
}
"""What may be said of a label other than its own name: there are two ways not to learn, and of dying."""


@dataclass(frozen=True)
class Row:
    """One configuration.

    Attributes:
        half: of the corpus.
        family: of the model.
        label: what it was built as.
        configuration: hash of its case; what was done to it beyond that is in its label.
        verified: whether an intervention bore the label out.
        verdict: vgbench's first finding.
        alarms: whether each other tool's rule for vanishing gradients fires.
    """

    half: str
    family: str
    label: str
    configuration: str
    verified: bool
    verdict: str
    alarms: Mapping[str, bool]


def ratio(hits: int, total: int) -> str:
    share, low, high = wilson(hits, total)
    return f"{share:.3f} [{low:.3f}, {high:.3f}] ({hits}/{total})" if total else "- (0)"


def recall_and_precision(truth: Sequence[bool], said: Sequence[bool]) -> tuple[str, str]:
    true, claimed = np.asarray(truth), np.asarray(said)
    both = int((true & claimed).sum())
    return ratio(both, int(true.sum())), ratio(both, int(claimed.sum()))


def mcnemar(truth: Sequence[bool], first: Sequence[bool], second: Sequence[bool]) -> tuple[int, int, float]:
    """Runs that only the first, only the second classifier gets right, and the exact two-sided p (McNemar 1947)."""
    true, one, two = (np.asarray(each) for each in (truth, first, second))
    only_first = int(((one == true) & (two != true)).sum())
    only_second = int(((one != true) & (two == true)).sum())
    both = only_first + only_second
    return only_first, only_second, float(stats.binomtest(only_first, both).pvalue) if both else 1.0


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Markdown."""
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines))


def confusion(rows: Sequence[Row]) -> str:
    """A row for each label, a column for each verdict that occurs."""
    counts = Counter((row.label, row.verdict) for row in rows)
    columns = sorted({row.verdict for row in rows})
    labels = sorted({row.label for row in rows})
    return table(
        ["built as", *columns],
        [[label, *(str(counts[label, column] or "") for column in columns)] for label in labels],
    )


def page(content: Mapping[str, Any]) -> str:
    """The published page, from the file of configurations."""
    rows, origin = [Row(**row) for row in content["rows"]], content["provenance"]
    packages = ", ".join(f"{name} {version}" for name, version in origin["packages"].items())
    made = f"`python benchmarks/diagnosis {content['command']}`"
    parts = [
        "# Diagnosis as a classifier",
        "Every configuration differs in gain, rate and seed; intervals are Wilson's, over configurations. Its label is"
        " how it was built, and counts where an intervention bore it out.",
    ]
    for half in dict.fromkeys(row.half for row in rows):
        parts += [f"## The {half} half", *_half([row for row in rows if row.half == half])]
    parts.append(
        f"Made by {made} on {origin['cpu']}, commit {origin['commit']}, Python {origin['python']}, {packages}."
    )
    return "\n\n".join(parts) + "\n"


def _half(every: Sequence[Row]) -> list[str]:
    rows = [row for row in every if row.verified]
    dropped = Counter(row.label for row in every if not row.verified)
    left = ", ".join(f"{label} {count}" for label, count in sorted(dropped.items())) or "none"
    counted = [row for row in rows if row.label not in UNCOUNTED]
    return [
        f"{len(rows)} configurations whose label an intervention bore out; left out, since none did: {left}.",
        "### Vanishing or not",
        _against(counted),
        "### Recall for vanishing by family",
        _families(counted),
        "### False alarms of vanishing among what looks like it",
        _false_alarms(counted),
        "### By name",
        _by_name(rows),
        "### Confusion",
        confusion(rows),
    ]


def _says(row: Row) -> bool:
    return row.verdict in VANISHING


def _against(rows: Sequence[Row]) -> str:
    truth, ours = [row.label in VANISHING for row in rows], [_says(row) for row in rows]
    lines = [["vgbench", *recall_and_precision(truth, ours), "", "", ""]]
    for name in rows[0].alarms if rows else ():
        said = [row.alarms[name] for row in rows]
        mine, theirs, p = mcnemar(truth, ours, said)
        lines.append([name, *recall_and_precision(truth, said), str(theirs), str(mine), f"{p:.2g}"])
    head = ["rule", "recall", "precision", "only it is right", "only vgbench is right", "McNemar's p"]
    return table(head, lines)


def _families(rows: Sequence[Row]) -> str:
    lines = []
    for family in dict.fromkeys(row.family for row in rows):
        own = [row for row in rows if row.family == family and row.label in VANISHING]
        alarms = [row for row in rows if row.family == family and row.label not in VANISHING]
        lines.append([family, ratio(sum(map(_says, own)), len(own)), ratio(sum(map(_says, alarms)), len(alarms))])
    return table(["family", "recall", "false alarms"], lines)


def _false_alarms(rows: Sequence[Row]) -> str:
    tools = list(rows[0].alarms) if rows else []
    lines = []
    for label in sorted({row.label for row in rows} - set(VANISHING)):
        of_label = [row for row in rows if row.label == label]
        counts = [sum(map(_says, of_label)), *(sum(row.alarms[name] for row in of_label) for name in tools)]
        lines.append([label, *(ratio(count, len(of_label)) for count in counts)])
    return table(["built as", "vgbench", *tools], lines)


def _by_name(rows: Sequence[Row]) -> str:
    lines = []
    for label in sorted({row.label for row in rows}):
        verdicts = [row.verdict for row in rows if row.label == label]
        lines.append([label, ratio(sum(said in ACCEPTED.get(label, (label,)) for said in verdicts), len(verdicts))])
    return table(["built as", "named so first"], lines)
