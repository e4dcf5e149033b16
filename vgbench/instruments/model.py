"""Models of any library, opened: their parameters by name, all else that they hold, and how to put them together."""

import sys
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from flax import nnx
from jaxtyping import Array

from vgbench.instruments.tree import is_parameter, name_of


@dataclass(frozen=True)
class Opened:
    """A model as arrays and a function of them.

    Attributes:
        parameters: floating-point arrays, which gradients are taken by, by name.
        others: other arrays, such as running averages and random keys.
        key: equal for models that differ in nothing but the numbers in their arrays.
        build: from parameters and others, in their order, to the model.
        framework: "flax.nnx", "equinox" or "jax".
    """

    parameters: dict[str, Array]
    others: list[Array]
    key: Hashable
    build: Callable[[Sequence[Array], Sequence[Array]], Any]
    framework: str


def opened(model: Any) -> Opened:
    """Open a Flax NNX module, an Equinox module, or any tree of parameters."""
    if isinstance(model, nnx.Module):
        return _opened_nnx(model)
    paths, structure = jax.tree_util.tree_flatten_with_path(model)
    names, leaves = [name_of(path) for path, _ in paths], [leaf for _, leaf in paths]
    parameters, others, static = _sorted(leaves)

    def build(given: Sequence[Array], rest: Sequence[Array]) -> Any:
        return jax.tree.unflatten(structure, _filled(leaves, (parameters, given), (others, rest)))

    equinox = sys.modules.get("equinox")
    framework = "equinox" if equinox is not None and isinstance(model, equinox.Module) else "jax"
    key = framework, structure, tuple(parameters), tuple((i, leaves[i]) for i in static)
    return Opened({names[i]: leaves[i] for i in parameters}, [leaves[i] for i in others], key, build, framework)


def _opened_nnx(model: nnx.Module) -> Opened:
    graphdef, params, rest = nnx.split(model, nnx.Param, ...)
    paths, structure = jax.tree_util.tree_flatten_with_path(params)
    names, leaves = [name_of(path) for path, _ in paths], [leaf for _, leaf in paths]
    parameters, others, _ = _sorted(leaves)
    held, structure_of_rest = jax.tree.flatten(rest)
    count = len(others)

    def build(given: Sequence[Array], both: Sequence[Array]) -> Any:
        state = jax.tree.unflatten(structure, _filled(leaves, (parameters, given), (others, both[:count])))
        return nnx.merge(graphdef, state, jax.tree.unflatten(structure_of_rest, both[count:]), copy=True)

    key = "flax.nnx", graphdef, structure, tuple(parameters), structure_of_rest
    arrays = [leaves[i] for i in others] + held
    return Opened({names[i]: leaves[i] for i in parameters}, arrays, key, build, "flax.nnx")


def _sorted(leaves: Sequence[Any]) -> tuple[list[int], list[int], list[int]]:
    """The places of parameters, of other arrays, and of what is no array."""
    parameters = [i for i, leaf in enumerate(leaves) if is_parameter(leaf)]
    arrays = [
        i for i, leaf in enumerate(leaves) if isinstance(leaf, jax.Array | np.ndarray) and i not in set(parameters)
    ]
    static = [i for i in range(len(leaves)) if i not in {*parameters, *arrays}]
    return parameters, arrays, static


def _filled(leaves: Sequence[Any], *fillings: tuple[Sequence[int], Sequence[Any]]) -> list[Any]:
    found = list(leaves)
    for places, values in fillings:
        for place, value in zip(places, values, strict=True):
            found[place] = value
    return found
