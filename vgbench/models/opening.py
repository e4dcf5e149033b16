"""The outer layers of a network with several residual streams, or with another initial scale."""

from collections.abc import Callable
from typing import Any

import jax
from flax import nnx
from jaxtyping import Array

from vgbench.mitigations.site import Site
from vgbench.mitigations.streams import Many, ends_of, streams_of
from vgbench.models.network import Part
from vgbench.spec.case import Case


class Opening(nnx.Module):
    """An input layer whose signal enters the streams."""

    def __init__(self, inner: Any, enter: Callable[[Array], Many]) -> None:
        self.inner, self.enter = inner, enter

    def __call__(self, x: Array) -> Many:
        """Run the layer and make the streams."""
        return self.enter(self.inner(x))


class Closing(nnx.Module):
    """An output layer that reads what leaves the streams."""

    def __init__(self, inner: Any, leave: Callable[[Many], Array]) -> None:
        self.inner, self.leave = inner, leave

    def __call__(self, h: Many) -> Array:
        """Join the streams and run the layer."""
        return self.inner(self.leave(h))


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


def around(
    case: Case, input_layer: Part, output_layer: Part, branches: int
) -> tuple[Part, Part, Callable[[Many], Array]]:
    """The outer layers of a case with several streams, and the signal that measurements read of them.

    Args:
        case: its skip has several streams.
        input_layer: the layer that gives a single one.
        output_layer: the layer that reads a single one.
        branches: of every block.
    """
    streams, ends = streams_of(case.skip), ends_of(case.skip)

    def closing(rngs: nnx.Rngs, layer: int | Array) -> nnx.Module:
        inner = output_layer.build(rngs, layer)
        return Closing(inner, ends.leave(Site(case.width, case.depth, layer, rngs, branches=branches), streams))

    def enter(h: Array) -> Many:
        return ends.enter(h, streams)

    return Part(lambda rngs, layer: Opening(input_layer.build(rngs, layer), enter)), Part(closing), ends.signal
