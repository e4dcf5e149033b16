"""Autoencoders: a divergence beside a mean of errors."""

import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import mlp
from faults.problems import digits, own
from faults.registry import Setup, ninth


@ninth(
    "collapse",
    kind="weight of a divergence",
    family="autoencoder",
    source="github.com/AntixK/PyTorch-VAE/issues/56",
    title="KLD Weight",
)
def divergence_of_full_weight(broken: bool) -> Setup:
    """Pictures through a code of eight numbers, by the mean of squared errors and the divergence of the code.

    Seen: with a weight of one it cannot learn to reconstruct; why is it 0.00025? Answer: it balances the two, since the
    other part is a mean over pixels.
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
        weight = 1.0 if broken else 0.00025
        return ((found - batch[0]) ** 2).mean() + weight * divergence.sum(1).mean(), hidden

    def error(params):
        return ((back(params, x, 0 * noise, None)[0] - x) ** 2).mean() / x.var(0).mean()

    return own(params, loss, (x, noise), optax.adam(3e-3), error, steps=500, batch=64)
