"""The gradient of people's own models, parameter by parameter, module by module and at every tap."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from flax import nnx
from jaxtyping import Array, Float
from rich.table import Table
from rich.text import Text

from vgbench.errors import InputError
from vgbench.instruments.spectrum import Spectrum, log10_norm, spectrum, zero_fraction
from vgbench.instruments.tap import finding, reading
from vgbench.instruments.tree import is_parameter, is_stacked, modules_of, named

if TYPE_CHECKING:
    import altair as alt

Kind = Literal["parameter", "module", "tap"]


@dataclass(frozen=True)
class Reading:
    """The gradient at one place.

    Attributes:
        kind: a parameter, a module (all parameters below it) or a tap (dL/dh there).
        name: its path, keys joined by dots; the whole model is "". A layer of a stack has its number in brackets.
        size: numbers in it; at a tap, of all times that it ran.
        log10_gradient: log10 of the gradient's Euclidean norm; -inf of zeros alone, NaN where it is not finite.
        log10_weight: the same of the parameters themselves; NaN at a tap.
        zero_fraction: share of the gradient that is zero, or that the dtype flushes to it.
        histogram: counts of the gradient's numbers by powers of two, [256], or [2048] in float64; see `Spectrum`.
    """

    kind: Kind
    name: str
    size: int
    log10_gradient: float
    log10_weight: float
    zero_fraction: float
    histogram: Float[np.ndarray, "bins"]


@dataclass(frozen=True)
class ModelProfile:
    """What one backward pass of a model shows. Printed with rich, a table.

    Attributes:
        loss: of the batch.
        readings: parameters, modules and taps, each in the order of the model.
    """

    loss: float
    readings: tuple[Reading, ...]

    def of(self, kind: Kind) -> tuple[Reading, ...]:
        """The readings of one kind."""
        return tuple(each for each in self.readings if each.kind == kind)

    def frame(self) -> pd.DataFrame:
        """A row for each reading, with the fields of `Reading` but the histogram as columns."""
        fields = [name for name in Reading.__annotations__ if name != "histogram"]
        rows = [{name: getattr(each, name) for name in fields} for each in self.readings]
        return pd.DataFrame(rows, columns=fields)

    def plot(self, kind: Kind | None = None) -> "alt.Chart":
        """The gradient's norm at every place: at the taps if there are any, otherwise of every parameter."""
        from vgbench.pictures.places import gradient_by_place

        shown = kind or ("tap" if self.of("tap") else "parameter")
        return gradient_by_place(self.frame().query("kind == @shown"), f"gradient of every {shown}")

    def __rich__(self) -> Table:
        table = Table(
            "", "name", "numbers", "log10 |gradient|", "log10 |weights|", "zero", title=f"loss {self.loss:.6g}"
        )
        for each in self.readings:
            weight = "-" if np.isnan(each.log10_weight) else f"{each.log10_weight:+z.2f}"
            numbers = f"{each.size:,}", f"{each.log10_gradient:+z.2f}", weight, f"{each.zero_fraction:.1%}"
            table.add_row(each.kind, Text(each.name or "(all)"), *numbers)
        return table


def profile(
    model: Any, loss_fn: Callable[[Any, Any], Array], batch: Any, *, stacked: Collection[str] = ()
) -> ModelProfile:
    """Take the gradient of a model's loss on a batch and say how large it is, everywhere.

    Args:
        model: a Flax NNX module, which is left as it is, or any tree of parameters (Linen's or Haiku's variables, an
            Equinox module); its floating-point arrays are differentiated.
        loss_fn: (model, batch) -> the loss, a scalar; it may call `tap`.
        batch: whatever `loss_fn` reads.
        stacked: keys of parameters (names in their paths) whose leading axis counts layers, as scanned ones have it;
            they are reported layer by layer.

    Returns:
        Norms that do not underflow where the gradient does not, zero fractions and histograms.

    Raises:
        InputError: the loss is no scalar, or the model has no floating-point arrays.
    """
    if isinstance(model, nnx.Module):
        graphdef, params, rest = nnx.split(model, nnx.Param, ...)

        def functional(params: Any, batch: Any) -> Array:
            return loss_fn(nnx.merge(graphdef, params, rest, copy=True), batch)

        return _profile(params, functional, batch, stacked)
    return _profile(model, loss_fn, batch, stacked)


