"""Profiling people's own models: the loss is traced and compiled once for a model and a shape of the batch."""

import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from vgbench.boundary.run_file import Header, Moments
from vgbench.errors import InputError
from vgbench.instruments.cuts import Plan
from vgbench.instruments.model import Opened, opened
from vgbench.instruments.model_profile import ModelProfile, Reading
from vgbench.instruments.parameters import Sized, layers_of, read_parameters, readings_of, sized
from vgbench.instruments.passes import Traced, signals
from vgbench.instruments.readout import Row, all_rows, log10_smallest, narrowed, read_taps
from vgbench.instruments.spectrum import zero_fraction
from vgbench.instruments.tracing import Loss, trace
from vgbench.instruments.tree import name_of

_NEAR_THE_END = 12
"""Decades above the smallest number of its dtype within which a plain gradient is taken again in float64."""
_KEPT = 8
"""Compiled profiles that are kept."""
_COMPILED: OrderedDict[Hashable, "Compiled"] = OrderedDict()


@dataclass(frozen=True)
class Compiled:
    """A profile that can be run.

    Attributes:
        found: the traced loss.
        layers: of each parameter, as `layers_of` has them.
        dtype: the narrowest of parameters and of what is read.
        program: from parameters, other arrays and batch to the loss and what each of `plans` reads, on the device.
        plans: the renormalised one and, where it mixes gradients, the plain one.
    """

    found: Traced
    layers: list[int]
    dtype: Any
    program: Callable[..., Any]
    plans: tuple[Plan, ...]


@dataclass(frozen=True)
class Measured:
    """What was read of a model, gradients that the renormalised pass mixes as the plain one has them.

    Attributes:
        loss: of the batch.
        rows: of outputs and taps.
        parameters: of parameters.
        mixed: names of those of the plain pass.
    """

    loss: float
    rows: list[Row]
    parameters: list[Sized]
    mixed: frozenset[str]


def profile(
    model: Any, loss_fn: Loss, batch: Any, *, stacked: Collection[str] = (), modules: str = "", parameters: str = ""
) -> ModelProfile:
    """Take the gradient of a model's loss on a batch and say how large it is, everywhere, and what the signal is.

    Outputs of the modules of Flax NNX, Flax Linen and Haiku are found by themselves; `tap` marks other places. Norms
    are exact far below the range of the dtype wherever the places that are read cut the graph of the loss (see
    `ModelProfile`). It is compiled once for a loss function, a model and a shape of the batch; what the loss function
    reads apart from its arguments must not change, as for `jax.jit`.

    Args:
        model: a Flax NNX module, which is left as it is, or any tree of parameters (Linen's or Haiku's variables, an
            Equinox module); its floating-point arrays are differentiated.
        loss_fn: (model, batch) -> the loss, a scalar; it may call `tap`.
        batch: whatever `loss_fn` reads.
        stacked: keys of parameters (names in their paths) whose leading axis counts layers, as scanned ones have it;
            they are reported layer by layer.
        modules: a regular expression; outputs and taps are reported whose name it is found in.
        parameters: the same for parameters, and for modules by what is below them.

    Returns:
        Norms, zero fractions and histograms of the gradient, and at outputs and taps what the signal shows.

    Raises:
        InputError: the loss is no scalar, the model has no floating-point arrays, or an expression is none.
    """
    chosen, wanted = _pattern("modules", modules), _pattern("parameters", parameters)
    own = opened(model)
    compiled = _compiled(own, loss_fn, batch, stacked)
    found = _measured(compiled, own, batch, stacked)
    if not jax.config.read("jax_enable_x64") and any(
        map(partial(_ends, found.mixed), [*found.rows, *found.parameters])
    ):
        found = _in_float64(found, own, loss_fn, batch, stacked)
    readings = [
        *readings_of([each for each in found.parameters if wanted.search(each.name)]),
        *(_reading(row) for row in found.rows if chosen.search(row.name)),
    ]
    sites, cuts = compiled.found.sites, compiled.found.exact.cuts
    uncut = dict.fromkeys(site.mark.name for i, site in enumerate(sites) if i not in cuts)
    header = Header(framework=own.framework, dtype=str(np.dtype(compiled.dtype)), batch=moments_of(batch))
    return ModelProfile(found.loss, tuple(readings), tuple(uncut), tuple(sorted(found.mixed)), header)


