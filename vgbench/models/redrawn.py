"""Blocks that are held as the keys that they are drawn from: memory holds the weights of those in use alone."""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
from jaxtyping import Array

from vgbench.models.network import Part, Tree

Visit: TypeAlias = Callable[[Part, Tree, Tree, Any, Any], tuple[Any, tuple[Tree, Any]]]
"""One layer's work, (part, params, stats, carry, input) -> (carry, (tree, record))."""


def keys_of(keys: Array, numbers: Array) -> dict[str, Array]:
    """The parameters of blocks with these keys and numbers of layers, in place of their weights."""
    return {"key": jax.random.key_data(keys), "layer": numbers}


def drawn_where_used(visit: Visit, cast: Callable[[Any], Any]) -> Visit:
    """The same visit of a block whose parameters are its key; its variables are drawn anew and cast."""

    def drawing(part: Part, held: Tree, _: Tree, carry: Any, inputs: Any) -> tuple[Any, tuple[Tree, Any]]:
        params, stats = cast(part.init(jax.random.wrap_key_data(held["key"]), held["layer"]))
        return visit(part, params, stats, carry, inputs)

    return drawing
