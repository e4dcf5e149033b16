"""A model family of one's own for vgbench's suites: sine networks (Sitzmann et al. 2020, SIREN).

    vgbench run examples/sine.toml --allow-imports

`build` gets the case, with its depth, width and whatever slots it needs to use, what the data ask, and whether blocks
are to be scanned; what comes back is an input layer, blocks and an output layer, of which vgbench measures everything.
"""

from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from vgbench.models.network import Part
from vgbench.models.problem import Problem
from vgbench.models.stack import Stack
from vgbench.spec.case import Case

FREQUENCY = 3.0


class Sine(nnx.Module):
    """h = sin(frequency W x), its weights uniform within the root of 6 / fan-in over the frequency."""

    def __init__(self, inputs: int, outputs: int, frequency: float, rngs: nnx.Rngs) -> None:
        uniform = jax.nn.initializers.variance_scaling(2 / frequency**2, "fan_in", "uniform")
        self.linear = nnx.Linear(inputs, outputs, kernel_init=uniform, rngs=rngs)
        self.activation = partial(_sine, frequency)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.activation(self.linear(x))


def _sine(frequency: float, z: jax.Array) -> jax.Array:
    return jnp.sin(frequency * z)


def build(case: Case, problem: Problem, scanned: bool) -> Stack:
    """A sine network of the case's depth and width."""
    input_layer = Part(lambda rngs, layer: Sine(problem.features, case.width, FREQUENCY, rngs))
    block = Part(lambda rngs, layer: Sine(case.width, case.width, FREQUENCY, rngs))
    output_layer = Part(lambda rngs, layer: nnx.Linear(case.width, problem.outputs, rngs=rngs))
    blocks = (block,) * (case.depth - 1)
    return Stack.of(case, problem, scanned, input_layer=input_layer, blocks=blocks, output_layer=output_layer)
