"""Likelihoods: an epsilon that rounds away."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp
from faults.problems import digits, own
from faults.registry import Setup, sixth


@sixth(
    "not-a-number loss",
    "not-a-number gradients",
    kind="logarithm of zero",
    family="likelihood",
    source="github.com/iusaspb/deep_learning_Nikolenko_and_Co/issues/1",
    title="[Potential NAN bug] Loss may become NAN during training even if 1e-10 was added in log()",
)
def epsilon_that_one_swallows(broken: bool) -> Setup:
    """Pictures in black and white and their code, whose logarithms are kept from zero by 1e-10, which one swallows.

    Seen: the loss becomes NaN although 1e-10 is added. Answer: it is too small for the precision; 1e-7 solves it.
    """
    x = (digits()[0] > 0).astype(np.float32)
    noise = np.random.default_rng(0).normal(size=(len(x), 8)).astype(np.float32)
    epsilon = jnp.float32(1e-10 if broken else 1e-6)
    params = {"encoder": mlp(0, [64, 64, 16]), "decoder": mlp(1, [8, 64, 64])}

    def back(params, x, noise, offsets):
        hidden = []
        h = activated("softplus", linear(params["encoder"]["layer00"], x), hidden, offsets)
        mean, log = jnp.split(linear(params["encoder"]["layer01"], h), 2, axis=1)
        log = 5 * jnp.tanh(log / 5)
        h = mean + jnp.exp(log / 2) * noise
        h = activated("softplus", linear(params["decoder"]["layer00"], h), hidden, offsets)
        return jax.nn.sigmoid(linear(params["decoder"]["layer01"], h)), mean, log, tuple(hidden)

    def loss(params, batch, offsets):
        p, mean, log, hidden = back(params, *batch, offsets)
        seen = batch[0] * jnp.log(epsilon + p) + (1 - batch[0]) * jnp.log(epsilon + 1 - p)
        divergence = 0.5 * (mean**2 + jnp.exp(log) - log - 1).sum(1)
        return (0.1 * divergence - seen.sum(1)).mean(), hidden

    p = np.clip(x.mean(0), 1e-6, 1 - 1e-6)
    chance = float(-(p * np.log(p) + (1 - p) * np.log(1 - p)).sum())

    def error(params):
        return ((back(params, x[:400], 0 * noise[:400], None)[0] - x[:400]) ** 2).mean() / x.var(0).mean()

    return own(params, loss, (x, noise), optax.adam(0.02), error, chance=chance, steps=600, batch=64)
