"""Measures of layers, from the input layer over the blocks to the output layer, as arrays over all layers."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

T = TypeVar("T")


def by_layer(groups: Sequence[T]) -> T:
    """Trees of arrays [some layers, ...], those of successive groups of layers, as a tree of arrays [layers, ...]."""
    return jax.tree.map(lambda *each: jnp.concatenate(each), *groups)


def alone(tree: T) -> T:
    """A tree of arrays of one layer as that of a group."""
    return jax.tree.map(lambda leaf: leaf[None], tree)


def described_by_layer(describe: Callable[[Any, int], T], groups: Sequence[Any], layers: Sequence[int]) -> T:
    """Describe groups of layers, successive ones together where their arrays are of one shape.

    Args:
        describe: a tree of arrays [some layers, ...] and how many layers they are to another; compiled for each call.
        groups: such trees.
        layers: of each group.

    Returns:
        The descriptions as arrays [layers, ...].
    """
    together = [[*each] for _, each in groupby(zip(groups, layers, strict=True), key=lambda pair: _shapes(pair[0]))]
    return by_layer([describe(by_layer([g for g, _ in each]), sum(n for _, n in each)) for each in together])


def _shapes(tree: Any) -> tuple[Any, list[tuple[int, ...]]]:
    leaves, structure = jax.tree.flatten(tree)
    return structure, [leaf.shape[1:] for leaf in leaves]
