"""Learning-rate schedules by their closed forms, and optimizers on a problem that any of them can solve."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import vgbench as vg
from vgbench.measure.step import make_optimizer
from vgbench.spec.registry import OPTIMIZERS, SCHEDULES

STEPS = 100


def factors(schedule: Any, warmup_steps: int = 0) -> np.ndarray:
    """What plain gradient descent multiplies a gradient of 1 by at each step, at learning rate 1."""
    plain: Any = {"name": "sgd", "momentum": 0.0}
    case = vg.Case(schedule=schedule, optimizer=plain, steps=STEPS, warmup_steps=warmup_steps)
    optimizer = make_optimizer(case, 1.0, scanned=False)

    def step(state: Any, _: None) -> tuple[Any, jax.Array]:
        update: Any
        update, state = optimizer.update(jnp.ones(()), state)
        return state, -update

    return np.asarray(jax.lax.scan(step, optimizer.init(jnp.zeros(())), None, STEPS)[1])


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", lambda t: np.ones_like(t)),
        ({"name": "linear", "final": 0.2}, lambda t: 1 - 0.8 * t / STEPS),
        ({"name": "cosine", "final": 0.1}, lambda t: 0.1 + 0.45 * (1 + np.cos(np.pi * t / STEPS))),
        ("inverse_root", lambda t: (t + 1) ** -0.5),
        ({"name": "trapezoid", "decay": 0.25}, lambda t: np.minimum(1, (STEPS - t) / 25)),
    ],
)
def test_schedule_is_its_closed_form(schedule: Any, expected: Any) -> None:
    np.testing.assert_allclose(factors(schedule), expected(np.arange(STEPS, dtype=float)), rtol=2e-5)


@pytest.mark.parametrize("name", [member.name for member in SCHEDULES])
def test_schedule_begins_after_the_warm_up_where_that_ends(name: str) -> None:
    warm = factors(name, warmup_steps=20)
    np.testing.assert_allclose(warm[:20], np.arange(1, 21) / 20, rtol=1e-6)
    assert warm[19] == pytest.approx(warm.max())
    assert (np.diff(warm[20:]) <= 1e-6).all()


def test_inverse_root_with_a_warm_up_is_the_transformers_schedule() -> None:
    t = np.arange(1, STEPS + 1)
    np.testing.assert_allclose(factors("inverse_root", 20) / 20**0.5, np.minimum(t**-0.5, t * 20**-1.5), rtol=1e-5)


@pytest.mark.parametrize("name", [member.name for member in OPTIMIZERS])
def test_optimizer_lowers_a_quadratic(name: str) -> None:
    scales = jnp.asarray([[1.0, 0.5], [0.25, 2.0]])
    start = {"input_layer": {"w": jnp.ones((2, 2))}, "blocks": (), "output_layer": {"w": jnp.full((2, 2), -1.0)}}
    optimizer = make_optimizer(vg.Case(**{"optimizer": name}), 1.0 if name in AT_ONE else 0.05, scanned=False)

    def loss(params: Any) -> jax.Array:
        return jnp.sum(jnp.stack([scales * jnp.square(leaf) for leaf in jax.tree.leaves(params)])) / 2

    def step(carry: Any, _: None) -> tuple[Any, None]:
        params, state = carry
        value, gradients = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradients, state, params, value=value)
        return (optax.apply_updates(params, updates), state), None

    (params, _), _ = jax.jit(lambda carry: jax.lax.scan(step, carry, None, 300))((start, optimizer.init(start)))
    assert float(loss(params)) < float(loss(start)) / 2


AT_ONE = ("adadelta", "cocob", "dog", "dowg", "dadapt_adamw", "prodigy", "polyak_sgd", "momo", "momo_adam", "lars")
"""Optimizers that find the size of their steps; the learning rate multiplies it."""
