"""The outer layers of a network with several residual streams, or with another initial scale."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array

from vgbench.mitigations.streams import Many, joined
from vgbench.models.network import Part


class Opening(nnx.Module):
    """An input layer whose signal is copied to all streams."""

    def __init__(self, inner: Any, streams: int) -> None:
        self.inner, self.streams = inner, streams

    def __call__(self, x: Array) -> Many:
        """Run the layer and copy."""
        h = self.inner(x)
        return jnp.broadcast_to(h[..., None, :], (*h.shape[:-1], self.streams, h.shape[-1]))


class Closing(nnx.Module):
    """An output layer that reads the mean of all streams."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __call__(self, h: Many) -> Array:
        """Join the streams and run the layer."""
        return self.inner(joined(h))


def smaller(part: Part, gain: float) -> Part:
    """The same layer with initial matrices times a gain."""
    if gain == 1:
        return part

    def build(rngs: nnx.Rngs, layer: int | Array) -> nnx.Module:
        module = part.build(rngs, layer)
        params = nnx.state(module, nnx.Param)
        nnx.update(module, jax.tree.map(lambda leaf: leaf * gain if leaf.ndim > 1 else leaf, params))
        return module

    return Part(build)


def around(input_layer: Part, output_layer: Part, streams: int) -> tuple[Part, Part]:
    """The outer layers of a network with so many streams."""
    return (
        Part(lambda rngs, layer: Opening(input_layer.build(rngs, layer), streams)),
        Part(lambda rngs, layer: Closing(output_layer.build(rngs, layer))),
    )
