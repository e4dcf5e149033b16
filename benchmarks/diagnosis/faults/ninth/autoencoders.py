"""Autoencoders: a mean of errors beside a divergence."""

import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import mlp
from faults.problems import digits, own
from faults.registry import Setup, ninth


@ninth(
    "collapse",
    kind="mean where a sum is meant",
    family="autoencoder",
    source="github.com/AppliedDataSciencePartners/WorldModels/issues/12",
    title="VAE performance is bad (with standard parameters)",
)
def means_over_all_dimensions(broken: bool) -> Setup:
    """Pictures through a code of eight numbers, by the mean of squared errors and the mean divergence.

    Seen: the divergence is 4e-7, and the posterior collapses. Answer: the original sums over all dimensions, and
    averages over the batch alone.
    """
    x = digits()[0]
    noise = np.random.default_rng(631).normal(size=(len(x), 8)).astype(np.float32)
    params = {"encoder": mlp(631, [64, 48, 16], 1.0), "decoder": mlp(632, [8, 48, 64], 1.0)}

    def back(params, x, noise, offsets):
        hidden = []
        mean, log = jnp.split(embedded(params["encoder"], x, hidden, offsets, "tanh"), 2, axis=1)
        found = embedded(params["decoder"], mean + jnp.exp(log / 2) * noise, hidden, offsets, "tanh")
        return found, 0.5 * (mean**2 + jnp.exp(log) - 1 - log), tuple(hidden)

    def loss(params, batch, offsets):
        found, divergence, hidden = back(params, batch[0], batch[1], offsets)
        wrong = (found - batch[0]) ** 2
        if broken:
            return wrong.mean() + divergence.mean(), hidden
        return (0.5 * wrong.sum(1) + 0.1 * divergence.sum(1)).mean(), hidden

    def error(params):
        return ((back(params, x, 0 * noise, None)[0] - x) ** 2).mean() / x.var(0).mean()

    return own(params, loss, (x, noise), optax.adam(3e-3), error, steps=500, batch=64)
