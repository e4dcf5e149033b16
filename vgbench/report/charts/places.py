"""Where in a picture the rows of runs are drawn: the panel, the mitigation and the slot of each."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from vgbench.plain import one_line
from vgbench.records.runs import Entry, Run
from vgbench.records.schema import AxisValue
from vgbench.report.reference import compared
from vgbench.report.slots import slot_of
from vgbench.spec.label import label
from vgbench.spec.suite import BASELINE

Place = tuple[dict[str, str], Entry]
"""The words of an entry, and the entry."""


def places(runs: Sequence[Run], *without: str) -> Iterator[Place]:
    """Every entry with its mitigation, the slot that this changes, and its panel in words.

    The panel's words are the axes but for `without`, those that `grow_with` one of them, and the device if there are
    several. They are on one line each: Vega writes names into expressions, whose strings no line separator may break.
    """
    several = len({run.device for run in runs}) > 1
    left_out = [*without, *(name for axis in without for name in grow_with(runs, axis))]
    for run in runs:
        device = [run.device] if several else []
        for entry in run.entries:
            axes = {name: value for name, value in entry.row.axes.items() if name not in left_out}
            slot = slot_of(entry.cell and entry.cell.case, entry.reference and entry.reference.case)
            words = {"panel": label(device, axes), "mitigation": entry.row.mitigation, "slot": slot}
            yield {name: one_line(text) for name, text in words.items()}, entry


def compared_panels(panels: Iterable[str], references: Iterable[Any]) -> list[str]:
    """The panel of each row, one for rows of one place with one reference, in words on one line.

    Where the rows of one panel are of no place and compared with `baseline`, it is named if there are other panels.
    """
    words = [one_line(compared(*each)) for each in zip(panels, references, strict=True)]
    return [each or f"compared with {BASELINE}" for each in words] if len(set(words)) > 1 else words


def grow_with(runs: Sequence[Run], axis: str) -> list[str]:
    """The axes of numbers that each value of `axis` has one value of, such as a width that grows with the depth."""
    values: dict[str, dict[AxisValue, set[AxisValue]]] = {}
    for axes in (entry.row.axes for run in runs for entry in run.entries):
        for name, value in axes.items() if axis in axes else ():
            values.setdefault(name, {}).setdefault(axes[axis], set()).add(value)
    return [
        name
        for name, known in values.items()
        if name != axis and all(len(each) == 1 for each in known.values()) and _numbers(set().union(*known.values()))
    ]


def _numbers(values: Collection[AxisValue]) -> bool:
    """Whether these are several numbers."""
    return len(values) > 1 and all(isinstance(value, int | float) for value in values)


def ranked(runs: Sequence[Run]) -> list[Place]:
    """The entries of each panel by what they achieve, the best first."""
    known = list(places(runs))
    panels = list(dict.fromkeys(words["panel"] for words, _ in known))
    return sorted(known, key=lambda place: (panels.index(place[0]["panel"]), *_achieved(place[1])))


def _achieved(entry: Entry) -> tuple[float, float, float]:
    """The share of seeds that reach the target, the result, and how much the gradient changes: the less the better."""
    curves, gradients = (entry.cell.training, entry.cell.gradients) if entry.cell else (None, None)
    change = abs(gradients.log10_first_over_last.value) if gradients else np.inf
    known = np.inf if np.isnan(change) else round(change, 6)  # smaller differences are rounding in float32
    if curves is None:
        return 1.0, 0.0, known
    result = float(curves.metric.score(curves.test_metric.mean()))
    return -curves.trained / len(curves.test_metric), -result, known
