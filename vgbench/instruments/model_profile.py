"""What one backward pass of a model shows: parameter by parameter, module by module and at every tap."""

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table
from rich.text import Text

from vgbench.boundary.run_file import Header, Layer, Module, Record, Run
from vgbench.instruments.printed import printed

if TYPE_CHECKING:
    import altair as alt

Kind = Literal["parameter", "module", "output", "tap"]


@dataclass(frozen=True)
class Reading:
    """The gradient at one place.

    Attributes:
        kind: a parameter, a module (all parameters below it), the output of a module or a tap (dL/dh there).
        name: its path, keys joined by dots; the whole model is "". A layer of a stack, or an iteration of a scan, has
            its number in brackets, a module's second call "#2".
        size: numbers in it; at a tap, of all times that it ran.
        log10_gradient: log10 of the gradient's Euclidean norm; -inf of zeros alone, NaN where it is not finite.
        log10_weight: the same of the parameters themselves; NaN at an output or a tap.
        zero_fraction: share of the gradient that is zero, or that the dtype flushes to it.
        histogram: counts of the gradient's numbers by powers of two, [256], or [2048] in float64; see `Spectrum`.
        exact_to: log10 of the magnitude below which numbers of the gradient read zero here; NaN where nothing leads
            to the loss. A norm well above it is exact.
        forward: of an output or a tap, what the signal itself shows; None of parameters.
    """

    kind: Kind
    name: str
    size: int
    log10_gradient: float
    log10_weight: float
    zero_fraction: float
    histogram: Float[np.ndarray, "bins"]
    exact_to: float = float("nan")
    forward: Module | None = None


_FORWARD = tuple(each.name for each in dataclasses.fields(Module) if each.name not in ("signal", "exact_to", "entropy"))


@dataclass(frozen=True)
class ModelProfile:
    """What one backward pass of a model shows. Printed, a table.

    Attributes:
        loss: of the batch.
        readings: parameters, modules, outputs and taps, each in the order of the forward pass.
        uncut: names of outputs and taps that other paths to the loss go around, where nothing is renormalised.
        mixed: names of parameters, outputs and taps whose paths to the loss pass different cuts, so that their
            gradients come from a plain pass, in float64 where they are near the end of their dtype.
        header: what a run file says of the model and the batch.
    """

    loss: float
    readings: tuple[Reading, ...]
    uncut: tuple[str, ...] = ()
    mixed: tuple[str, ...] = ()
    header: Header = field(default_factory=Header)

    def of(self, kind: Kind) -> tuple[Reading, ...]:
        """The readings of one kind."""
        return tuple(each for each in self.readings if each.kind == kind)

    def frame(self) -> pd.DataFrame:
        """A row for each reading; the fields of `Reading` but the histogram, and those of `forward`, as columns."""
        fields = [name for name in Reading.__annotations__ if name not in ("histogram", "forward")]
        rows = [
            {name: getattr(each, name) for name in fields}
            | {name: getattr(each.forward, name, None) for name in _FORWARD}
            for each in self.readings
        ]
        return pd.DataFrame(rows, columns=[*fields, *_FORWARD])

    def plot(self, kind: Kind | None = None) -> "alt.Chart":
        """The gradient's norm at every place: at the taps, or else the outputs of modules, or else the parameters."""
        from vgbench.pictures.places import gradient_by_place

        shown = kind or next((each for each in ("tap", "output") if self.of(each)), "parameter")
        return gradient_by_place(self.frame().query("kind == @shown"), f"gradient of every {shown}")

    def run(self) -> Run:
        """The profile as a run of one record, as a run file holds it and `vgbench.diagnose` reads it."""
        layers = {
            each.name: Layer(
                gradient=each.log10_gradient, weight=each.log10_weight, zero=each.zero_fraction, exact_to=each.exact_to
            )
            for each in self.of("parameter")
        }
        places = [*self.of("output"), *self.of("tap")]
        modules = {each.name: each.forward for each in places if each.forward is not None}
        return Run(self.header, (Record(step=0, loss=self.loss, layers=layers, modules=modules),))

    def __rich__(self) -> Table:
        title = f"loss {self.loss:.6g}; |g| and |w|: log10 of the norms of gradient and weights"
        table = Table(
            "", Column("name", overflow="fold", min_width=10), title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
        )
        for head in ("numbers", "|g|", "|w|", "zero", "scale", "spread", "flat", "dead"):
            table.add_column(head, justify="right", no_wrap=True)
        for each in self.readings:
            weight = "-" if np.isnan(each.log10_weight) else f"{each.log10_weight:+z.2f}"
            numbers = f"{each.size:,}", f"{each.log10_gradient:+z.2f}", weight, f"{each.zero_fraction:.1%}"
            table.add_row(each.kind, Text(each.name or "(all)"), *numbers, *_shown(each.forward))
        return table

    def __str__(self) -> str:
        return printed(self.__rich__())


def _shown(forward: Module | None) -> list[str]:
    if forward is None:
        return [""] * 4
    decades = ("" if each is None else f"{each:+z.2f}" for each in (forward.scale, forward.spread))
    shares = ("" if each is None else f"{each:.1%}" for each in (forward.saturated, forward.dead))
    return [*decades, *shares]
