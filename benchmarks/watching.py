"""What recording costs: ten steps in one program, with a record at every tenth step, over the same steps without.

    python benchmarks/watching.py results/speed/watching.json

Recorded are layers alone, by `vgbench.Recorder.scan` and by `vgbench.watch` in a plain scan. Networks and training loop
are a user's own, in plain JAX and optax: perceptrons with ReLU and He's initialisation, and a transformer of 6 blocks;
Adam.
"""

import sys
from collections.abc import Callable, Iterator
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

LEARNING_RATE = 1e-6
"""So small that the loss stays where it is: fitted to one batch, gradients would fall below what training ever sees."""


def loss_of(params: list[jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
    """Of a perceptron without biases."""
    for weights in params[:-1]:
        x = jax.nn.relu(x @ weights)
    return optax.softmax_cross_entropy_with_integer_labels(x @ params[-1], y).mean()


def transformer_loss(params: dict[str, Any], x: jax.Array, y: jax.Array) -> jax.Array:
    """Of pre-norm blocks with 4 heads."""
    for p in params["blocks"]:
        n, t, d = x.shape
        q, k, v = jnp.moveaxis((jax.nn.standardize(x) @ p["qkv"]).reshape(n, t, 3, 4, d // 4), 2, 0)
        weights = jax.nn.softmax(jnp.einsum("nthd,nshd->nhts", q, k) / (d // 4) ** 0.5)
        x = x + jnp.einsum("nhts,nshd->nthd", weights, v).reshape(n, t, d) @ p["proj"]
        x = x + jax.nn.gelu(jax.nn.standardize(x) @ p["up"]) @ p["down"]
    return optax.softmax_cross_entropy_with_integer_labels(x.mean(axis=1) @ params["out"], y).mean()


class Training:
    """Ten steps a call, of an optimizer that may be watched or recorded."""

    def __init__(self, optimizer: Any, loss: Callable[..., jax.Array], params: Any, batch: Any) -> None:
        recorded = isinstance(optimizer, vg.Recorder)
        extra = optimizer if recorded else optax.with_extra_args_support(optimizer)

        def step(carry: Any, _: None) -> tuple[Any, None]:
            params, state = carry
            value, gradients = jax.value_and_grad(loss)(params, *batch)
            updates, state = extra.update(gradients, state, params, value=value)
            return (optax.apply_updates(params, updates), state), None

        scan = optimizer.scan if recorded else jax.lax.scan
        self.carry = jax.tree.map(jnp.copy, params), optimizer.init(params)
        self._run = jax.jit(lambda carry: scan(step, carry, length=EVERY)[0], donate_argnums=0)

    def __call__(self) -> None:
        """Take them, and wait for the last."""
        self.carry = jax.block_until_ready(self._run(self.carry))


def compared(
    row: dict[str, str | int], loss: Callable[..., jax.Array], params: Any, batch: Any
) -> Iterator[Comparison]:
    """A network by both ways."""
    adam = optax.adam(LEARNING_RATE)
    recorder = vg.Recorder(lambda params, batch: loss(params, *batch), adam, every=EVERY)
    for name, optimizer, aim in (("recorded", recorder, "<= 1.05"), ("watched", vg.watch(adam, every=EVERY), "none")):
        over, under = (sampler(Training(each, loss, params, batch), EVERY) for each in (optimizer, adam))
        yield compare({**row, "by": name}, (name, over), ("without", under), aim, budget=20)


def perceptron(depth: int, width: int, examples: int) -> Iterator[Comparison]:
    """One shape."""
    keys = jax.random.split(jax.random.key(0), depth)
    params = [jax.random.normal(key, (width, width)) * (2 / width) ** 0.5 for key in keys]
    batch = jax.random.normal(keys[0], (examples, width)), jnp.arange(examples) % 10
    yield from compared({"network": f"{depth} x {width}", "batch": examples}, loss_of, params, batch)


def transformer(blocks: int = 6, width: int = 64, tokens: int = 16, examples: int = 16) -> Iterator[Comparison]:
    """The blocks unrolled."""
    sizes = {"qkv": (width, 3 * width), "proj": (width, width), "up": (width, 4 * width), "down": (4 * width, width)}
    keys = iter(jax.random.split(jax.random.key(0), 4 * blocks + 2))

    def drawn(fan_in: int, fan_out: int) -> jax.Array:
        return jax.random.normal(next(keys), (fan_in, fan_out)) / fan_in**0.5

    stack = [{name: drawn(*size) for name, size in sizes.items()} for _ in range(blocks)]
    batch = jax.random.normal(next(keys), (examples, tokens, width)), jnp.arange(examples) % 10
    row: dict[str, str | int] = {"network": f"transformer, {blocks} blocks", "batch": examples}
    yield from compared(row, transformer_loss, {"blocks": stack, "out": drawn(width, 10)}, batch)


def main(path: str) -> None:
    """Measure all networks."""
    rows = [row for shape in SHAPES for row in perceptron(*shape)]
    write_comparisons(Path(path), [*rows, *transformer()])


if __name__ == "__main__":
    main(*sys.argv[1:])
