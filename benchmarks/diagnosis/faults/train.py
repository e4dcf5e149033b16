"""Training a fault's run, and recording it in three ways."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import vgbench as vg
from faults.nets import ACTIVATIONS
from faults.registry import Setup
from vgbench.boundary.run_lines import plain

RECORDS = 11
WAYS = ("bare", "default", "full")
"""What `vg.watch` keeps with the loss; the same with the constant answer's level; everything that a record may hold."""


@dataclass(frozen=True)
class Outcome:
    """What a run showed: the lines of its run file by way of recording, and the error that was left."""

    lines: dict[str, list[dict[str, Any]]]
    error: float


def train(setup: Setup) -> Outcome:
    """Train and record."""
    every = setup.steps // (RECORDS - 1)
    optimizer = vg.watch(setup.optimizer, every, keep=RECORDS)
    probe = jax.tree.map(lambda array: jnp.asarray(array[:256]), setup.data)
    look, kinds = jax.jit(partial(_look, setup, probe)), _kinds(setup, probe)

    @jax.jit
    def advance(params: Any, state: Any, batches: Any) -> Any:
        def step(carry: Any, rows: Any) -> Any:
            params, state = carry
            batch = jax.tree.map(lambda array: jnp.asarray(array)[rows], setup.data)
            (loss, _), gradients = jax.value_and_grad(setup.loss, has_aux=True)(params, batch, None)
            updates, state = optimizer.update(gradients, state, params, value=loss)
            return (setup.apply(params, updates), state), None

        return jax.lax.scan(step, (params, state), batches)[0]

    params, state, seen = setup.params, optimizer.init(setup.params), []
    for batches in _batches(setup, every):
        accuracy = {} if setup.accuracy is None else {"accuracy": setup.accuracy(params)}
        seen.append({"modules": _modules(kinds, jax.device_get(look(params))), **accuracy})
        params, state = advance(params, state, batches)
    records = vg.watched(state)
    chance = {} if setup.chance is None else {"chance": setup.chance}
    fair = {} if setup.chance_accuracy is None else {"chance_accuracy": setup.chance_accuracy}
    full = [record | more | chance | fair for record, more in zip(records, seen, strict=True)]
    header = {"format": "vgbench-run", "batch": {"0": _moments(setup.data[0])}}
    lines = {"bare": records, "default": [record | chance for record in records], "full": [header, *full]}
    return Outcome(plain(lines), setup.error(params))


def _batches(setup: Setup, every: int) -> Iterator[Any]:
    examples = len(setup.data[0])
    draw = np.random.default_rng(1)
    for _ in range(RECORDS):
        if setup.batch is None:
            yield np.tile(np.arange(examples), (every, 1))
        else:
            yield draw.integers(examples, size=(every, setup.batch))


def _look(setup: Setup, batch: Any, params: Any) -> Any:
    _, hidden = setup.loss(params, batch, None)
    offsets = [jnp.zeros_like(h) for _, _, h in hidden]
    gradients = jax.grad(lambda given: setup.loss(params, batch, given)[0])(offsets)
    return [
        _point(kind, z[i], h[i], g[i])
        for (kind, z, h), g in zip(hidden, gradients, strict=True)
        for z, h, g in [(z, h, g) if setup.timed else (z[None], h[None], g[None])]
        for i in range(len(h))
    ]


def _point(kind: str, z: Any, h: Any, g: Any) -> dict[str, Any]:
    z, h, g = (each.astype(jnp.float32).reshape(len(each), -1) for each in (z, h, g))
    slope = jnp.abs(jax.vmap(jax.grad(ACTIVATIONS[kind]))(z.reshape(-1)).reshape(z.shape))
    most = jnp.max(jnp.abs(jax.vmap(jax.grad(ACTIVATIONS[kind]))(jnp.linspace(-8, 8, 801))))
    largest = jnp.max(jnp.abs(g))
    scaled = jnp.where(largest > 0, g / jnp.where(largest > 0, largest, 1), 0)
    return {
        "signal": jnp.log10(largest) + jnp.log10(jnp.sqrt((scaled**2).sum())),
        "scale": jnp.log10(jnp.sqrt((h**2).mean())),
        "spread": jnp.log10(jnp.sqrt(((h - h.mean(axis=0)) ** 2).mean())),
        "largest": jnp.abs(h).max(),
        "mean": h.mean(),
        "zero": (h == 0).mean(),
        "dead": (slope == 0).all(axis=0).mean(),
        "saturated": (slope < 0.05 * most).mean(),
    }


def _modules(kinds: Sequence[str], points: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The points as a run file has them; where all scores of attention are, the largest of them."""
    named = {}
    for i, (kind, point) in enumerate(zip(kinds, points, strict=True)):
        numbers = {name: float(value) for name, value in point.items()}
        if kind == "scores":
            named[f"attention[{i}]"] = {"largest_logit": numbers["largest"]}
            continue
        if kind != "relu":
            del numbers["dead"]
        if kind == "linear":
            del numbers["saturated"]
        named[f"h[{i}]"] = numbers | ({} if kind == "linear" else {"activation": kind})
    return named


def _kinds(setup: Setup, batch: Any) -> list[str]:
    _, hidden = jax.eval_shape(setup.loss, setup.params, batch, None)
    return [str(kind) for kind, _, h in hidden for _ in range(len(h) if setup.timed else 1)]


def _moments(array: Any) -> dict[str, Any]:
    values = np.asarray(array)
    if not np.issubdtype(values.dtype, np.floating):
        return {"dtype": str(values.dtype)}
    finite = values[np.isfinite(values)].astype(np.float64)
    return {
        "dtype": str(values.dtype),
        "mean": float(finite.mean()),
        "deviation": float(finite.std()),
        "largest": float(np.abs(finite).max()),
    }
