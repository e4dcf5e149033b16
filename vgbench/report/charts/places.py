"""Where in a picture the rows of runs are drawn: the panel, the mitigation and the slot of each."""

from collections.abc import Iterator, Sequence

import numpy as np

from vgbench.plain import one_line
from vgbench.records.runs import Entry, Run
from vgbench.report.slots import slot_of
from vgbench.spec.label import label

Place = tuple[dict[str, str], Entry]
"""The words of an entry, and the entry."""


def places(runs: Sequence[Run], *without: str) -> Iterator[Place]:
    """Every entry with its mitigation, the slot that this changes, and its panel in words.

    The panel's words are the axes but for `without`, and the device if there are several. They are on one line each:
    Vega writes names into expressions, whose strings no line separator may break.
    """
    several = len({run.device for run in runs}) > 1
    for run in runs:
        device = [run.device] if several else []
        for entry in run.entries:
            axes = {name: value for name, value in entry.row.axes.items() if name not in without}
            slot = slot_of(entry.cell and entry.cell.case, entry.reference and entry.reference.case)
            words = {"panel": label(device, axes), "mitigation": entry.row.mitigation, "slot": slot}
            yield {name: one_line(text) for name, text in words.items()}, entry


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
