"""What is read of gradients, weights and updates at one step: norms in one pass, shares of a sample."""

from collections.abc import Collection
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from vgbench.boundary.run_file import HISTOGRAM_EDGES
from vgbench.instruments.explicit import any_sharding
from vgbench.instruments.probe import ScaledNorm, scaled_norm, wide
from vgbench.instruments.tree import biases_of, is_stacked, named

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
        moved: norm of the weights' difference from the initial ones at `SAMPLE` places, so that a state need not keep
            a copy of all weights; None where the initial ones are not kept.
        initial: norm of the initial weights at these places; None where they are not kept.
        cosine: of the update and the negative gradient.
        zero: share of the gradient's numbers (of `SAMPLE` among them) that are zero, or flushed to it.
        nonfinite: share of them that are not finite.
        histogram: share of them below the first edge, between the edges, and above the last.
        swallowed: share of the same places where the update is not zero and the weight stays the same all the same.
        bias: norm of the gradient of the bias that belongs to the weights; zero where they have none.
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
    bias: ScaledNorm


class Row(NamedTuple):
    """One row of `Layers`.

    Attributes:
        name: of the weights.
        dtype: of the weights.
        fan_in: numbers of the weights for each number of their bias; None where they have none.
    """

    name: str
    dtype: str
    fan_in: int | None


def rows_of(stacked: Collection[str], tree: Any) -> list[Row]:
    """The rows of a tree of parameters, in the order of `look`'s."""
    found, weights = [], _weights(stacked, tree)
    arrays = named(tree)
    biases = biases_of(weights, arrays)
    for name, array in weights.items():
        layered = is_stacked(name, stacked)
        names = [f"{name}[{i}]" for i in range(array.shape[0])] if layered else [name]
        fan_in = array.size // arrays[biases[name]].size if name in biases else None
        found += [Row(each, str(array.dtype), fan_in) for each in names]
    return found


def initial_of(stacked: Collection[str], params: Any) -> Float[Array, "rows sample"]:
    """The sample of the weights, kept to see later how far they have moved; NaN where a row has fewer numbers."""
    return any_sharding(_samples)(_rows(stacked, _weights(stacked, params), params))


def look(
    stacked: Collection[str],
    gradients: Any,
    params: Any,
    updates: Any,
    initial: Float[Array, "rows sample"] | None = None,
) -> Layers:
    """Read all weight arrays of three trees of one structure, and how far the weights are from the initial ones."""
    names = _weights(stacked, params)
    rows = (_rows(stacked, names, tree) for tree in (gradients, params, updates))
    return any_sharding(_look)(*rows, _biases(stacked, names, gradients), initial)


def _look(
    gradient: list[Array],
    weight: list[Array],
    update: list[Array],
    bias: list[Array],
    initial: Float[Array, "rows sample"] | None,
) -> Layers:
    *norms, cosine = _norms(gradient, weight, update)
    # Whatever is small is computed for all rows at once: of 16 layers, operations one by one took most of the time.
    numbers = jnp.asarray([min(each[0].size, SAMPLE) for each in gradient for _ in range(len(each))], jnp.float32)
    seen = jnp.abs(_samples(gradient))
    below = jnp.sum(seen[:, None] < jnp.asarray(HISTOGRAM_EDGES, seen.dtype)[:, None], axis=-1) / numbers[:, None]
    zero, finite = (
        jnp.sum(each, axis=-1) / numbers for each in (seen < jnp.finfo(seen.dtype).tiny, jnp.isfinite(seen))
    )
    lost = _together(
        [_swallowed(*pair) for pair in zip(map(_sample, weight), map(_sample, update), strict=True)], SAMPLE
    )
    moved, first = (None, None) if initial is None else _moved(_samples(weight), initial)
    return Layers(
        gradient=norms[0],
        weight=norms[1],
        update=norms[2],
        moved=moved,
        initial=first,
        cosine=cosine,
        zero=zero,
        nonfinite=1 - finite,
        histogram=jnp.diff(below, prepend=0, append=finite[:, None]),
        swallowed=jnp.sum(lost, axis=-1) / numbers,
        bias=_bias_norms(bias),
    )


