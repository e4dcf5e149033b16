"""Measures of each layer, from the input layer over the blocks to the output layer, as arrays over all layers."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

T = TypeVar("T")


def by_layer(first: T, blocks: Any, *last: T, stacked: bool) -> T:
    """Trees of arrays, one a layer, as a tree of arrays [layers, ...].

    Args:
        first: of the input layer.
        blocks: of the blocks, their arrays stacked already, or a sequence of trees.
        last: of the output layer, where it counts.
        stacked: which of both the blocks are.
    """
    if not stacked:
        return jax.tree.map(lambda *layers: jnp.stack(layers), first, *blocks, *last)

    def joined(first: Any, blocks: Any, *last: Any) -> Any:
        return jnp.concatenate([first[None], blocks, *(each[None] for each in last)])

    return jax.tree.map(joined, first, blocks, *last)


def measured_by_layer(measure: Callable[..., T], stacked: bool, *trees: dict[str, Any]) -> T:
    """Measure each layer's part of trees like the parameters, the blocks' side by side where they are stacked.

    Args:
        measure: the parts of one layer, one of each tree, to a tree of arrays.
        stacked: whether the blocks' parts are stacked along a leading axis, rather than a tuple of parts.
        trees: dicts with the keys `input_layer`, `blocks` and `output_layer`.

    Returns:
        The measures as arrays [layers, ...], the output layer last.
    """
    first, blocks, last = ([tree[name] for tree in trees] for name in ("input_layer", "blocks", "output_layer"))
    between = jax.vmap(measure)(*blocks) if stacked else [measure(*block) for block in zip(*blocks, strict=True)]
    return by_layer(measure(*first), between, measure(*last), stacked=stacked)
