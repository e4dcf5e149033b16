"""Layer-sequential unit variance (Mishkin & Matas 2016): initial weights scaled layer by layer on a batch."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from vgbench.models.network import Part, Tree, Variables
from vgbench.models.stack import Stack


def unit_variance(network: Stack, variables: Variables, x: Float[Array, "batch features"]) -> Variables:
    """Scale every linear map's weights so that its output on `x`, biases aside, has variance 1, the first layer first.

    The map is linear, so that one division is exact where the paper repeats it.
    """
    (params, stats), blocks = variables, variables.params["blocks"]

    def visit(part: Part, h: Array, layer: tuple[Tree, Tree]) -> tuple[Array, Tree]:
        scaled = _scaled(part, *layer, h)
        return part.apply(network.computing(scaled), layer[1], h, True)[0], scaled

    h, input_layer = visit(network.input_layer, x.astype(network.dtype), (params["input_layer"], stats["input_layer"]))
    if network.stacked:
        h, blocks = jax.lax.scan(lambda h, layer: visit(network.blocks[0], h, layer), h, (blocks, stats["blocks"]))
    else:
        layers = []
        for part, *layer in zip(network.blocks, blocks, stats["blocks"], strict=True):
            h, scaled = visit(part, h, tuple(layer))
            layers.append(scaled)
        blocks = tuple(layers)
    output_layer = _scaled(network.output_layer, params["output_layer"], stats["output_layer"], h)
    return variables._replace(params={"input_layer": input_layer, "blocks": blocks, "output_layer": output_layer})


def _scaled(part: Part, params: Tree, stats: Tree, x: Array) -> Tree:
    """A part's parameters with each linear map scaled, in the order of their attributes."""
    module = part.module(params, stats, train=True)
    for _, owner in list(nnx.iter_modules(module)):
        for name, linear in list(vars(owner).items()):
            if isinstance(linear, nnx.Linear | nnx.Conv):
                std = _output_std(module, owner, name, linear, x)
                linear.kernel[...] = linear.kernel[...] / jnp.where(std > 0, std, 1)
    return nnx.to_pure_dict(nnx.state(module, nnx.Param))


def _output_std(module: Any, owner: Any, name: str, linear: nnx.Linear | nnx.Conv, x: Array) -> Array:
    seen = []

    def watched(h: Array) -> Array:
        seen.append(linear(h))
        return seen[0]

    setattr(owner, name, watched)
    module(x)
    setattr(owner, name, linear)
    return jnp.std(seen[0] - (0 if linear.bias is None else linear.bias[...]))
