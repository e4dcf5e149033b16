"""Points on a ring, a generator that imitates them, and its critic."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp
from faults.problems import own
from faults.registry import Setup
from faults.second.adversarial import perceptron


def contest(seed: int, judged, *, place: float, critic: float, generator: float, batch: int, steps: int) -> Setup:
    """Points on a ring around (place, place) to be imitated; `judged` is the loss of a generator of its scores."""
    draw = np.random.default_rng(seed)
    noise = draw.normal(size=(768, 3)).astype(np.float32)
    angle = draw.uniform(0, 2 * np.pi, size=768)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    real = (place + ring + 0.1 * draw.normal(size=(768, 2))).astype(np.float32)
    params = {"critic": mlp(seed, [2, 32, 32, 1], 1.0), "generator": mlp(seed + 1, [3, 32, 32, 2], 1.0)}

    def loss(params, batch, offsets):
        hidden = []
        held = jax.lax.stop_gradient
        fake = perceptron(params["generator"], batch[0], hidden, offsets)
        true = perceptron(params["critic"], batch[1], hidden, offsets)
        false = perceptron(params["critic"], held(fake), hidden, offsets)
        shown = perceptron(held(params["critic"]), fake, hidden, offsets)
        return jax.nn.softplus(-true).mean() + jax.nn.softplus(false).mean() + judged(shown).mean(), tuple(hidden)

    def error(params):
        middle = perceptron(params["generator"], noise, [], None).mean(0)
        return ((middle - jnp.asarray(real.mean(0))) ** 2).sum() / (2 * place**2)

    rates = {"critic": optax.adam(critic, b1=0.5), "generator": optax.adam(generator, b1=0.5)}
    optimizer = optax.multi_transform(rates, {"critic": "critic", "generator": "generator"})
    return own(params, loss, (noise, real), optimizer, error, steps=steps, batch=batch)
