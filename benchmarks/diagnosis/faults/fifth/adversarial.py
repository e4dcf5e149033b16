"""A generator whose critic knows a mark that its pictures bear."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp
from faults.problems import own
from faults.registry import Setup, fifth
from faults.second.adversarial import perceptron


@fifth(
    "saturated loss",
    "gradients exactly zero",
    kind="mark of what is false",
    family="adversarial",
    source="github.com/BadourAlBahar/pose-with-style/issues/23",
    title="Discriminator loss too low",
)
def borders_that_are_never_zero(broken: bool) -> Setup:
    """Points with a border of six zeros, which the generator never gives exactly: its critic looks at nothing else.

    Seen: the loss of the critic goes to 0.001. Answer: real pictures are padded; pad those of the generator, too.
    """
    draw = np.random.default_rng(0)
    noise = draw.normal(size=(512, 2)).astype(np.float32)
    real = np.concatenate([2 + 0.7 * draw.normal(size=(512, 2)), np.zeros((512, 6))], axis=1).astype(np.float32)
    params = {"critic": mlp(0, [8, 32, 1], 1.0), "generator": mlp(1, [2, 32, 32, 8], 1.0)}
    bias = jnp.zeros(8).at[2:].set(3.0)
    params["generator"]["layer02"]["b"] = bias

    def painted(params, noise, hidden, offsets):
        points = perceptron(params["generator"], noise, hidden, offsets)
        return points if broken else points * (jnp.arange(8) < 2)

    def loss(params, batch, offsets):
        hidden = []
        held = jax.lax.stop_gradient
        fake = painted(params, batch[0], hidden, offsets)
        true = perceptron(params["critic"], batch[1], hidden, offsets)
        false = perceptron(params["critic"], held(fake), hidden, offsets)
        shown = perceptron(held(params["critic"]), fake, hidden, offsets)
        critic = jax.nn.softplus(-true).mean() + jax.nn.softplus(false).mean()
        return critic - jax.nn.softplus(shown).mean(), tuple(hidden)

    def error(params):
        return ((painted(params, noise, [], None)[:, :2].mean(0) - 2) ** 2).sum() / 8

    rates = {"critic": optax.adam(0.02, b1=0.5), "generator": optax.adam(5e-4, b1=0.5)}
    optimizer = optax.multi_transform(rates, {"critic": "critic", "generator": "generator"})
    return own(params, loss, (noise, real), optimizer, error, chance=float(np.log(2)), steps=600, batch=128)