def gradient_norms(stacked: Collection[str], gradients: Any) -> ScaledNorm:
    """The norm of every row of a gradient alone, in one pass, for steps that read it every time."""

    def normed(rows: list[Array]) -> ScaledNorm:
        # Behind the barrier, since XLA would move the sums into the branches, where they are computed number by number.
        sums = jax.lax.optimization_barrier(_products(rows, rows))

        def scaled() -> ScaledNorm:
            exponents = _exponents(rows)
            return ScaledNorm(jnp.sqrt(_products(rows, rows, exponents, exponents)), exponents)

        return jax.lax.cond(_safe(sums), lambda: ScaledNorm(jnp.sqrt(sums), jnp.zeros_like(sums)), scaled)

    return any_sharding(normed)(_rows(stacked, _weights(stacked, gradients), gradients))


def some_finite(tree: Any) -> Bool[Array, ""]:
    """Whether the first number of every array of a tree is finite.

    A number that is not finite in the gradient at one layer's output makes all of it so in the layers before, so that
    looking at one number of each array sees it, at no cost that can be measured.
    """

    def finite(leaves: list[Array]) -> Bool[Array, ""]:
        return jnp.isfinite(sum((wide(leaf).ravel()[0] * 0 for leaf in leaves), jnp.zeros(())))

    return any_sharding(finite)([leaf for leaf in named(tree).values() if leaf.size])


def _weights(stacked: Collection[str], tree: Any) -> dict[str, Array]:
    """The arrays of at least two axes, of each layer where they are stacked; where there are none, those of one."""
    axes = {name: array.ndim - is_stacked(name, stacked) for name, array in named(tree).items()}
    least = 2 if any(each >= 2 for each in axes.values()) else 1
    return {name: array for name, array in named(tree).items() if axes[name] >= least}


def _biases(stacked: Collection[str], weights: Collection[str], gradients: Any) -> list[Float[Array, "_ ..."]]:
    """[rows, ...] of the gradient of each weight array's bias; of one without a bias, one zero a row."""
    arrays = named(gradients)
    biases = biases_of(weights, arrays)
    found = []
    for name in weights:
        layered = is_stacked(name, stacked)
        bias = arrays[biases[name]] if name in biases else jnp.zeros((arrays[name].shape[0], 1) if layered else 1)
        found.append(bias if layered else bias[None])
    return found


def _bias_norms(rows: list[Float[Array, "_ ..."]]) -> ScaledNorm:
    """The norm of every row, of all rows at once."""
    flat = [wide(each).reshape(len(each), -1) for each in rows]
    width = max((each.shape[1] for each in flat), default=1)
    padded = [jnp.pad(each, ((0, 0), (0, width - each.shape[1]))) for each in flat]
    return jax.vmap(scaled_norm)(_together(padded, width))


def _rows(stacked: Collection[str], names: Collection[str], tree: Any) -> list[Float[Array, "_ ..."]]:
    """[rows, ...] of each array: of a stack a row a layer, of any other array one."""
    arrays = named(tree)
    # The shape is kept, since XLA reduces an array of two axes several times faster than the same numbers in one.
    return [arrays[name] if is_stacked(name, stacked) else arrays[name][None] for name in names]


def _together(arrays: list[Array], *shape: int) -> Float[Array, "rows ..."]:
    """All rows in one array; of no arrays, no rows."""
    return jnp.concatenate([jnp.zeros((0, *shape), jnp.float32), *arrays])


