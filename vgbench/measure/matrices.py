"""The weight matrices of all layers: sums of squares and counts on the device, norms by layer and by kind on the host.

The time to compile goes with the number of operations, and concatenations are the dearest of them: each matrix is
reduced by itself, in one pass, and all that is small is put together in numpy.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from vgbench.instruments.probe import wide
from vgbench.measure.numerics import platform
from vgbench.measure.profile import Norms
from vgbench.models import Network
from vgbench.models.kinds import kinds_of
from vgbench.models.network import Tree

GRADIENT_BINS = 256
"""Bins of the gradient histogram: the values of float32's exponent byte.

Bin b counts the entries with |g| in [2**(b - 127), 2**(b - 126)); bin 0 those below 2**-126, which float32 flushes to
zero, and the last those that are not finite in float32.
"""

CACHED = 2**23
"""Bytes of a stack of matrices up to which a CPU reads all layers at once. What it computes of the entries of a larger
one leaves the caches, which takes longer than to go layer by layer."""


@jax.tree_util.register_static
@dataclass(frozen=True)
class Layout:
    """Where weight matrices are, which jax takes for a part of the structure.

    Attributes:
        layers: with weights of their own, how many there are.
        depth: places of the network.
        kinds: names of the kinds of weights of a block.
        matrices: of each matrix, its first layer, that after its last, and the kinds that it belongs to.
    """

    layers: int
    depth: int
    kinds: tuple[str, ...]
    matrices: tuple[tuple[int, int, frozenset[str]], ...]


class Squares(NamedTuple):
    """Sums of the squares of weight matrices in some trees.

    Attributes:
        layout: of the matrices.
        sums: by tree and matrix, of the entries times each of some powers of two, Float[..., powers, layers].
    """

    layout: Layout
    sums: list[list[Array]]


class _Matrix(NamedTuple):
    """A weight matrix of one layer, or the same one of all blocks, which are stacked.

    Attributes:
        layers: where it is, a row each.
        kinds: names of the kinds of weights that it belongs to.
        rows: its entries, Float[rows, ...].
    """

    layers: range
    kinds: frozenset[str]
    rows: Array


def squares(network: Network, *trees: Tree) -> Squares:
    """Sum the squares in trees like the network's parameters by use, in one pass over each matrix."""

    def summed(rows: Array) -> Array:
        rows = wide(rows)
        scaled = rows * np.ldexp(1.0, _powers(rows.dtype)).astype(rows.dtype).reshape(-1, *[1] * rows.ndim)
        return jnp.sum(jnp.square(scaled), axis=tuple(range(2, scaled.ndim))).T

    found = [_matrices(network, tree) for tree in trees]
    places = tuple((each.layers.start, each.layers.stop, each.kinds) for each in found[0])
    sums = [[_by_layer(summed, matrix.rows).T for matrix in matrices] for matrices in found]
    return Squares(Layout(network.layers, network.depth, network.kinds, places), sums)


def norms(found: Squares) -> list[tuple[Norms, Norms]]:
    """Of each tree, the norm of each layer's matrices, [..., layers], and of each kind of them, [..., depth, kinds].

    The output layer is the last of the layers; where a layer has no weights of a kind, their norm is 0.
    """
    of = found.layout
    layers, depth, kinds, matrices = of.layers, of.depth, of.kinds, of.matrices

    def of_tree(sums: Sequence[Array | np.ndarray]) -> tuple[Norms, Norms]:
        leading = sums[0].shape[:-2]
        whole = Norms(*np.zeros((2, *leading, layers)))
        parts = Norms(*np.zeros((2, *leading, max(layers, depth + 1), len(kinds))))
        for (first, end, names), each in zip(matrices, sums, strict=True):
            norm = _norm(np.asarray(each))
            _add(whole, np.s_[..., first:end], norm)
            for kind in names:
                _add(parts, np.s_[..., first:end, kinds.index(kind)], norm)
        return whole, Norms(*(each[..., :depth, :] for each in parts))

    return [of_tree(sums) for sums in found.sums]


