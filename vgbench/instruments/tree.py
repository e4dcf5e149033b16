"""Parameter trees of any library, leaf by leaf under readable names."""

import re
from collections.abc import Collection, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

_WRAPPERS = ("value", "raw_value")


def name_of(path: tuple[Any, ...]) -> str:
    """A leaf's path in words, its keys joined by dots; Flax's wrappers of variables left out."""
    keys = [jax.tree_util.keystr((key,), simple=True) for key in path]
    while len(keys) > 1 and keys[-1] in _WRAPPERS:
        keys.pop()
    return ".".join(keys)


def named(tree: Any) -> dict[str, Array]:
    """The floating-point arrays of a tree, by name."""
    return {name_of(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree) if is_parameter(leaf)}


def is_parameter(leaf: Any) -> bool:
    """Whether a leaf is an array of floating-point numbers, which a gradient can be taken by."""
    return hasattr(leaf, "dtype") and hasattr(leaf, "shape") and jnp.issubdtype(leaf.dtype, jnp.floating)


def is_stacked(name: str, stacked: Collection[str]) -> bool:
    """Whether a leaf's leading axis counts layers, since one of the keys of its name is among `stacked`."""
    return not set(name.split(".")).isdisjoint(stacked)


def modules_of(name: str) -> list[str]:
    """The modules that a parameter belongs to: every beginning of its name, the whole tree first."""
    keys = name.split(".")
    return ["", *(".".join(keys[:end]) for end in range(1, len(keys)))]


def in_order(names: Collection[str], order: Sequence[str]) -> list[str]:
    """Names by the first of `order` that they begin with, those with none last; numbers in them by their value."""

    def key(name: str) -> tuple[int, list[tuple[int, str]]]:
        rank = next((i for i, start in enumerate(order) if f"{name}.".startswith(f"{start}.")), len(order))
        pieces = re.split(r"(\d+)", name)
        return rank, [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in pieces]

    return sorted(names, key=key)
