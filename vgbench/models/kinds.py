"""The weights of one kind inside a layer's parameters, found by the attribute that holds them."""

from collections.abc import Sequence
from typing import Any

import jax
from jaxtyping import Array, Float

from vgbench.instruments.probe import observe_weights
from vgbench.models.network import Tree


def observe_kinds(kinds: Sequence[str], params: Tree, taps: Float[Array, "kinds 2"]) -> Tree:
    """The parameters, each kind of weights observed by its tap; a layer without such weights as it is."""
    found = kinds_of(kinds, params)
    arrays = [array for _, array in found]
    for kind, tap in zip(kinds, taps, strict=True):
        chosen = [i for i, (held, _) in enumerate(found) if kind in held]
        if chosen:
            for i, observed in zip(chosen, observe_weights([arrays[i] for i in chosen], tap), strict=True):
                arrays[i] = observed
    return jax.tree.unflatten(jax.tree.structure(params), arrays)


def kinds_of(kinds: Sequence[str], params: Tree) -> list[tuple[frozenset[str], Array]]:
    """Each array of a layer, in the order of the tree's leaves, with the kinds of weights that it belongs to."""
    leaves, _ = jax.tree.flatten_with_path(params)
    return [(frozenset(kinds) & _keys(path), leaf) for path, leaf in leaves]


def _keys(path: tuple[Any, ...]) -> set[Any]:
    """The dictionary keys on the way to a leaf."""
    return {step.key for step in path if isinstance(step, jax.tree_util.DictKey)}
