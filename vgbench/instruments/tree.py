"""Parameter trees of any library, leaf by leaf under readable names."""

import re
from collections.abc import Collection, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

_WRAPPERS = ("value", "raw_value")
_WEIGHT = re.compile(r"weight|kernel|w", re.IGNORECASE)
_BIAS = re.compile(r"bias|b", re.IGNORECASE)


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


def biases_of(weights: Collection[str], names: Collection[str]) -> dict[str, str]:
    """The bias of each array of weights that has one, by names.

    It is the only other array beside the only weights of their module, as in `{"kernel", "bias"}`, or has their name
    with "b" or "bias" in place of "w", "weight" or "kernel", as in `{"w1", "b1", "w2", "b2"}`.
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.rpartition(".")[0], []).append(name)
    found = {}
    for group in groups.values():
        own = [name for name in group if name in weights]
        others = [name for name in group if name not in weights]
        if len(own) == len(others) == 1:
            found[own[0]] = others[0]
            continue
        stems = {_stem(other, _BIAS): other for other in others}
        found |= {name: stems[stem] for name in own if (stem := _stem(name, _WEIGHT)) in stems and stem is not None}
    return found


def _stem(name: str, pattern: re.Pattern[str]) -> str | None:
    """A name without the word that says what the array is; None if the pattern is not in it."""
    last = name.rpartition(".")[2]
    return pattern.sub("", last, count=1) if pattern.search(last) else None


def in_order(names: Collection[str], order: Sequence[str]) -> list[str]:
    """Names by the first of `order` that they begin with, those with none last; numbers in them by their value."""

    def key(name: str) -> tuple[int, list[tuple[int, str]]]:
        rank = next((i for i, start in enumerate(order) if f"{name}.".startswith(f"{start}.")), len(order))
        pieces = re.split(r"(\d+)", name)
        return rank, [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in pieces]

    return sorted(names, key=key)
