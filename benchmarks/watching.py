"""What `vgbench.watch` costs: ten steps in one program, watched at every tenth step, over the same steps unwatched.

    python benchmarks/watching.py results/speed/watching.json

The network and its training loop are a user's own, in plain JAX and optax: ReLU, He's initialisation, Adam.
"""

import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
from side_by_side import Comparison, compare, sampler, write_comparisons

import vgbench as vg

EVERY = 10
SHAPES = ((16, 128, 64), (8, 256, 128), (4, 512, 128))
"""Depth, width and examples a batch."""


def loss_of(params: list[jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
    """Of a perceptron without biases."""
    for weights in params[:-1]:
        x = jax.nn.relu(x @ weights)
    return optax.softmax_cross_entropy_with_integer_labels(x @ params[-1], y).mean()


class Training:
    """Ten steps a call, of an optimizer that may be watched."""

    def __init__(self, optimizer: optax.GradientTransformation, params: list[jax.Array], batch: Any) -> None:
        extra = optax.with_extra_args_support(optimizer)

        def step(carry: Any, _: None) -> tuple[Any, None]:
            params, state = carry
            loss, gradients = jax.value_and_grad(loss_of)(params, *batch)
            updates, state = extra.update(gradients, state, params, value=loss)
            return (optax.apply_updates(params, updates), state), None

        self._carry = jax.tree.map(jnp.copy, params), optimizer.init(params)
        self._run = jax.jit(lambda carry: jax.lax.scan(step, carry, length=EVERY)[0], donate_argnums=0)

    @property
    def params(self) -> list[jax.Array]:
        """As trained so far."""
        return self._carry[0]

    def __call__(self) -> None:
        """Take them, and wait for the last."""
        self._carry = jax.block_until_ready(self._run(self._carry))


def at(depth: int, width: int, examples: int) -> Comparison:
    """One shape."""
    keys = jax.random.split(jax.random.key(0), depth)
    params = [jax.random.normal(key, (width, width)) * (2 / width) ** 0.5 for key in keys]
    batch = jax.random.normal(keys[0], (examples, width)), jnp.arange(examples) % 10
    over, under = (
        sampler(Training(each, params, batch), EVERY)
        for each in (vg.watch(optax.adam(1e-3), every=EVERY), optax.adam(1e-3))
    )
    row: dict[str, str | int] = {"depth": depth, "width": width, "batch": examples}
    return compare(row, ("watched", over), ("unwatched", under), "<= 1.05", budget=20)


def main(path: str) -> None:
    """Measure all shapes."""
    write_comparisons(Path(path), [at(*shape) for shape in SHAPES])


if __name__ == "__main__":
    main(*sys.argv[1:])
