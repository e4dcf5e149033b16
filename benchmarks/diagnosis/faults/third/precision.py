"""Sixteen bits, a third time."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, third
from faults.second.contrastive import unit


@third(
    "underflow",
    "gradients exactly zero",
    kind="loss scale",
    family="regression",
    source="github.com/engichang1467/Open-Rig3R/issues/35",
    title="autocast defaults to fp16 with no GradScaler — gradients can silently underflow to zero",
)
def rays_without_a_scale(broken: bool) -> Setup:
    """Directions of rays in float16, whose small weight in the loss makes gradients smaller than float16 knows.

    Seen: float16 without a scaler, in which small gradients become zero. Answer: bfloat16, or a scale of the loss.
    """
    weight, scale = 1e-7, 1.0 if broken else 2.0**18
    draw = np.random.default_rng(0)
    x = draw.normal(size=(512, 8)).astype(np.float16)
    y = np.tanh(x.astype(np.float32) @ draw.normal(size=(8, 3)) / 2)
    y = (y / np.linalg.norm(y, axis=1, keepdims=True)).astype(np.float32)

    def rays(params, x, offsets):
        half = jax.tree.map(lambda leaf: leaf.astype(jnp.float16), params)
        out, hidden = perceptron(half, x, offsets, "tanh")
        return out, hidden

    def loss(params, batch, offsets):
        out, hidden = rays(params, batch[0], offsets)
        apart = 1 - (unit(out.astype(jnp.float32)) * batch[1]).sum(1)
        return scale * weight * apart.mean(), hidden

    def error(params):
        return (1 - (unit(rays(params, x, None)[0].astype(jnp.float32)) * y).sum(1)).mean()

    optimizer = optax.chain(optax.scale(1 / (scale * weight)), optax.adam(3e-3))
    chance = scale * weight * float(1 - np.linalg.norm(y.mean(0)))
    return own(mlp(0, [8, 48, 48, 3], 1.0), loss, (x, y), optimizer, error, chance=chance, steps=400, batch=256)
