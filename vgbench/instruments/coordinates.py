"""The coordinate check of people's own models: a few steps of training at several widths and depths."""

from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array

from vgbench.errors import InputError
from vgbench.instruments.coordinate_check import Along, CoordinateCheck, Run, Sweep, sweep_of
from vgbench.instruments.coordinate_steps import loss_of, measured_steps, root_mean_squares
from vgbench.instruments.model import opened
from vgbench.instruments.passes import Traced
from vgbench.instruments.probe import ScaledNorm
from vgbench.instruments.tracing import Loss, trace
from vgbench.instruments.tree import is_parameter

Build = Callable[..., tuple[Any, optax.GradientTransformation]]


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
    runs = []
    for each, _ in built:
        own = opened(each)
        norms = jax.device_get(program([*own.parameters.values()], own.others, stacked))
        runs.append(root_mean_squares(found, norms))
    return runs


def _trained(model: Any) -> Any:
    """The tree that an optimizer gets; its leaves are those of `Opened.parameters`."""
    tree = nnx.state(model, nnx.Param) if isinstance(model, nnx.Module) else model
    return jax.tree.map(lambda leaf: leaf if is_parameter(leaf) else None, tree)


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
    tree = partial(jax.tree.unflatten, structure)
    count = len(jax.tree.leaves(batches)[0])

    def data(i: Array | int) -> list[Array]:
        return [*others, *jax.tree.leaves(jax.tree.map(lambda x: x[i], batches))]

    def advance(state: Any, i: Array) -> Any:
        now, memory = state
        gradients = jax.grad(partial(loss_of, found))(now, data(i % count))
        updates, memory = optimizer.update(tree(gradients), memory, tree(now))
        return [optax.apply_updates(*each) for each in zip(now, jax.tree.leaves(updates), strict=True)], memory

    start = initial, optimizer.init(tree(initial))
    return measured_steps(found, names, data(0), start, advance, itemgetter(0), steps)
