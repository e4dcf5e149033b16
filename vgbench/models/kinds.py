"""The weights of one kind inside a layer's parameters, found by the attribute that holds them."""

from collections.abc import Sequence
from typing import Any

import jax
from jaxtyping import Array, Float

from vgbench.instruments.probe import observe_weights
from vgbench.models.network import Tree


def observe_kinds(kinds: Sequence[str], params: Tree, taps: Float[Array, "kinds 2"]) -> Tree:
    """The parameters, each kind of weights observed by its tap; a layer without such weights as it is."""
    leaves, structure = jax.tree.flatten_with_path(params)
    keys, arrays = [_keys(path) for path, _ in leaves], [leaf for _, leaf in leaves]
    for kind, tap in zip(kinds, taps, strict=True):
        held = [i for i, names in enumerate(keys) if kind in names]
        if held:
            for i, observed in zip(held, observe_weights([arrays[i] for i in held], tap), strict=True):
                arrays[i] = observed
    return jax.tree.unflatten(structure, arrays)


def _keys(path: tuple[Any, ...]) -> set[Any]:
    """The dictionary keys on the way to a leaf."""
    return {step.key for step in path if isinstance(step, jax.tree_util.DictKey)}
