"""Where in a picture the rows of runs are drawn: the panel and the mitigation of each."""

from collections.abc import Iterator, Sequence

from vgbench.plain import one_line
from vgbench.records.runs import Entry, Run
from vgbench.spec.label import label


def places(runs: Sequence[Run], *without: str) -> Iterator[tuple[dict[str, str], Entry]]:
    """Every entry with its mitigation and its panel in words: the axes but for `without`, and the device if several.

    On one line each: Vega writes names into expressions, whose strings no line separator may break.
    """
    several = len({run.device for run in runs}) > 1
    for run in runs:
        device = [run.device] if several else []
        for entry in run.entries:
            axes = {name: value for name, value in entry.row.axes.items() if name not in without}
            words = {"panel": label(device, axes), "mitigation": entry.row.mitigation}
            yield {name: one_line(text) for name, text in words.items()}, entry