def _powers(dtype: Any) -> np.ndarray:
    """Exponents of the powers of two of which one loses nothing, neither to underflow nor to overflow.

    The last one is for norms so small that its sum stays finite, the first for those that overflow without a power.
    """
    most = int(jnp.finfo(dtype).maxexp)
    return np.asarray([-(most // 2 + 12), 0, 3 * most // 4])


def _norm(sums: np.ndarray) -> Norms:
    """The norm of every row of sums [..., powers, rows]: of the largest power whose sum is finite."""
    finite = np.isfinite(sums)
    chosen = np.where(finite.any(axis=-2), 2 - np.argmax(finite[..., ::-1, :], axis=-2), 0)
    taken = np.take_along_axis(sums, chosen[..., None, :], axis=-2)[..., 0, :]
    return Norms(np.sqrt(taken.astype(np.float64)), -_powers(sums.dtype)[chosen].astype(np.float64))


def _add(whole: Norms, at: Any, part: Norms) -> None:
    """Put the norm of further matrices into those of layers, at some places of their arrays."""
    before = Norms(whole.mantissa[at], whole.exponent[at])
    exponents = [np.where(norm.mantissa == 0, -np.inf, norm.exponent) for norm in (before, part)]
    largest = np.maximum(*exponents)
    largest[np.isinf(largest)] = 0  # where both are zero
    scaled = (norm.mantissa * np.exp2(norm.exponent - largest) for norm in (before, part))
    whole.mantissa[at], whole.exponent[at] = np.hypot(*scaled), largest


def counts(network: Network, tree: Tree, scale: Array, bound: float) -> Int[Array, "layers 3 bins"]:
    """How many entries there are of each size, of a tree like the parameters by use.

    Returns:
        By the power of two below their magnitude as `GRADIENT_BINS` says, apart for those that are exactly 0 (2), that
        are otherwise below `bound` when multiplied by `scale` (1), and all others (0).
    """
    size = 3 * GRADIENT_BINS

    def bins_of(entries: Array) -> Array:
        magnitude = jnp.abs(entries)
        exponent = jax.lax.bitcast_convert_type(magnitude.astype(jnp.float32), jnp.int32) >> 23
        part = jnp.where(magnitude == 0, 2, jnp.where(magnitude * scale < bound, 1, 0))
        return part * GRADIENT_BINS + exponent

    def counted(bins: Array, layers: int) -> Array:
        return jnp.zeros(layers * size, jnp.int32).at[bins.ravel()].add(1).reshape(layers, size)

    matrices = _matrices(network, tree)
    at_once = [each for each in matrices if not _large(each.rows)]
    layers = [np.asarray(each.layers, np.int32).reshape(-1, *[1] * (each.rows.ndim - 1)) for each in at_once]
    bins = [(size * layer + bins_of(each.rows)).ravel() for layer, each in zip(layers, at_once, strict=True)]
    found = counted(jnp.concatenate(bins), network.layers)
    for each in matrices:
        if _large(each.rows):
            by_layer = _by_layer(lambda rows: counted(bins_of(rows), 1), each.rows)
            found = found.at[each.layers.start : each.layers.stop].add(by_layer)
    return found.reshape(network.layers, 3, GRADIENT_BINS)


def _by_layer(function: Callable[[Array], Array], rows: Array) -> Array:
    """A function of the rows of a matrix, layer by layer where they are a large stack."""
    return jax.lax.map(lambda row: function(row[None])[0], rows) if _large(rows) else function(rows)


def _large(rows: Array) -> bool:
    return len(rows) > 1 and rows.nbytes > CACHED and platform() == "cpu"


def _matrices(network: Network, tree: Tree) -> list[_Matrix]:
    depth = network.layers - 1
    found = [*_of_layer(network, tree["input_layer"], 0), *_of_layer(network, tree["output_layer"], depth)]
    if not network.stacked:
        return found + [each for i, block in enumerate(tree["blocks"], 1) for each in _of_layer(network, block, i)]
    return found + [
        _Matrix(range(1, depth), kinds, leaf)
        for kinds, leaf in kinds_of(network.kinds, tree["blocks"])
        if leaf.ndim > 2
    ]


def _of_layer(network: Network, params: Tree, layer: int) -> list[_Matrix]:
    layers = range(layer, layer + 1)
    return [_Matrix(layers, kinds, leaf[None]) for kinds, leaf in kinds_of(network.kinds, params) if leaf.ndim > 1]