def _norms(*trees: list[Array]) -> list[Any]:
    """The norm of every row of each tree as `ScaledNorm`, and the cosine of the third's and the negative first's rows.

    One pass takes sums of squares and products. Only where one of them may have left float32's range, a second one
    scales the rows first.
    """
    sums = jnp.stack([_products(tree, tree) for tree in trees])
    # Behind the barrier, since XLA would move the product into the branches, where it is computed number by number.
    sums, product = jax.lax.optimization_barrier((sums, _products(trees[0], trees[2])))
    safe = _safe(sums)

    def direct() -> tuple[Array, Array, Array]:
        return jnp.sqrt(sums), jnp.zeros_like(sums), jnp.zeros_like(sums[0])

    def scaled() -> tuple[Array, Array, Array]:
        exponents = [_exponents(tree) for tree in trees]
        mantissas = [jnp.sqrt(_products(tree, tree, each, each)) for tree, each in zip(trees, exponents, strict=True)]
        product = _products(trees[0], trees[2], exponents[0], exponents[2])
        return jnp.stack(mantissas), jnp.stack(exponents), product

    mantissas, exponents, again = jax.lax.cond(safe, direct, scaled)
    cosine = -jnp.where(safe, product, again) / (mantissas[0] * mantissas[2])
    return [*map(ScaledNorm, mantissas, exponents), cosine]


def _safe(sums: Float[Array, "..."]) -> Bool[Array, ""]:
    """Whether no sum of squares may have left float32's range."""
    return jnp.all((sums > _SMALLEST_SQUARES) & jnp.isfinite(sums))


def _products(first: list[Array], second: list[Array], *exponents: Float[Array, "rows"]) -> Float[Array, "rows"]:
    """The inner product of every row of one with that of the other, divided by two to the power of their exponents."""
    found, row = [], 0
    for a, b in zip(first, second, strict=True):
        rows = slice(row, row + len(a))
        scaled = (_times(each, exponent[rows]) for each, exponent in zip((a, b), exponents, strict=False))
        # Each is a reduction of its own, into which the scaling is fused: no scaled copy is ever held.
        one, other = scaled if exponents else (wide(a), wide(b))
        found.append(jnp.sum(one * other, axis=tuple(range(1, a.ndim))))
        row += len(a)
    return _together(found)


def _times(rows: Array, exponents: Float[Array, "rows"]) -> Array:
    """Divided by two to the power of an exponent for each row."""
    scale = jnp.ldexp(jnp.ones_like(exponents), -exponents.astype(jnp.int32))  # exact, as exp2 is not
    return wide(rows) * scale.reshape(-1, *[1] * (rows.ndim - 1))


def _exponents(arrays: list[Array]) -> Float[Array, "rows"]:
    largest = _together([jnp.max(jnp.abs(wide(rows)), axis=tuple(range(1, rows.ndim)), initial=0) for rows in arrays])
    return jax.vmap(scaled_norm)(largest[:, None]).exponent


def _samples(arrays: list[Array]) -> Float[Array, "rows sample"]:
    return _together([wide(_sample(rows)) for rows in arrays], SAMPLE)


def _moved(now: Float[Array, "rows sample"], initial: Float[Array, "rows sample"]) -> list[ScaledNorm]:
    """The norms of the difference and of the initial weights, without the places that fill a row up."""
    return [jax.vmap(scaled_norm)(jnp.where(jnp.isnan(initial), 0, each)) for each in (now - initial, initial)]


def _swallowed(weight: Array, update: Array) -> Bool[Array, "rows numbers"]:
    return (update != 0) & ((weight + update).astype(weight.dtype) == weight)  # False where the sample is filled up


def _sample(rows: Array) -> Array:
    """`SAMPLE` numbers of each row, filled up where it has fewer."""
    # An odd step, so that it does not always meet the same columns.
    step = max(1, rows[0].size // SAMPLE - 1 | 1)
    taken = rows.reshape(len(rows), -1)[:, ::step][:, :SAMPLE]
    return jnp.pad(taken, ((0, 0), (0, SAMPLE - taken.shape[1])), constant_values=jnp.nan)
