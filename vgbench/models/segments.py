"""A scan over many layers whose backward pass needs little memory, for about one more forward pass.

The backward pass holds what enters each segment of layers, and everything inside one segment at a time, which it
computes anew (Chen, Xu, Zhang & Guestrin 2016, Training deep nets with sublinear memory cost).
"""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import jax

from vgbench.models.layers import by_layer

Block: TypeAlias = Callable[[Any, Any], tuple[Any, Any]]
"""One layer's work as `jax.lax.scan` takes it, (carry, slice of the layers' arrays) -> (carry, record)."""

HELD_BYTES = 2**30
"""Up to so many bytes a backward pass holds of all layers at once."""


def scan_in_segments(block: Block, carry: Any, layers: Any) -> tuple[Any, Any]:
    """`jax.lax.scan` over layers, in segments where a backward pass would hold more than `HELD_BYTES` of all layers.

    Args:
        block: one layer's work.
        carry: what reaches the first layer.
        layers: a tree of arrays [layers, ...].

    Returns:
        The last carry, and the records stacked to [layers, ...].
    """
    count = len(jax.tree.leaves(layers)[0])
    one = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), layers)
    kept = _bytes(jax.eval_shape(_kept_by(block), carry, one))
    if count * kept <= HELD_BYTES:
        return jax.lax.scan(block, carry, layers)
    # The length for which count / length carries and the values kept of `length` layers are fewest bytes together.
    length = max(1, round(math.sqrt(count * _bytes(carry) / kept)))
    segments, rest = divmod(count, length)

    def segment(carry: Any, layers: Any) -> tuple[Any, Any]:
        return jax.lax.scan(block, carry, layers)

    carry, before = segment(carry, jax.tree.map(lambda leaf: leaf[:rest], layers))
    split = jax.tree.map(lambda leaf: leaf[rest:].reshape(segments, length, *leaf.shape[1:]), layers)
    carry, records = jax.lax.scan(jax.checkpoint(segment, prevent_cse=False), carry, split)
    joined = jax.tree.map(lambda leaf: leaf.reshape(segments * length, *leaf.shape[2:]), records)
    return carry, by_layer([before, joined])


def _kept_by(block: Block) -> Callable[[Any, Any], Any]:
    """What a layer's backward pass needs of its forward pass, the weights included."""

    def kept(carry: Any, layer: Any) -> Any:
        return jax.vjp(block, carry, layer)[1]

    return kept


def _bytes(tree: Any) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
