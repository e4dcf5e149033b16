"""The coordinate check of people's own models: a few steps of training at several widths and depths."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array

from vgbench.errors import InputError
from vgbench.instruments.coordinate_check import Along, CoordinateCheck, Run, Sweep, sweep_of
from vgbench.instruments.graph import run
from vgbench.instruments.model import opened
from vgbench.instruments.passes import Traced
from vgbench.instruments.probe import ScaledNorm, scaled_norm, wide
from vgbench.instruments.profiling import Loss, trace
from vgbench.instruments.tree import is_parameter

Build = Callable[..., tuple[Any, optax.GradientTransformation]]
Outputs = dict[str, list[Array]]


def coordinate_check(
    build: Build,
    loss_fn: Loss,
    batches: Sequence[Any],
    *,
    widths: Sequence[int] = (),
    depths: Sequence[int] = (),
    seeds: Sequence[int] = (0, 1, 2, 3),
    steps: int = 10,
) -> CoordinateCheck:
    """Train a model for a few steps at several widths and depths, and say how its signals grow with them.

    At every module's output (those of Flax NNX, Flax Linen and Haiku are found by themselves) and every tap, the root
    mean square of the output, of its change since initialisation and of its last update are measured on the first
    batch, before the first and after every step (the coordinate check of Yang et al. 2022, Tensor Programs V). The
    change is divided into what a module's own weights make of it, and what its inputs do (Haas et al. 2025, On the
    surprising effectiveness of large learning rates under standard width scaling). A module's own weights are those
    whose paths begin with its own, and a tap's those whose paths begin with its name.

    A parametrisation under which a learning rate transfers keeps changes independent of width (or depth).

    Args:
        build: (width=..., depth=..., seed=...) -> (model, optimizer); called without `width` or `depth` where none are
            given. The model is as for `vgbench.profile`. The optimizer of optax gets `nnx.state(model, nnx.Param)` of
            an NNX module, and of anything else the tree itself, with None for all but its floating-point arrays.
        loss_fn: (model, batch) -> the loss, a scalar; it may call `tap`.
        batches: arrays of equal shapes; step i is taken on the i-th, after the last on the first again.
        widths: what to build the model with, at the first of `depths`.
        depths: the same, at the first of `widths`. Names that differ in numbers of layers alone count as one place.
        seeds: of the initialisation.
        steps: updates to make.

    Returns:
        The exponents with intervals over the seeds, step by step.

    Raises:
        InputError: nothing is swept, batches differ in shape, or the loss is no scalar.
    """
    _check(batches, widths, depths, seeds, steps)
    fixed = {name: values[0] for name, values in (("width", widths), ("depth", depths)) if values}

    def swept(along: Along, values: Sequence[int]) -> Sweep:
        built = [[build(**fixed | {along: value, "seed": seed}) for seed in seeds] for value in values]
        return sweep_of(along, values, [_runs(each, loss_fn, batches, steps) for each in built])

    sweeps: list[tuple[Along, Sequence[int]]] = [("width", widths), ("depth", depths)]
    return CoordinateCheck(tuple(swept(along, values) for along, values in sweeps if len(values) > 1), steps)


def _check(
    batches: Sequence[Any], widths: Sequence[int], depths: Sequence[int], seeds: Sequence[int], steps: int
) -> None:
    if max(len(widths), len(depths)) < 2:
        raise InputError("coordinate_check: a power law takes at least two widths or two depths")
    for name, values in (("widths", widths), ("depths", depths)):
        if len({*values}) < len(values) or min(values, default=1) < 1:
            raise InputError(f"coordinate_check: {name} are different numbers from 1 on, not {[*values]}")
    if not len(batches) or not len(seeds) or steps < 1:
        raise InputError("coordinate_check: at least one batch, one seed and one step are needed")
    shapes = [jax.tree.map(jnp.shape, batch) for batch in batches]
    if any(each != shapes[0] for each in shapes):
        raise InputError("coordinate_check: all batches must have the same shapes, as they run in one program")


def _runs(
    built: Sequence[tuple[Any, optax.GradientTransformation]], loss_fn: Loss, batches: Sequence[Any], steps: int
) -> list[Run]:
    """Train the models of all seeds, which differ in nothing but the numbers in their arrays."""
    (model, optimizer), first = built[0], opened(built[0][0])
    found, trained = trace(first, loss_fn, batches[0]), _trained(model)
    program = jax.jit(partial(_program, found, [*first.parameters], jax.tree.structure(trained), optimizer, steps))
    stacked = jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *batches)
    places = dict.fromkeys(site.mark.name for site in found.sites)  # jax sorts the keys of dicts
    runs = []
    for each, _ in built:
        own = opened(each)
        norms = jax.device_get(program([*own.parameters.values()], own.others, stacked))
        runs.append({name: _rms(found, name, norms[name]) for name in places})
    return runs


def _trained(model: Any) -> Any:
    """The tree that an optimizer gets; its leaves are those of `Opened.parameters`."""
    tree = nnx.state(model, nnx.Param) if isinstance(model, nnx.Module) else model
    return jax.tree.map(lambda leaf: leaf if is_parameter(leaf) else None, tree)


def _rms(found: Traced, name: str, norms: ScaledNorm) -> np.ndarray:
    """Root mean squares from the norms of one place."""
    sites = [site for site in found.sites if site.mark.name == name]
    numbers = sum(int(np.prod((*site.lengths, *shape))) for site in sites for shape in site.shapes)
    return np.ldexp(norms.mantissa.astype(np.float64), norms.exponent.astype(np.int64)) / np.sqrt(numbers)


def _program(
    found: Traced,
    names: Sequence[str],
    structure: Any,
    optimizer: optax.GradientTransformation,
    steps: int,
    initial: list[Array],
    others: list[Array],
    batches: Any,
) -> dict[str, ScaledNorm]:
    """Take the steps; norms of what `QUANTITIES` names, [steps + 1, quantities], at every place."""
    measured = partial(_measured, found, names, [*others, *jax.tree.leaves(jax.tree.map(lambda x: x[0], batches))])
    count = len(jax.tree.leaves(batches)[0])

    def loss(parameters: list[Array], batch: Any) -> Array:
        return run(found.closed, [*parameters, *others, *jax.tree.leaves(batch)], _kept)[0][0]

    def step(state: Any, i: Array) -> Any:
        before, now, memory = state
        gradients = jax.grad(loss)(now, jax.tree.map(lambda x: x[i % count], batches))
        updates, memory = optimizer.update(tree(gradients), memory, tree(now))
        after = [optax.apply_updates(*each) for each in zip(now, jax.tree.leaves(updates), strict=True)]
        return (now, after, memory), measured(initial, before, now)

    tree = partial(jax.tree.unflatten, structure)
    # One update more than is measured, so that the measurement is compiled once.
    return jax.lax.scan(step, (initial, initial, optimizer.init(tree(initial))), jnp.arange(steps + 1))[1]


def _kept(tap: int, eqn: Any, operands: Any, given: Any, read: Any) -> Any:
    arrays = operands[:-1] if eqn.params["mark"].layered else operands
    return arrays, arrays


def _measured(
    found: Traced,
    names: Sequence[str],
    data: Sequence[Array],
    initial: list[Array],
    before: list[Array],
    now: list[Array],
) -> dict[str, ScaledNorm]:
    """Norms of the quantities at every place, with the weights as they are now."""

    def outputs(parameters: list[Array]) -> Outputs:
        places: Outputs = {}
        for site, arrays in zip(found.sites, run(found.closed, [*parameters, *data], _kept)[1], strict=True):
            places.setdefault(site.mark.name, []).extend(map(wide, arrays))
        return places

    first, last, output = outputs(initial), outputs(before), outputs(now)
    own = jnp.asarray([[_owns(place, name) for name in names] for place in output])

    def divided(given: tuple[Array, Array]) -> tuple[ScaledNorm, ScaledNorm]:
        """Of the place of this number: what its own weights, and what its inputs changed."""
        number, at_first = given
        mixed = outputs([jnp.where(at_first[i], *pair) for i, pair in enumerate(zip(initial, now, strict=True))])
        parts = [(_apart(output[place], mixed[place]), _apart(mixed[place], first[place])) for place in output]
        return jax.tree.map(lambda *each: jnp.stack(each)[number], *parts)

    parts = jax.lax.map(divided, (jnp.arange(len(own)), own))
    return {
        place: jax.tree.map(
            lambda *each: jnp.stack(each),
            scaled_norm(output[place]),
            _apart(output[place], first[place]),
            _apart(output[place], last[place]),
            *jax.tree.map(lambda each, i=i: each[i], parts),
        )
        for i, place in enumerate(output)
    }


def _apart(one: list[Array], other: list[Array]) -> ScaledNorm:
    return scaled_norm([a - b for a, b in zip(one, other, strict=True)])


def _owns(place: str, parameter: str) -> bool:
    """Whether a parameter is below a module, by their paths; Linen's begin with the name of a collection."""
    path = parameter.removeprefix("params.")
    return path.startswith((f"{place}.", f"{place}/"))
