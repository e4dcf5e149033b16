"""Layer-sequential unit variance (Mishkin & Matas 2016): initial weights scaled layer by layer on a batch."""

from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from vgbench.models.network import Part, Tree, Variables
from vgbench.models.stack import Stack


def unit_variance(network: Stack, variables: Variables, x: Float[Array, "batch features"]) -> Variables:
    """Scale every linear map's weights so that its output on `x`, biases aside, has variance 1, the first layer first.

    The map is linear, so that one division is exact where the paper repeats it.
    """

    def visit(part: Part, params: Tree, stats: Tree, h: Array, _: None) -> tuple[Array, tuple[Tree, None]]:
        scaled = _scaled(part, params, stats, h)
        return part.apply(scaled, stats, h, train=True)[0], (scaled, None)

    h, hidden, _ = network.walk(variables, visit, x.astype(network.dtype), None)
    params, stats = (each["output_layer"] for each in variables)
    output_layer = _scaled(network.output_layer, params, stats, h)
    return variables._replace(params={**hidden, "output_layer": output_layer})


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
