"""What a coordinate check found: how the sizes of modules' outputs and of their changes go with width or depth."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float64
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from vgbench.errors import InputError, unknown
from vgbench.instruments.coordinate_steps import QUANTITIES, Run
from vgbench.instruments.printed import printed
from vgbench.statistics import Interval, slope, t_interval

if TYPE_CHECKING:
    import altair as alt

Along = Literal["width", "depth"]
FLAT = 0.1
"""Exponents up to this count as none: a factor of 1.3 between widths that differ by a factor of 16."""
_LAYER = re.compile(r"(?:^|(?<=[._/\[]))\d+(?=$|[./\]#])")
"""The number of a layer in a path: a whole key, an index, or what follows the last underscore of a key."""


@dataclass(frozen=True)
class Exponents:
    """A quantity of one module's output as a power of width or depth.

    Attributes:
        along: what is swept.
        module: its path; over depth, "*" stands for the numbers of layers, whose mean square is taken.
        quantity: one of `QUANTITIES`.
        step: updates made before.
        exponent: slope of log root mean square over log width (or depth), mean with its t-interval over seeds; NaN
            where a root mean square is zero or not finite.
    """

    along: Along
    module: str
    quantity: str
    step: int
    exponent: Interval

    @property
    def verdict(self) -> str:
        """In words: independent, grows like or shrinks like a power, or unclear where the interval leaves it open."""
        value, low, high = self.exponent
        if np.isnan(value):
            return "zero or not finite"
        low, high = (value, value) if np.isnan(low) else (low, high)
        if max(-low, high) <= FLAT:
            return "independent"
        if low > 0 or high < 0:
            return f"{'grows' if low > 0 else 'shrinks'} like {self.along}^{value:.2f}"
        return "unclear"

    @property
    def moves(self) -> bool:
        """Whether the verdict is that it grows or shrinks."""
        return self.verdict.startswith(("grows", "shrinks"))

    def __str__(self) -> str:
        """The exponent with half of its interval; "-" where there is none."""
        value, low, _ = self.exponent
        if np.isnan(value):
            return "-"
        return f"{value:+z.2f}" if np.isnan(low) else f"{value:+z.2f}±{self.exponent.half_width:.2f}"


@dataclass(frozen=True)
class Sweep:
    """What was measured along width or depth.

    Attributes:
        along: what is swept.
        values: the widths or depths.
        modules: the names of the places that are the same at all of them, in the order of the forward pass.
        rms: the root mean squares, the quantities in the order of `QUANTITIES`.
    """

    along: Along
    values: tuple[int, ...]
    modules: tuple[str, ...]
    rms: Float64[np.ndarray, "seeds values steps modules quantities"]

    def exponents(self, module: str, quantity: str, step: int) -> Exponents:
        """The power law of one quantity at one place after so many steps."""
        place, which = self.modules.index(module), [*QUANTITIES].index(quantity)
        x = np.log10(np.asarray(self.values, np.float64))
        with np.errstate(divide="ignore"):
            y = np.log10(self.rms[:, :, step, place, which])
        slopes = np.asarray([slope(x, each) for each in y])
        return Exponents(self.along, module, quantity, step, t_interval(slopes))


@dataclass(frozen=True)
class CoordinateCheck:
    """How a parametrisation behaves over width and depth. Printed, a table.

    Attributes:
        sweeps: along width, along depth, or both.
        steps: updates made.
    """

    sweeps: tuple[Sweep, ...]
    steps: int

    def frame(self) -> pd.DataFrame:
        """A row for every sweep, module, quantity and step: its exponent with interval, and the verdict."""
        columns = ["along", "module", "quantity", "step", "exponent", "low", "high", "verdict"]
        found = [
            sweep.exponents(module, quantity, step)
            for sweep in self.sweeps
            for module in sweep.modules
            for quantity in QUANTITIES
            for step in range(self.steps + 1)
            if step or quantity == "size"  # the others begin with the first step
        ]
        rows = [(each.along, each.module, each.quantity, each.step, *each.exponent, each.verdict) for each in found]
        return pd.DataFrame(rows, columns=columns)

    def plot(self, quantity: str = "change") -> "alt.VConcatChart":
        """One panel a module: the quantity over width or depth, a line for each step; flat lines are good.

        Raises:
            InputError: there is no such quantity.
        """
        from vgbench.pictures.coordinates import coordinates

        which = [*QUANTITIES].index(_known(quantity))
        arrays = [(each.along, each.values, each.modules, each.rms[..., which]) for each in self.sweeps]
        return coordinates(arrays, f"root mean square {QUANTITIES[quantity]}")

    def __rich__(self) -> Group:
        return Group(*map(self._table, self.sweeps))

    def _table(self, sweep: Sweep) -> Table:
        title = f"exponents over {sweep.along}: size at initialisation, the rest after {self.steps} steps"
        name = Column("module", overflow="fold", min_width=6)
        table = Table(name, title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for head in QUANTITIES:
            table.add_column(head, justify="right", no_wrap=True)
        table.add_column("the change", min_width=11)
        for module in sweep.modules:
            found = [sweep.exponents(module, each, 0 if each == "size" else self.steps) for each in QUANTITIES]
            table.add_row(Text(module), *map(str, found), found[1].verdict)
        return table

    def __str__(self) -> str:
        return printed(self.__rich__())


def _known(quantity: str) -> str:
    if quantity not in QUANTITIES:
        raise InputError(unknown("quantity", quantity, QUANTITIES))
    return quantity


def sweep_of(along: Along, values: Sequence[int], runs: Sequence[Sequence[Run]]) -> Sweep:
    """Join the runs at several widths or depths, one for each value and seed."""
    numbered = along == "depth" and any(run.keys() != runs[0][0].keys() for seeds in runs for run in seeds)
    merged = [[_by_kind(run) if numbered else run for run in seeds] for seeds in runs]
    modules = tuple(name for name in merged[0][0] if all(name in seeds[0] for seeds in merged))
    arrays = [[np.stack([run[name] for name in modules], axis=1) for run in seeds] for seeds in merged]
    return Sweep(along, tuple(values), modules, np.asarray(arrays, np.float64).swapaxes(0, 1))


def _by_kind(run: Run) -> Run:
    """Places whose names differ in the numbers of layers alone as one, by the mean of their squares."""
    kinds: dict[str, list[np.ndarray]] = {}
    for name, rms in run.items():
        kinds.setdefault(_LAYER.sub("*", name), []).append(rms)
    return {kind: np.sqrt(np.mean(np.square(each), axis=0)) for kind, each in kinds.items()}
