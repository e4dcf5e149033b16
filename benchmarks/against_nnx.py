"""Against Flax NNX: compiling and 300 steps of a straightforward script, beside the same with vgbench's own pieces.

    python benchmarks/against_nnx.py results/speed/nnx.json

The script is what a notebook would hold: a list of blocks, `nnx.jit`, `nnx.Optimizer`, and after each step the norms of
all weight gradients read back layer by layer. Both compile anew in every round, that is what is compared.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from against_torch import with_norms
from flax import nnx
from limit import RATE, case_of
from side_by_side import Comparison, compare, write_comparisons

import vgbench as vg
from vgbench.data import batch_indices, load_dataset
from vgbench.measure.shared import forget

WIDTH, STEPS, STEPS_A_PROGRAM = 64, 300, 25
AIMS = {10: 1.5, 50: 3, 200: 6}
"""How many times as fast it should be at each depth."""


class Network(nnx.Module):
    """Linear maps with He's initialisation and ReLU, in a list."""

    def __init__(self, depth: int, width: int, features: int, outputs: int, rngs: nnx.Rngs) -> None:
        def linear(reads: int, gives: int) -> nnx.Linear:
            return nnx.Linear(reads, gives, kernel_init=nnx.initializers.he_normal(), rngs=rngs)

        self.blocks = nnx.List([linear(width if i else features, width) for i in range(depth)])
        self.output_layer = linear(width, outputs)

    def __call__(self, h: jax.Array) -> jax.Array:
        """Logits."""
        for block in self.blocks:
            h = nnx.relu(block(h))
        return self.output_layer(h)


def script(case: vg.Case, steps: int) -> list[list[float]]:
    """Build, compile and train; the norms of every step."""
    train = load_dataset(case).train
    network = Network(case.depth, case.width, train.x.shape[1], 10, nnx.Rngs(0))
    optimizer = nnx.Optimizer(network, optax.adam(RATE), wrt=nnx.Param)

    @nnx.jit
    def step(network: Network, optimizer: nnx.Optimizer, x: jax.Array, y: jax.Array) -> list[jax.Array]:
        def loss_of(network: Network) -> jax.Array:
            return optax.softmax_cross_entropy_with_integer_labels(network(x), y).mean()

        gradients = nnx.grad(loss_of)(network)
        optimizer.update(network, gradients)
        layers = [*(gradients["blocks"][i] for i in range(case.depth)), gradients["output_layer"]]
        return [jnp.linalg.norm(layer["kernel"][...]) for layer in layers]

    batches = batch_indices(len(train.y), case.batch_size, steps, 0)
    return [[float(norm) for norm in step(network, optimizer, *train.take(batch))] for batch in batches]


def ours(case: vg.Case, steps: int) -> list[list[float]]:
    """The same with vgbench: its network drawn, its steps compiled, the norms of every step."""
    advance, norms = with_norms(case, STEPS_A_PROGRAM), []
    for _ in range(steps // STEPS_A_PROGRAM):
        mantissa, exponent = advance()
        norms += np.ldexp(mantissa, exponent.astype(int)).tolist()
    return norms


def from_nothing(run: Callable[[], list[list[float]]], steps: int, depth: int) -> Callable[[], float]:
    """Seconds of the whole, nothing compiled beforehand."""

    def sample() -> float:
        forget()
        begin = time.perf_counter()
        norms = run()
        seconds = time.perf_counter() - begin
        assert np.shape(norms) == (steps, depth + 1)
        return seconds

    return sample


def at(depth: int, width: int = WIDTH, steps: int = STEPS, rounds: int | None = None) -> Comparison:
    """One depth."""
    case = case_of(depth, width, block_execution="scan")  # as vgbench trains, which compiles one block at any depth
    over, under = (from_nothing(lambda run=run: run(case, steps), steps, depth) for run in (script, ours))
    for each in (over, under):
        each()  # what is imported only then
    row: dict[str, str | int] = {"depth": depth, "width": width, "steps": steps}
    aim = f">= {AIMS[depth]} x" if depth in AIMS else ""
    rounds = rounds or (10 if depth < 200 else 6)  # it compiles for most of a minute at depth 200
    return compare(row, ("Flax NNX", over), ("vgbench", under), aim, budget=1, rounds_at_least=rounds)


def main(path: str, *depths: str) -> None:
    """Measure all depths, or those that are named."""
    write_comparisons(Path(path), [at(int(depth)) for depth in depths or AIMS])


if __name__ == "__main__":
    main(*sys.argv[1:])
