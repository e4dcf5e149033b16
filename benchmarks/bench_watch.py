"""What watching an optimizer costs: `pytest benchmarks/bench_watch.py --benchmark-only`.

Ten steps in one scan, plain and watched every ten steps, interleaved; `overhead` in `extra_info` is the median of the
rounds' ratios less one, and `low` and `high` the ends of its 95 % bootstrap interval.
"""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import vgbench as vg
from vgbench.statistics import bootstrap_median

EVERY, ROUNDS = 10, 60
SHAPES = [(8, 256, 128), (4, 512, 128), (16, 128, 64)]


def loss(params: list[jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
    for weights in params[:-1]:
        x = jax.nn.relu(x @ weights)
    return optax.softmax_cross_entropy_with_integer_labels(x @ params[-1], y).mean()


def ten_steps(optimizer: optax.GradientTransformation, batch: Any) -> Callable[..., Any]:
    extra = optax.with_extra_args_support(optimizer)

    def step(carry: Any, _: None) -> tuple[Any, None]:
        params, state = carry
        value, gradients = jax.value_and_grad(loss)(params, *batch)
        updates, state = extra.update(gradients, state, params, value=value)
        return (optax.apply_updates(params, updates), state), None

    return jax.jit(lambda carry: jax.lax.scan(step, carry, length=EVERY)[0], donate_argnums=0)


@pytest.mark.parametrize(("depth", "width", "examples"), SHAPES)
@pytest.mark.benchmark(group="watch")
def test_watching_every_ten_steps(benchmark: BenchmarkFixture, depth: int, width: int, examples: int) -> None:
    keys = jax.random.split(jax.random.key(0), depth)
    params = [jax.random.normal(key, (width, width)) * (2 / width) ** 0.5 for key in keys]
    batch = jax.random.normal(keys[0], (examples, width)), jnp.arange(examples) % 10
    plain, watched = optax.adam(1e-3), vg.watch(optax.adam(1e-3), every=EVERY)
    runs = [(ten_steps(each, batch), each.init(params)) for each in (plain, watched)]
    carries = [jax.block_until_ready(run((jax.tree.map(jnp.copy, params), state))) for run, state in runs]
    ratios = []
    for i in range(ROUNDS):
        seconds = [0.0, 0.0]
        for which in (0, 1) if i % 2 else (1, 0):
            begin = time.perf_counter()
            carries[which] = jax.block_until_ready(runs[which][0](carries[which]))
            seconds[which] = time.perf_counter() - begin
        ratios.append(seconds[1] / seconds[0])
    interval = bootstrap_median(np.asarray(ratios[10:]))
    benchmark.extra_info |= {"overhead": interval.value - 1, "low": interval.low - 1, "high": interval.high - 1}

    def watched_steps() -> None:
        carries[1] = jax.block_until_ready(runs[1][0](carries[1]))

    benchmark(watched_steps)