def _pattern(name: str, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise InputError(f"profile: {name}: {text!r} is no regular expression: {error}") from None


def _compiled(model: Opened, loss_fn: Loss, batch: Any, stacked: Collection[str]) -> Compiled:
    arrays = [*model.parameters.values(), *model.others, *jax.tree.leaves(batch)]
    shapes = tuple((np.shape(leaf), str(jnp.result_type(leaf))) for leaf in arrays)
    key = loss_fn, model.key, jax.tree.structure(batch), shapes, tuple(stacked)
    try:
        known = _COMPILED.get(key)
    except TypeError:  # something in it cannot be hashed, and is compiled each time
        return _compile(model, loss_fn, batch, stacked)
    _COMPILED[key] = known or _compile(model, loss_fn, batch, stacked)
    _COMPILED.move_to_end(key)
    while len(_COMPILED) > _KEPT:
        _COMPILED.popitem(last=False)
    return _COMPILED[key]


def _compile(model: Opened, loss_fn: Loss, batch: Any, stacked: Collection[str]) -> Compiled:
    found = trace(model, loss_fn, batch)
    shapes = [leaf.shape for leaf in model.parameters.values()]
    layers = layers_of(found, [*model.parameters], shapes, stacked)
    plans = found.plans(parameters=True)

    @jax.jit
    def program(parameters: list[Array], others: list[Array], batch: Any) -> Any:
        data = [*others, *jax.tree.leaves(batch)]
        passes = [signals(found, how, parameters, data) for how in plans]
        read = [
            (read_taps(found, each, spectra=True), read_parameters(layers, parameters, each.parameters), each.exponents)
            for each in passes
        ]
        return passes[0].loss, [layer for _, layer, _ in passes[0].values], read

    dtypes = [leaf.dtype for leaf in model.parameters.values()] + [
        dtype for site in found.sites for dtype in site.dtypes
    ]
    return Compiled(found, layers, max(dtypes, key=log10_smallest), program, plans)


def _measured(compiled: Compiled, model: Opened, batch: Any, stacked: Collection[str]) -> Measured:
    loss, layers, read = jax.device_get(compiled.program([*model.parameters.values()], model.others, batch))
    taps = [(results, exponents) for results, _, exponents in read]
    rows, mixed = all_rows(compiled.found, compiled.plans, taps, layers)
    first, *more = (
        sized(model.parameters, compiled.layers, stacked, how, spectra, exponents, compiled.dtype)
        for how, (_, spectra, exponents) in zip(compiled.plans, read, strict=True)
    )
    mixed |= {row.name for row in first if row.log10_gradient is None}
    plain = {row.name: row for each in more for row in each}
    parameters = [plain.get(row.name, row) if row.name in mixed else row for row in first]
    places = {name: i for i, name in enumerate(model.parameters)}
    parameters.sort(key=lambda row: compiled.found.depth(places[row.parameter], row.layer))
    return Measured(float(loss), rows, parameters, frozenset(mixed))


def _ends(mixed: frozenset[str], row: Row | Sized) -> bool:
    """Whether a gradient of the plain pass is near the smallest number of its dtype, or below."""
    norm, floor = (
        (row.module.signal, row.module.exact_to) if isinstance(row, Row) else (row.log10_gradient, row.exact_to)
    )
    return row.name in mixed and norm is not None and floor is not None and norm < floor + _NEAR_THE_END


def _in_float64(found: Measured, model: Opened, loss_fn: Loss, batch: Any, stacked: Collection[str]) -> Measured:
    """The same with what the plain pass has near the end of its dtype taken from one in float64."""
    with jax.enable_x64(True):
        wide = Opened(
            {name: _wide(leaf) for name, leaf in model.parameters.items()},
            [_wide(leaf) for leaf in model.others],
            ("float64", model.key),
            model.build,
            model.framework,
        )
        batch = jax.tree.map(_wide, batch)
        other = _measured(_compiled(wide, loss_fn, batch, stacked), wide, batch, stacked)
    taps = {row.name: replace(row, spectrum=row.spectrum and narrowed(row.spectrum)) for row in other.rows}
    parameters = {
        row.name: replace(row, gradient=narrowed(row.gradient), weight=narrowed(row.weight)) for row in other.parameters
    }
    return Measured(
        found.loss,
        [taps[row.name] if _ends(found.mixed, row) else row for row in found.rows],
        [parameters[row.name] if _ends(found.mixed, row) else row for row in found.parameters],
        found.mixed,
    )


def _wide(leaf: Any) -> Any:
    if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
        return leaf
    return jnp.asarray(np.asarray(leaf, np.float64))


def _reading(row: Row) -> Reading:
    assert row.spectrum is not None
    module = row.module
    return Reading(
        kind=row.kind,
        name=row.name,
        size=row.size,
        log10_gradient=float("nan") if module.signal is None else module.signal,
        log10_weight=float("nan"),
        zero_fraction=float(zero_fraction(row.spectrum)),
        histogram=np.asarray(row.spectrum.counts),
        exact_to=float("nan") if module.exact_to is None else module.exact_to,
        forward=module,
    )


def moments_of(batch: Any) -> dict[str, Moments]:
    """How large the numbers of each array of a batch are, by its place."""
    found = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(batch):
        array = np.asarray(leaf)
        if array.size and (array.dtype.kind in "biuf" or jnp.issubdtype(array.dtype, jnp.floating)):
            x = array.astype(np.float64)
            found[name_of(path)] = Moments(
                dtype=str(array.dtype),
                mean=float(x.mean()),
                deviation=float(x.std()),
                largest=float(np.abs(x).max()),
            )
    return found
