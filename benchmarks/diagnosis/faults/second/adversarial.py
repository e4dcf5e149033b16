"""A generator and its critic, trained together."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp
from faults.problems import own
from faults.registry import Setup, second


def perceptron(params, x, hidden, offsets):
    """Like that of nets, for networks that share one list of hidden points."""
    *layers, last = (params[name] for name in sorted(params))
    for layer in layers:
        x = activated("tanh", linear(layer, x), hidden, offsets)
    return linear(last, x)


def duel(*, cut: bool, near: bool = False, steps: int = 600, rate: Any = 1e-3) -> Setup:
    """Points around (2, 2) to be imitated; with `cut` the generator's step sees its points as constants.

    With `near` the generator begins at the right place; `rate` is the learning rate or its schedule.
    """
    draw = np.random.default_rng(0)
    noise = draw.normal(size=(512, 2)).astype(np.float32)
    real = (2 + 0.7 * draw.normal(size=(512, 2))).astype(np.float32)
    params = {"critic": mlp(0, [2, 32, 32, 1], 1.0), "generator": mlp(1, [2, 32, 32, 2], 1.0)}
    if near:
        params["generator"]["layer02"]["b"] = jnp.array([2.0, 2.0])

    def loss(params, batch, offsets):
        hidden = []
        held = jax.lax.stop_gradient
        fake = perceptron(params["generator"], batch[0], hidden, offsets)
        judged = perceptron(params["critic"], jnp.concatenate([batch[1], held(fake)]), hidden, offsets)[:, 0]
        true, false = jnp.split(judged, 2)
        critic = (jax.nn.softplus(-true) + jax.nn.softplus(false)).mean()
        shown = perceptron(held(params["critic"]), held(fake) if cut else fake, hidden, offsets)[:, 0]
        return critic + jax.nn.softplus(-shown).mean(), tuple(hidden)

    def error(params):
        fake = perceptron(params["generator"], noise, [], None)
        return ((fake.mean(0) - 2) ** 2).sum() / 8

    optimizer = optax.adam(rate, b1=0.5)
    return own(params, loss, (noise, real), optimizer, error, chance=3 * float(np.log(2)), steps=steps, batch=128)


@second(
    "gradients exactly zero",
    "frozen",
    kind="gradient that is cut off",
    family="adversarial",
    source="github.com/nikhilsinghmus/image2reverb/issues/37",
    title="Is fake_spec.detach() in Generator training step intentional?",
)
def generator_cut_off(broken: bool) -> Setup:
    """A generator whose own step hands its points to the critic as constants."""
    return duel(cut=broken)
