"""Against the limit: vgbench's steps beside a hand-written, unrolled, un-instrumented one in plain JAX.

    python benchmarks/limit.py results/speed/limit.json

The plain step is the one that costs are measured with, in the form that is timed. The instrumented step gives the norm
of every layer's weight gradient besides; both it and its limit make several steps in one program. The training loop is
`Trainer`, which draws the initial weights of each seed, trains the seeds side by side and records every 25 steps the
exact gradient profile, weights, updates, histograms and the accuracy; its time is that of the whole call by steps and
seeds.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from side_by_side import Comparison, compare, sampler, write_comparisons

import vgbench as vg
from vgbench.data import batch_indices, load_dataset
from vgbench.instruments.look import gradient_norms
from vgbench.measure.draw import draw
from vgbench.measure.effort import OPERATIONS, compiler_options
from vgbench.measure.executable import Executable
from vgbench.measure.numerics import numerics
from vgbench.measure.step import TrainState, propose, start
from vgbench.measure.trainer import Run, Trainer
from vgbench.models import build_network
from vgbench.models.network import Variables

POINTS = ((10, 64), (50, 64), (50, 128), (200, 128), (50, 512))
RATE, BATCH = 1e-4, 128


def case_of(depth: int, width: int, **others: Any) -> vg.Case:
    """The network that everything here is compared on: ReLU, He's initialisation, Adam, batches of 128 digits."""
    return vg.Case(depth=depth, width=width, optimizer="adam", learning_rates=(RATE,), batch_size=BATCH, **others)


def hand_written(case: vg.Case, steps: int = 1) -> Callable[[], Any]:
    """A call makes some steps: a Python loop over layers, optax's Adam, one jit around them, the memory donated."""
    dataset = load_dataset(case)
    x, y = map(jnp.asarray, dataset.train)
    batches = jnp.asarray(batch_indices(len(y), case.batch_size, steps, 0))
    sizes = [x.shape[1], *[case.width] * case.depth, 10]
    keys = jax.random.split(jax.random.key(0), len(sizes))
    params = [
        (jax.random.normal(key, (reads, gives)) * (2 / reads) ** 0.5, jnp.zeros(gives))
        for key, reads, gives in zip(keys, sizes, sizes[1:], strict=False)
    ]
    optimizer = optax.adam(RATE)

    def loss_of(params: Any, h: Any, y: Any) -> Any:
        for w, b in params[:-1]:
            h = jax.nn.relu(h @ w + b)
        w, b = params[-1]
        return optax.softmax_cross_entropy_with_integer_labels(h @ w + b, y).mean()

    def step(state: Any, x: Any, y: Any) -> Any:
        params, moments = state
        gradients = jax.grad(loss_of)(params, x, y)
        updates, moments = optimizer.update(gradients, moments, params)
        return optax.apply_updates(params, updates), moments

    def many(state: Any, x: Any, y: Any) -> Any:
        return jax.lax.scan(lambda state, batch: (step(state, x[batch], y[batch]), None), state, batches)[0]

    state, x, y = (params, optimizer.init(params)), *((x[batches[0]], y[batches[0]]) if steps == 1 else (x, y))
    compiled = jax.jit(step if steps == 1 else many, donate_argnums=0).lower(state, x, y).compile()

    def run() -> None:
        nonlocal state
        state = jax.block_until_ready(compiled(state, x, y))

    return run


def with_norms(case: vg.Case, steps: int) -> Callable[[], Any]:
    """A call makes `steps` steps in one program, as vgbench trains, and reads the norms of all of them back."""
    dataset = load_dataset(case)
    network = build_network(case, dataset.problem, scanned=case.timed_form == "scan")
    x, y = map(jnp.asarray, dataset.train)
    batches = jnp.asarray(batch_indices(len(y), case.batch_size, steps, 0))

    def body(state: TrainState, batch: Any) -> Any:
        move = propose(network, case, state, (x[batch], y[batch]), RATE)
        params: Any = optax.apply_updates(state.variables.params, move.updates)
        norms = gradient_norms(("blocks",) if network.stacked else (), move.gradients)
        return TrainState(Variables(params, move.stats), move.optimizer), norms

    with numerics(case.dtype, case.matmul_precision):
        begin = jax.jit(partial(start, network, case), compiler_options=compiler_options(operations=0))
        state = begin(draw(case, network, dataset, seed=0), RATE)
        options = compiler_options(OPERATIONS + 1)  # as of any training that takes long
        program = jax.jit(partial(jax.lax.scan, body), donate_argnums=0, compiler_options=options)
        advance = program.lower(state, batches).compile()

    def run() -> Any:
        nonlocal state
        state, norms = advance(state, batches)
        return jax.tree.map(np.asarray, norms)

    return run


def plain_step(depth: int, width: int) -> Comparison:
    """The step that costs are measured with."""
    case = case_of(depth, width)
    ours = Executable(case)
    ours.warm_up()
    row: dict[str, str | int] = {"what": f"plain step, {case.timed_form}", "depth": depth, "width": width}
    limit = sampler(hand_written(case), 1)
    return compare(row, ("vgbench", ours.sample), ("limit", limit), "<= 1.10")


def instrumented_step(depth: int, width: int) -> Comparison:
    """The step with the norm of every layer's weight gradient, and the hand-written one without, so many a program."""
    case, steps = case_of(depth, width), steps_a_program(width)
    row: dict[str, str | int] = {"what": f"with norms, {case.timed_form}", "depth": depth, "width": width}
    ours, limit = sampler(with_norms(case, steps), steps), sampler(hand_written(case, steps), steps)
    return compare(row, ("vgbench", ours), ("limit", limit), "<= 1.05", rounds_at_least=10, steps_a_program=steps)


def steps_a_program(width: int) -> int:
    """How many steps of a width are made in one program."""
    return 25 if width < 512 else 5


def training_loop(depth: int, width: int, steps: int, seeds: int) -> Comparison:
    """The whole of `Trainer.train`, recording as it does in a suite, by steps and seeds."""
    case = case_of(depth, width, steps=steps, seeds=tuple(range(seeds)))
    runs = [Run(RATE, seed) for seed in case.seeds]
    with numerics(case.dtype, case.matmul_precision):
        trainer = Trainer(case, load_dataset(case))

        def train() -> None:
            assert np.isfinite(trainer.train(runs, recorded=True).loss).all()

        ours = sampler(train, steps * seeds)
    row: dict[str, str | int] = {"what": f"training loop, {seeds} seeds", "depth": depth, "width": width}
    limit = sampler(hand_written(case), 1)
    return compare(row, ("vgbench", ours), ("limit", limit), "<= 1.10", rounds_at_least=8, steps=steps, seeds=seeds)


def main(path: str, *chosen: str) -> None:
    """Measure all points, or those that are named as 50x64."""
    points = [tuple(map(int, each.split("x"))) for each in chosen] or POINTS
    done = [measure(depth, width) for measure in (plain_step, instrumented_step) for depth, width in points]
    for depth, width in points:
        small = depth * width <= 50 * 128
        done.append(training_loop(depth, width, steps=100 if small else 50, seeds=4 if small else 2))
    write_comparisons(Path(path), done)


if __name__ == "__main__":
    main(*sys.argv[1:])
