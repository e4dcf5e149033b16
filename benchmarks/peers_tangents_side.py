"""The Neural Tangents side of `peers_tangents.py`: factors of the squared gradient from its kernels.

    python peers_tangents_side.py < CASES > ANSWER

The neural tangent kernel after a block is affine in the one before it, and the slope is what the block multiplies the
squared norm of the gradient by on its way back. So each block's kernel function is called with two values of the
kernel before it. Nothing of vgbench is imported here.
"""

import json
import math
import sys
from importlib.metadata import version
from typing import Any

import jax
import jax.numpy as jnp
from neural_tangents import stax

jax.config.update("jax_enable_x64", True)

NODES = 200
"""Of the quadrature where Neural Tangents has no formula."""
FORMULAS = {"linear": stax.Identity, "relu": stax.Relu, "erf": stax.Erf, "gelu": stax.Gelu}
FUNCTIONS = {"tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid, "silu": jax.nn.silu, "selu": jax.nn.selu}


def activation(case: dict[str, Any]) -> Any:
    """The layer of an activation: a formula where there is one, else a quadrature."""
    name = case["activation"]
    if name == "leaky_relu":
        return stax.LeakyRelu(case["negative_slope"])
    return FORMULAS[name]() if name in FORMULAS else stax.ElementwiseNumerical(FUNCTIONS[name], NODES)


def factors(case: dict[str, Any]) -> list[float]:
    """log10 of the factor of each gap between hidden layers, the one nearest the input first."""
    dense = stax.Dense(case["width"], W_std=case["gain"], b_std=case["bias_std"])
    if case["residual"]:  # h + W phi(h)
        branch = stax.serial(activation(case), dense)
        first, block = dense, stax.serial(stax.FanOut(2), stax.parallel(stax.Identity(), branch), stax.FanInSum())
    else:  # phi(W h)
        first = block = stax.serial(dense, activation(case))
    kernel = first[2](jnp.ones((1, case["width"])), None)
    found = []
    for _ in range(case["depth"] - 1):
        after = [block[2](kernel.replace(ntk=jnp.full_like(kernel.nngp, before))) for before in (0.0, 1.0)]
        found.append(math.log10(float((after[1].ntk - after[0].ntk)[0, 0])))
        kernel = after[0]
    return found


if __name__ == "__main__":
    versions = {package: version(package) for package in ("neural-tangents", "jax")}
    json.dump({"factors": list(map(factors, json.load(sys.stdin))), "versions": versions}, sys.stdout)
