"""The multilayer perceptron: h_1 = act(norm(W x + b)); h_l = skip(h_{l-1}, act(norm(W h_{l-1} + b))); W h_L + b."""

from functools import partial
from typing import Annotated

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float
from pydantic import Field

from vgbench.case import Case
from vgbench.mitigations.initializers import Signal
from vgbench.mitigations.site import Site
from vgbench.models.stack import Network, Part
from vgbench.registry import ACTIVATIONS, INITIALIZERS, MODELS, NORMS, SKIPS


def _linear(case: Case, inputs: int, outputs: int, bias_std: float, rngs: nnx.Rngs, *, raw: bool = False) -> nnx.Linear:
    return nnx.Linear(
        inputs,
        outputs,
        kernel_init=INITIALIZERS.build(case.init, Signal(case.activation, bias_std, raw)),
        bias_init=jax.nn.initializers.normal(bias_std) if bias_std else jax.nn.initializers.zeros,
        rngs=rngs,
    )


class Dense(nnx.Module):
    """A linear map, a norm and an activation: the input layer and every block's branch."""

    def __init__(self, case: Case, inputs: int, bias_std: float, rngs: nnx.Rngs, *, raw: bool = False) -> None:
        self.linear = _linear(case, inputs, case.width, bias_std, rngs, raw=raw)
        self.norm = NORMS.build(case.norm, Site(case.width, case.depth, rngs))
        self.activation = partial(ACTIVATIONS.build, case.activation)

    def __call__(self, h: Float[Array, "batch inputs"]) -> Float[Array, "batch width"]:
        """Map the layer's input to its activations."""
        return self.activation(self.norm(self.linear(h)))

    def slopes(self, h: Float[Array, "batch inputs"]) -> Float[Array, "batch width"]:
        """The activation's derivative at every unit."""
        z = self.norm(self.linear(h))
        return jax.jvp(self.activation, (z,), (jnp.ones_like(z),))[1]


class Block(nnx.Module):
    """A dense branch joined to its input by the skip."""

    def __init__(self, case: Case, bias_std: float, rngs: nnx.Rngs) -> None:
        self.branch = Dense(case, case.width, bias_std, rngs)
        self.skip = SKIPS.build(case.skip, Site(case.width, case.depth, rngs))

    def __call__(self, h: Float[Array, "batch width"]) -> Float[Array, "batch width"]:
        """Map h_{l-1} to h_l."""
        return self.skip(h, self.branch(h))

    def slopes(self, h: Float[Array, "batch width"]) -> Float[Array, "batch width"]:
        """The activation's derivative at every unit of the branch."""
        return self.branch.slopes(h)


@MODELS.register(source="Rumelhart, Hinton & Williams 1986")
def mlp(
    case: Case, features: int, classes: int, scanned: bool, *, bias_std: Annotated[float, Field(ge=0)] = 0.0
) -> Network:
    """Multilayer perceptron of equal width; `bias_std` is the initial standard deviation of hidden biases."""
    width = case.width
    first, others = features * width, (case.depth - 1) * width**2 + width * classes
    return Network(
        entry=Part(lambda rngs: Dense(case, features, bias_std, rngs, raw=True)),
        block=Part(lambda rngs: Block(case, bias_std, rngs)),
        readout=Part(lambda rngs: _linear(case, width, classes, 0.0, rngs)),
        depth=case.depth,
        scanned=scanned,
        dtype=case.dtype,
        forward_flops=2 * (first + others),
        backward_flops=2 * (first + 2 * others),  # the input layer passes no gradient on
    )
