"""What is read of gradients, weights and updates at one step: norms in one pass, shares of a sample."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from vgbench.boundary.run_file import HISTOGRAM_EDGES
from vgbench.instruments.probe import ScaledNorm, scaled_norm, wide
from vgbench.instruments.tree import is_stacked, named

SAMPLE = 1024
"""Numbers of a layer's gradient, evenly spaced, that shares and histogram are counted over; norms are of all."""
_SMALLEST_SQUARES = 1e-24
"""Sums of squares below this may have lost some that float32 flushed to zero."""


class Layers(NamedTuple):
    """All weight arrays, a row each; of a stack, a row for each of its layers.

    Attributes:
        gradient: norm of the gradient, as the optimizer gets it.
        weight: norm of the weights, before the update.
        update: norm of the update.
        moved: norm of the weights' difference from the initial ones; None where those are not kept.
        initial: norm of the initial weights; None where those are not kept.
        cosine: of the update and the negative gradient.
        zero: share of the gradient's numbers (of `SAMPLE` among them) that are zero, or flushed to it.
        nonfinite: share of them that are not finite.
        histogram: share of them below the first edge, between the edges, and above the last.
        swallowed: share of the same places where the update is not zero and the weight stays the same all the same.
    """

    gradient: ScaledNorm
    weight: ScaledNorm
    update: ScaledNorm
    moved: ScaledNorm | None
    initial: ScaledNorm | None
    cosine: Float[Array, "*keep rows"]
    zero: Float[Array, "*keep rows"]
    nonfinite: Float[Array, "*keep rows"]
    histogram: Float[Array, "*keep rows bins"]
    swallowed: Float[Array, "*keep rows"]


class Row(NamedTuple):
    """One row of `Layers`."""

    name: str
    dtype: str


def rows_of(stacked: Collection[str], tree: Any) -> list[Row]:
    """The rows of a tree of parameters, in the order of `look`'s."""
    found = []
    for name, array in _weights(stacked, tree).items():
        layered = is_stacked(name, stacked)
        names = [f"{name}[{i}]" for i in range(array.shape[0])] if layered else [name]
        found += [Row(each, str(array.dtype)) for each in names]
    return found


def look(stacked: Collection[str], gradients: Any, params: Any, updates: Any, initial: Any = None) -> Layers:
    """Read all weight arrays of three trees of one structure; of `initial`, too, where it is given."""
    names = _weights(stacked, params)
    trees = [gradients, params, updates] if initial is None else [gradients, params, updates, initial]
    found = [_rows(stacked, names, tree) for tree in trees]
    gradient, weight, update = found[:3]
    if initial is not None:
        found.insert(3, [wide(new) - wide(old) for new, old in zip(weight, found[3], strict=True)])
    *norms, cosine = _norms(found)
    # Whatever is small is computed for all rows at once: of 16 layers, operations one by one took most of the time.
    numbers = _together([jnp.full(len(rows), min(rows.shape[1], SAMPLE)) for rows in gradient])
    seen = _together([jnp.abs(wide(_sample(rows))) for rows in gradient], SAMPLE)
    lost = [_sample(_swallowed(old, change), False) for old, change in zip(weight, update, strict=True)]
    below = jnp.sum(seen[:, None] < jnp.asarray(HISTOGRAM_EDGES, seen.dtype)[:, None], axis=-1) / numbers[:, None]
    zero, finite = (
        jnp.sum(each, axis=-1) / numbers for each in (seen < jnp.finfo(seen.dtype).tiny, jnp.isfinite(seen))
    )
    return Layers(
        *(norms if initial is not None else (*norms, None, None)),
        cosine=cosine,
        zero=zero,
        nonfinite=1 - finite,
        histogram=jnp.diff(below, prepend=0, append=finite[:, None]),
        swallowed=jnp.sum(_together(lost, SAMPLE), axis=-1) / numbers,
    )


