"""A column of a run's frame, and how a table shows it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from vgbench.report.columns.source import Source, Value
from vgbench.spec.label import in_words
from vgbench.spec.metric import Metric
from vgbench.statistics import Interval

METRIC = "METRIC"
"""In a heading the place of the name of what rows are judged by."""
NOTHING = "-"
"""The text of a cell where nothing is known."""


class Bold(str):
    """Text of a cell that is set in bold."""


Row = Mapping[str, Any]
"""A row of the frame: its values by the names of the columns."""
Text = Callable[[Row, str], str]
"""The text of a cell, from its row and the name of its column."""


_BETTER: dict[str, Literal["↑", "↓"]] = {"higher": "↑", "lower": "↓"}


@dataclass(frozen=True)
class Shown:
    """How tables show a column.

    Attributes:
        heading: above the column; of `METRIC` in it `of_metric` makes a name.
        text: of its cells.
        side: whether it names the `row`, or says what its `benefit` or its `cost` is.
        legend: what the column shows, for readers of a table; the column's meaning where empty.
        marks: words that its cells may hold, and what each means.
        direction: what is better: higher, lower, or nearer to zero.
        room: where there is room for it: in the index of published runs and the terminal (and on the page), only on the
            page, or only where all columns are asked for.
        when: whether it is shown always, where some row has a value, or where rows differ in it.
        align: numbers right, text left.
    """

    heading: str
    text: Text
    side: Literal["row", "benefit", "cost"]
    legend: str = ""
    marks: Mapping[str, str] = field(default_factory=dict)
    direction: Literal["", "↑", "↓", "→0"] = ""
    room: Literal["index", "page", "all"] = "all"
    when: Literal["always", "known", "differs"] = "always"
    align: Literal["left", "right"] = "right"

    def of_metric(self, metric: Metric | None) -> "Shown":
        """The same for rows that are judged by `metric`; None where they are not, or by several."""
        if METRIC not in self.heading:
            return self
        name, direction = (metric.name, _BETTER[metric.better]) if metric else ("metric", "")
        return replace(self, heading=self.heading.replace(METRIC, name), direction=direction)


@dataclass(frozen=True)
class Column:
    """A column of the frame.

    Attributes:
        name: in the frame and in `table.csv`.
        meaning: what it holds, in words.
        value: of a row.
        shown: how tables show it; None where they do not.
    """

    name: str
    meaning: str
    value: Value
    shown: Shown | None = None


def interval(
    name: str, meaning: str, value: Callable[[Source], Interval | None], shown: Shown, *, of: str = "95 % t-interval"
) -> Iterator[Column]:
    """The columns of an estimate, `NAME`, and of the ends of its interval, `NAME_low` and `NAME_high`."""

    def end(which: int) -> Value:
        return lambda source: None if (found := value(source)) is None else found[which]

    yield Column(name, meaning, end(0), shown)
    yield Column(f"{name}_low", f"lower end of the {of} of `{name}`", end(1))
    yield Column(f"{name}_high", f"upper end of the {of} of `{name}`", end(2))


def as_it_is(row: Row, name: str) -> str:
    """The text of a cell that holds its value."""
    return NOTHING if pd.isna(row[name]) else in_words(name, row[name])


def number(form: str, unit: float = 1) -> Text:
    """The text of a number in some unit, its thousands apart; whole where its digits would need an exponent."""

    def text(row: Row, name: str) -> str:
        if pd.isna(row[name]):
            return NOTHING
        value = row[name] / unit
        shown = format(value, form.replace(".", ",."))
        return f"{value:,.0f}" if "e+" in shown else shown

    return text


def plus_minus(form: str, *, low: float = -np.inf, high: float = np.inf) -> Text:
    """The text of a mean and half its (symmetric) interval.

    An interval that reaches beyond the least or the greatest possible value ends there, and both its ends are shown.
    One whose half reads as 0 is left out: seeds that agree do not show how others would differ.
    """

    def text(row: Row, name: str) -> str:
        estimate = Interval(row[name], row[f"{name}_low"], row[f"{name}_high"])
        if pd.isna(estimate.value):
            return NOTHING
        if pd.isna(estimate.low) or float(format(estimate.half_width, form)) == 0:
            return format(estimate.value, form)
        if low <= estimate.low and estimate.high <= high:
            return estimate.within(form)
        return f"{estimate.value:{form}} [{max(low, estimate.low):{form}}, {min(high, estimate.high):{form}}]"

    return text