def _profile(tree: Any, loss_fn: Callable[[Any, Any], Array], batch: Any, stacked: Collection[str]) -> ModelProfile:
    leaves, structure = jax.tree.flatten(tree)
    places = [i for i, leaf in enumerate(leaves) if is_parameter(leaf)]
    if not places:
        raise InputError("profile: this model has no floating-point arrays to take a gradient by")

    def loss(parameters: list[Array], batch: Any) -> Array:
        filled = list(leaves)
        for place, parameter in zip(places, parameters, strict=True):
            filled[place] = parameter
        found = jnp.asarray(loss_fn(jax.tree.unflatten(structure, filled), batch))
        if found.shape != ():
            raise InputError(f"profile: the loss must be a scalar, not of shape {found.shape}")
        return found

    parameters = [leaves[i] for i in places]
    with finding() as inputs:
        # A function of its own for each pass, since traces are kept by function.
        jax.eval_shape(lambda *given: loss(*given), parameters, batch)

    def tapped(parameters: list[Array], inputs: Any, batch: Any) -> Array:
        with reading(inputs):
            return loss(parameters, batch)

    names = list(named(tree))

    @jax.jit
    def measured(parameters: list[Array], inputs: Any, batch: Any) -> Any:
        value, (gradients, taps) = jax.value_and_grad(tapped, argnums=(0, 1))(parameters, inputs, batch)
        split = partial(_spectra, names, stacked)
        return value, split(gradients), split(parameters), taps

    value, gradient, weight, taps = jax.device_get(measured(parameters, inputs, batch))
    return ModelProfile(float(value), (*_parameters(gradient, weight), *_modules(gradient, weight), *_taps(taps)))


def _spectra(names: list[str], stacked: Collection[str], arrays: list[Array]) -> dict[str, Spectrum]:
    return {
        name: jax.vmap(spectrum)(array) if is_stacked(name, stacked) else spectrum(array)
        for name, array in zip(names, arrays, strict=True)
    }


def _parameters(gradient: dict[str, Spectrum], weight: dict[str, Spectrum]) -> list[Reading]:
    return [reading_ for name in gradient for reading_ in _rows("parameter", name, gradient[name], weight[name])]


def _modules(gradient: dict[str, Spectrum], weight: dict[str, Spectrum]) -> list[Reading]:
    """Spectra add up to those of a module; a stack counts as one."""
    sums: dict[str, tuple[Spectrum, Spectrum]] = {}
    for name in gradient:
        pair = _flat(gradient[name]), _flat(weight[name])
        for module in modules_of(name):
            sums[module] = jax.tree.map(np.add, sums[module], pair) if module in sums else pair
    return [row for name, pair in sums.items() for row in _rows("module", name, *pair)]


def _flat(found: Spectrum) -> Spectrum:
    return jax.tree.map(lambda each: each.reshape(-1, each.shape[-1]).sum(axis=0), found)


def _taps(taps: dict[str, Spectrum]) -> list[Reading]:
    return [row for name, found in taps.items() for row in _rows("tap", name, found, None)]


def _rows(kind: Kind, name: str, gradient: Spectrum, weight: Spectrum | None) -> list[Reading]:
    if gradient.counts.ndim == 1:
        return [_reading(kind, name, gradient, weight)]
    pick = lambda found, i: found and Spectrum(found.counts[i], found.squares[i])  # noqa: E731
    return [_reading(kind, f"{name}[{i}]", pick(gradient, i), pick(weight, i)) for i in range(len(gradient.counts))]


def _reading(kind: Kind, name: str, gradient: Spectrum, weight: Spectrum | None) -> Reading:
    return Reading(
        kind=kind,
        name=name,
        size=int(gradient.counts.sum(dtype=np.float64)),
        log10_gradient=float(log10_norm(gradient)),
        log10_weight=float("nan") if weight is None else float(log10_norm(weight)),
        zero_fraction=float(zero_fraction(gradient)),
        histogram=np.asarray(gradient.counts),
    )
