"""`python benchmarks/diagnosis/changed.py --runs DIR --out results/diagnosis`: answers about changed recordings.

Each change leaves the fault what it is, and is something that other people's recordings are: shorter, sparser, of a
loss that is a sum, with names of layers that show no order, or with fewer fields. Rules that rest on what a change
takes away should say less, and nothing wrong.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from left_out import WAYS, Pair, scores, write
from score import table

from vgbench.diagnosis import Evidence

BY_LAYER = (
    *("gradient", "bias", "fan_in", "weight", "update", "moved"),
    *("zero", "nonfinite", "histogram", "swallowed", "cosine"),
)
BY_RECORD = (
    *("step", "loss", "peak", "nonfinite_loss", "validation_loss", "accuracy", *BY_LAYER),
    *("signal", "saturated", "dead", "scale", "distance", "largest_logit"),
)
LOSSES, SLOPES = ("loss", "peak", "validation_loss", "chance"), ("gradient", "bias", "signal")


def _each(run: Evidence, fields: Any, change: Callable[[Any], Any]) -> dict[str, Any]:
    """These fields, changed where they were recorded."""
    return {name: change(value) for name in fields if (value := getattr(run, name)) is not None}


def shorter(run: Evidence) -> Evidence:
    """The first six records of eleven."""
    cut = replace(run, **_each(run, BY_RECORD, lambda values: values[:6]))
    since = {kind: step for kind, step in (run.nonfinite_since or {}).items() if step <= cut.step[-1]}
    return replace(cut, nonfinite_since=None if run.nonfinite_since is None else since)


def sparser(run: Evidence) -> Evidence:
    """Every second record, with the peaks of those between."""
    both = {
        "peak": lambda peaks: np.fmax(peaks, np.append(np.nan, peaks[:-1])),
        "nonfinite_loss": lambda bad: bad | np.append(False, bad[:-1]),
    }
    run = replace(run, **{name: each for name, change in both.items() for each in _each(run, [name], change).values()})
    return replace(run, **_each(run, BY_RECORD, lambda values: values[::2]))


def scaled(run: Evidence, factor: float) -> Evidence:
    """A loss that is multiplied, under an optimizer whose steps are the same for that."""
    slopes = _each(run, SLOPES, lambda values: values + np.log10(factor))
    return replace(run, **_each(run, LOSSES, lambda values: values * factor), **slopes, histogram=None)


def without_order(run: Evidence) -> Evidence:
    """Layers in any order, whose names say nothing."""
    order = np.random.default_rng(0).permutation(len(run.names))
    names = tuple(chr(97 + i // 26) + chr(97 + i % 26) for i in range(len(order)))
    return replace(run, names=names, **_each(run, BY_LAYER, lambda values: values[:, order]))


CHANGES: Mapping[str, Callable[[Evidence], Evidence]] = {
    "as recorded": lambda run: run,
    "the first six records": shorter,
    "every second record": sparser,
    "a loss a hundred times larger": partial(scaled, factor=100.0),
    "a loss a hundred times smaller": partial(scaled, factor=0.01),
    "names without an order": without_order,
    "no gradients of biases": partial(replace, bias=None, fan_in=None),
    "norms alone": partial(replace, **dict.fromkeys(("peak", "zero", "moved", "histogram", "swallowed", "cosine"))),
}


def changed(pair: Pair, change: Callable[[Evidence], Evidence]) -> Pair:
    """The same fault, recorded otherwise."""
    return replace(pair, runs=[{way: change(run[way]) for way in WAYS} for run in pair.runs])


def page(pairs: list[Pair]) -> str:
    """The published page."""
    rows, wrong = [], []
    for name, change in CHANGES.items():
        answers = [changed(pair, change).answer() for pair in pairs]
        rows += list(scores(name, answers))
        said = Counter(each.broken[way][0] for each in answers for way in WAYS if each.misled(way))
        wrong.append([name, ", ".join(f"{finding} {count}" for finding, count in said.most_common()) or "nothing"])
    heads = ["recording", "way", "cause named", "misleading", "not enough recorded", "fixed run accused"]
    return "\n\n".join(
        ["# Recordings that were changed", f"{len(pairs)} pairs of runs.", table(heads, rows), *_said(wrong)]
    )


def _said(wrong: list[list[str]]) -> Iterator[str]:
    yield "What misled, and how often in both ways together:"
    yield table(["recording", "first finding"], wrong)


if __name__ == "__main__":
    write(__doc__, page, "changed.md")
