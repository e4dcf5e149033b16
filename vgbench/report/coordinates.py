"""The coordinate checks of a run: cells that differ in width or depth alone, and the power laws that they follow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, get_args

import numpy as np
import pandas as pd

from vgbench.instruments.coordinate_check import FLAT, Along, CoordinateCheck, Exponents, Sweep, sweep_of
from vgbench.instruments.coordinate_steps import QUANTITIES
from vgbench.records.runs import Run
from vgbench.report.along import SizeSweep, along
from vgbench.report.columns.column import NOTHING
from vgbench.report.shared import grouped, said_once, shares

_OF_OUTPUT = [*QUANTITIES].index("own")
"""Quantities before this one depend on the output alone, and not on whose weights changed it."""


@dataclass(frozen=True)
class Check:
    """What was measured of one mitigation along width or depth.

    Attributes:
        device: on which it was measured.
        group: the cells, which differ in width or depth alone.
        steps: updates made.
        sweep: the root mean squares.
    """

    device: str
    group: SizeSweep
    steps: int
    sweep: Sweep

    @property
    def after(self) -> str:
        """The number of updates, in words."""
        return f"{self.steps} step{'' if self.steps == 1 else 's'}"

    @cached_property
    def modules(self) -> tuple[str, ...]:
        """The modules, without those that return just what a module around them returns."""
        outputs = dict(zip(self.sweep.modules, np.moveaxis(self.sweep.rms[..., :_OF_OUTPUT], -2, 0), strict=True))

        def inner(name: str, rms: np.ndarray) -> bool:
            around = (outer for outer in outputs if name.startswith(f"{outer}."))
            return any(np.array_equal(rms, outputs[outer], equal_nan=True) for outer in around)

        return tuple(name for name, rms in outputs.items() if not inner(name, rms))

    def change(self, module: str) -> Exponents:
        """The power law of the change of a module's output after the last step."""
        return self.sweep.exponents(module, "change", self.steps)


def checks(runs: Sequence[Run]) -> list[Check]:
    """All coordinate checks of runs: those along width first, in the order of the rows."""
    return [
        _check(run.device, group)
        for axis in get_args(Along)
        for run in runs
        for group in along(run, axis, lambda cell: cell.coordinates is not None)
    ]


def _check(device: str, group: SizeSweep) -> Check:
    seeds = [seed for seed in group.cells[0].case.seeds if all(seed in cell.case.seeds for cell in group.cells)]
    runs = [
        [cell.coordinates.run(cell.case.seeds.index(seed)) for seed in seeds]
        for cell in group.cells
        if cell.coordinates
    ]
    return Check(device, group, group.cells[0].case.coordinate_steps, sweep_of(group.along, group.values, runs))


class _Count(NamedTuple):
    """In how many modules the change of the output is independent of what is swept, and in how many that is unclear."""

    independent: int
    unclear: int
    modules: int

    def __str__(self) -> str:
        every = self.independent == self.modules
        open_ = f" ({self.unclear} {'is' if self.unclear == 1 else 'are'} unclear)" if self.unclear else ""
        return "every module" if every else f"{self.independent} of {self.modules} modules{open_}"


def _count(check: Check) -> _Count:
    laws = [check.change(module) for module in check.modules]
    flat = sum(law.verdict == "independent" for law in laws)
    return _Count(flat, len(laws) - flat - sum(law.moves for law in laws), len(laws))


def sentences(found: Sequence[Check]) -> list[str]:
    """For each check in how many modules the change is independent of what is swept, and where not."""
    several = len({check.device for check in found}) > 1
    return said_once(
        (check.group.mitigation, f", {f'{check.device}, ' if several else ''}{_sentence(check)}") for check in found
    )


def _sentence(check: Check) -> str:
    laws = [check.change(module) for module in check.modules]
    worst = max((law for law in laws if law.moves), key=lambda law: abs(law.exponent.value), default=None)
    strongest = f"; most of all in {worst.module} it {worst.verdict}" if worst else ""
    return (
        f"{check.group.where}: after {check.after} the change of the output is independent of {check.group.along}"
        f" (exponent within {FLAT}) in {_count(check)}{strongest}."
    )


def answer(found: Sequence[Check]) -> list[str]:
    """A sentence for each place: in how many modules the change is independent of what is swept, the most first."""
    return [_answer(place, group) for place, group in grouped(found, lambda check: check.group.where).items()]


def _answer(place: str, group: Sequence[Check]) -> str:
    counted = sorted(((_count(check), check) for check in group), key=lambda each: -each[0].independent)
    counts = shares((check.group.mitigation, f"in {count}") for count, check in counted)
    after, along = group[0].after, group[0].group.along
    return f"Over {place}, the change of the output after {after} is independent of {along} {counts}."


def tables(found: Sequence[Check]) -> Iterator[tuple[str, pd.DataFrame]]:
    """A title and a table for each place, of exponents of the change as text: a row a module, a column a mitigation."""
    several = len({check.device for check in found}) > 1

    def title(check: Check) -> str:
        device = f", {check.device}" if several else ""
        return f"Exponent over {check.group.where} of the change of the output after {check.after}{device}"

    for place, group in grouped(found, title).items():
        modules = list(dict.fromkeys(module for check in group for module in check.modules))
        columns = {
            check.group.mitigation: [str(check.change(each)) if each in check.modules else NOTHING for each in modules]
            for check in group
        }
        yield place, pd.DataFrame({"module": modules, **columns})


def frame(found: Sequence[Check]) -> pd.DataFrame:
    """A row for every check, module, quantity and step: the exponent with its interval, and the verdict."""
    parts = [
        CoordinateCheck((check.sweep,), check.steps)
        .frame()
        .assign(device=check.device, mitigation=check.group.mitigation, at=check.group.at)
        for check in found
    ]
    first = ["device", "mitigation", "at"]
    return pd.concat(parts, ignore_index=True).set_index(first).reset_index()
