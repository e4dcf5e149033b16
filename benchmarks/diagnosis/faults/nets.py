"""Small networks in plain JAX, whose hidden points can be seen and moved."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from faults.registry import Hidden


@jax.tree_util.register_static
class Kind(str):
    """The name of an activation, which jax takes for a part of the structure."""


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "leaky_relu": jax.nn.leaky_relu,
    "gelu": jax.nn.gelu,
    "softplus": jax.nn.softplus,
    "sine": jnp.sin,
    "linear": lambda z: z,
    "scores": lambda z: z,
}


def dense(key: Any, inputs: int, outputs: int, gain: float = 2.0, bias: float = 0.0, dtype: Any = jnp.float32) -> Any:
    """A linear map whose weights have the variance gain / inputs."""
    w = jax.random.normal(key, (inputs, outputs)) * (gain / inputs) ** 0.5
    return {"w": w.astype(dtype), "b": jnp.full(outputs, bias, dtype)}


def mlp(seed: int, sizes: Sequence[int], gain: float = 2.0, bias: float = 0.0, dtype: Any = jnp.float32) -> Any:
    """The layers of a perceptron by name, in order; the last one's weights have the variance 1 / inputs."""
    keys = jax.random.split(jax.random.key(seed), len(sizes) - 1)
    layers = {}
    for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        last = i == len(sizes) - 2
        layers[f"layer{i:02d}"] = dense(keys[i], inputs, outputs, 1.0 if last else gain, 0.0 if last else bias, dtype)
    return layers


def linear(layer: Any, x: Any) -> Any:
    return x @ layer["w"] + layer["b"]


def activated(kind: str, z: Any, hidden: list[Any], offsets: Any) -> Any:
    """Activate z, add the point's offset if there is one, and note the point."""
    h = ACTIVATIONS[kind](z)
    if offsets is not None:
        h = h + offsets[len(hidden)].astype(h.dtype)
    hidden.append((Kind(kind), z, h))
    return h


def perceptron(params: Any, x: Any, offsets: Any, kind: str = "relu", skip: bool = False) -> tuple[Any, Hidden]:
    """What the last layer gives, and the hidden points; with `skip`, blocks of equal width add to their input."""
    hidden: list[Any] = []
    *layers, last = (params[name] for name in sorted(params))
    for layer in layers:
        h = activated(kind, linear(layer, x), hidden, offsets)
        x = x + h if skip and x.shape == h.shape else h
    return linear(last, x), tuple(hidden)
