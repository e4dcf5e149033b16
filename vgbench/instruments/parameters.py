"""What is read of a model's parameters after a pass: of gradient and weights the norm, zeros and magnitudes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from vgbench.instruments.cuts import MIXED, Passed, Plan
from vgbench.instruments.explicit import any_sharding
from vgbench.instruments.model_profile import Kind, Reading
from vgbench.instruments.passes import Traced
from vgbench.instruments.readout import LOG2, apart, log10_smallest, log10_sum, shifted, together
from vgbench.instruments.spectrum import Spectrum, log10_norm, spectrum, zero_fraction
from vgbench.instruments.tree import is_stacked, modules_of


class Spectra(NamedTuple):
    """Of some parameters of one shape, with a leading axis for them and their layers."""

    gradient: Spectrum
    weight: Spectrum


@dataclass(frozen=True)
class Sized:
    """A parameter, or one layer of it.

    Attributes:
        parameter: its name without the layer's number.
        layer: that number; 0 of what is no stack.
        name: with it.
        gradient: spectrum of the gradient as it is, undivided.
        weight: spectrum of the parameter.
        log10_gradient: norm of the gradient; None where the pass mixes it.
        exact_to: log10 of the magnitude below which its numbers read zero.
    """

    parameter: str
    layer: int
    name: str
    gradient: Spectrum
    weight: Spectrum
    log10_gradient: float | None
    exact_to: float


def layers_of(
    found: Traced, names: Sequence[str], shapes: Sequence[tuple[int, ...]], stacked: Collection[str]
) -> list[int]:
    """How many layers each parameter is read by: those of `stacked`, or the iterations of a loop with cuts; or 0."""
    within = [isinstance(each, Passed) and each.within is not None for each in found.exact.inputs[: len(names)]]
    layered = [one or is_stacked(name, stacked) for one, name in zip(within, names, strict=True)]
    return [shape[0] if one and shape else 0 for one, shape in zip(layered, shapes, strict=True)]


def read_parameters(layers: Sequence[int], parameters: Sequence[Array], gradients: Sequence[Array]) -> list[Spectra]:
    """Read all parameters, those of one shape together."""
    items = [
        jax.tree.map(lambda leaf, count=count: leaf if count else leaf[None], pair)
        for count, pair in zip(layers, zip(gradients, parameters, strict=True), strict=True)
    ]

    def spectra(gradient: Array, parameter: Array) -> Spectra:
        return Spectra(spectrum(gradient), spectrum(parameter))

    return together(_keys(layers, parameters), items, lambda members, pair: any_sharding(spectra)(*pair))


def _keys(layers: Sequence[int], parameters: Sequence[Any]) -> list[Any]:
    return [
        (leaf.shape[1:] if count else leaf.shape, str(leaf.dtype))
        for count, leaf in zip(layers, parameters, strict=True)
    ]


def sized(
    names: Mapping[str, Any],
    layers: Sequence[int],
    stacked: Collection[str],
    how: Plan,
    results: Sequence[Spectra],
    exponents: Mapping[int, Any],
    dtype: Any,
) -> list[Sized]:
    """The parameters on the host, layer by layer where they are `stacked`.

    Args:
        names: the parameters by name.
        layers: of `layers_of`.
        stacked: keys of parameters that are reported so.
        how: the plan of the pass.
        results: of `read_parameters`, on the host.
        exponents: that were divided at the cuts, on the host.
        dtype: the narrowest that gradients pass through.
    """
    made: list[Sized] = []
    rows = [max(1, count) for count in layers]
    found = zip(names, rows, apart(_keys(layers, [*names.values()]), rows, results), strict=True)
    for i, (name, count, spectra) in enumerate(found):
        signature = how.inputs[i]
        divided = np.broadcast_to(how.exponents(signature, exponents), count)
        own = [
            _row(name, jax.tree.map(lambda leaf, j=j: leaf[j], spectra), int(divided[j]), dtype) for j in range(count)
        ]
        if signature == MIXED:
            own = [replace(each, log10_gradient=None, exact_to=np.nan) for each in own]
        if is_stacked(name, stacked) and layers[i]:
            made += [replace(each, layer=j, name=f"{name}[{j}]") for j, each in enumerate(own)]
        else:
            made.append(_joined(name, name, own))
    return made


def _row(name: str, spectra: Spectra, divided: int, dtype: Any) -> Sized:
    norm = float(log10_norm(spectra.gradient)) + divided * LOG2
    gradient, weight = shifted(spectra.gradient, divided), shifted(spectra.weight, 0)
    return Sized(name, 0, name, gradient, weight, norm, log10_smallest(dtype) + divided * LOG2)


def _joined(parameter: str, name: str, rows: Sequence[Sized]) -> Sized:
    norms = [row.log10_gradient for row in rows]
    known = [norm for norm in norms if norm is not None]
    norm = float(log10_sum(np.asarray(known))) if len(known) == len(norms) else None
    gradient, weight = (
        jax.tree.map(lambda *each: sum(each), *spectra)
        for spectra in zip(*((row.gradient, row.weight) for row in rows), strict=True)
    )
    return Sized(parameter, 0, name, gradient, weight, norm, max(row.exact_to for row in rows))


def readings_of(rows: Sequence[Sized]) -> list[Reading]:
    """Of parameters, then of modules: all parameters below each, a stack as one."""
    modules: dict[str, list[Sized]] = {}
    for row in rows:
        for module in modules_of(row.parameter):
            modules.setdefault(module, []).append(row)
    whole = [_joined(name, name, below) for name, below in modules.items()]
    return [*(_reading("parameter", row) for row in rows), *(_reading("module", row) for row in whole)]


def _reading(kind: Kind, row: Sized) -> Reading:
    return Reading(
        kind=kind,
        name=row.name,
        size=int(row.gradient.counts.sum()),
        log10_gradient=float("nan") if row.log10_gradient is None else row.log10_gradient,
        log10_weight=float(log10_norm(row.weight)),
        zero_fraction=float(zero_fraction(row.gradient)),
        histogram=np.asarray(row.gradient.counts),
        exact_to=row.exact_to,
    )