def all_finite(tree: Any) -> Bool[Array, ""]:
    """Whether the first row and column of every matrix of a tree, and all of its vectors, are finite.

    A number that is not finite in what reaches a layer from either side spreads over a whole row or column of its
    weights' gradient, so that looking at one of each costs next to nothing and sees it.
    """
    edges = [part.ravel() for leaf in named(tree).values() for part in _edges(leaf)]
    return jnp.isfinite(jnp.concatenate([wide(part) for part in edges])).all() if edges else jnp.asarray(True)


def _edges(leaf: Array) -> list[Array]:
    return [leaf[..., 0, :], leaf[..., :, 0]] if leaf.ndim >= 2 else [leaf]


def _weights(stacked: Collection[str], tree: Any) -> dict[str, Array]:
    """The arrays of at least two axes, of each layer where they are stacked."""
    return {name: array for name, array in named(tree).items() if array.ndim >= 2 + is_stacked(name, stacked)}


def _rows(stacked: Collection[str], names: Collection[str], tree: Any) -> list[Float[Array, "_ _"]]:
    """[rows, numbers] of each array: of a stack a row a layer, of any other array one."""
    arrays = named(tree)
    return [arrays[name].reshape(len(arrays[name]) if is_stacked(name, stacked) else 1, -1) for name in names]


def _together(arrays: list[Array], *shape: int) -> Float[Array, "rows ..."]:
    """All rows in one array; of no arrays, no rows."""
    return jnp.concatenate([jnp.zeros((0, *shape), jnp.float32), *arrays])


def _norms(trees: Sequence[list[Array]]) -> list[Any]:
    """The norm of every row of each tree as `ScaledNorm`, and the cosine of the third's and the negative first's rows.

    One pass takes sums of squares and products. Only where one of them may have left float32's range, a second one
    scales the rows first.
    """
    squares = [_products(tree, tree) for tree in trees]
    product = _products(trees[0], trees[2])
    sums = jnp.stack(squares)
    safe = jnp.all((sums > _SMALLEST_SQUARES) & jnp.isfinite(sums))

    def direct() -> tuple[Array, Array, Array]:
        return jnp.sqrt(sums), jnp.zeros_like(sums), -product / jnp.sqrt(squares[0] * squares[2])

    def scaled() -> tuple[Array, Array, Array]:
        exponents = [_exponents(tree) for tree in trees]
        divided = [_times(tree, -each) for tree, each in zip(trees, exponents, strict=True)]
        mantissas = [jnp.sqrt(_products(tree, tree)) for tree in divided]
        cosine = -_products(divided[0], divided[2]) / (mantissas[0] * mantissas[2])
        return jnp.stack(mantissas), jnp.stack(exponents), cosine

    mantissas, exponents, cosine = jax.lax.cond(safe, direct, scaled)
    return [*map(ScaledNorm, mantissas, exponents), cosine]


def _products(first: list[Array], second: list[Array]) -> Float[Array, "rows"]:
    """The inner product of every row of one with that of the other."""
    return _together([jnp.sum(wide(a) * wide(b), axis=1) for a, b in zip(first, second, strict=True)])


def _exponents(arrays: list[Array]) -> Float[Array, "rows"]:
    largest = _together([jnp.max(jnp.abs(wide(rows)), axis=1, initial=0) for rows in arrays])
    return jax.vmap(scaled_norm)(largest[:, None]).exponent


def _times(arrays: list[Array], exponents: Float[Array, "rows"]) -> list[Array]:
    scale, first, found = jnp.ldexp(jnp.ones_like(exponents), exponents.astype(jnp.int32)), 0, []
    for rows in arrays:
        found.append(wide(rows) * scale[first : first + len(rows), None])
        first += len(rows)
    return found


def _swallowed(weight: Array, update: Array) -> Bool[Array, "rows numbers"]:
    return (update != 0) & ((weight + update).astype(weight.dtype) == weight)


def _sample(rows: Array, filled: Any = jnp.nan) -> Array:
    """`SAMPLE` numbers of each row, filled up where it has fewer."""
    # An odd step, so that it does not always meet the same columns.
    step = max(1, rows.shape[1] // SAMPLE - 1 | 1)
    taken = rows[:, ::step][:, :SAMPLE]
    return jnp.pad(taken, ((0, 0), (0, SAMPLE - taken.shape[1])), constant_values=filled)
