"""Variational autoencoders: a deviation without a bound, and a mean in the place of a sum."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import optax

from faults.eleventh.autoencoders import by_noisy_codes
from faults.fifth.contrastive import embedded
from faults.nets import mlp
from faults.problems import digits, own
from faults.registry import Setup, thirteenth


@thirteenth(
    "not-a-number loss",
    "not-a-number gradients",
    kind="deviation without a bound",
    family="autoencoder",
    source="github.com/pyg-team/pytorch_geometric/issues/500",
    title="Reparametrization in VGAE model can cause NAN's",
)
def deviation_without_a_bound(broken: bool) -> Setup:
    """Pictures, a few of which are much brighter, through eight noisy numbers, whose log variance has a bound or none.

    Seen: the logarithm of the variance is not controlled, and its exponential leads to NaN. Answer: it is kept between
    bounds; closed.
    """
    x = digits()[0]
    bright = np.where(np.arange(len(x)) % 60 == 59, 400, 1)[:, None].astype(np.float32)
    noise = np.random.default_rng(1451).normal(size=(len(x), 8)).astype(np.float32)
    params = {"encoder": mlp(1451, [64, 64, 16]), "decoder": mlp(1452, [8, 64, 64])}

    def back(params, x, noise, offsets):
        hidden = []
        mean, log = jnp.split(embedded(params["encoder"], x, hidden, offsets), 2, axis=1)
        log = log if broken else jnp.clip(log, -10, 2)
        mean = jnp.clip(mean, -10, 10)
        found = embedded(params["decoder"], mean + jnp.exp(log / 2) * noise, hidden, offsets)
        return found, 0.5 * (mean**2 + jnp.exp(log) - 1 - log).sum(1), tuple(hidden)

    def loss(params, batch, offsets):
        found, divergence, hidden = back(params, batch[0] * batch[2], batch[1], offsets)
        return ((found - batch[0]) ** 2).mean() + 1e-3 * divergence.mean(), hidden

    def error(params):
        found = back(params, x, 0 * noise, None)[0]
        return jnp.nan_to_num(((found - x) ** 2).mean() / x.var(0).mean(), nan=1e3)

    chance = float(x.var(0).mean())
    return own(params, loss, (x, noise, bright), optax.adam(4e-3), error, chance=chance, steps=500, batch=64)


@thirteenth(
    "collapse",
    kind="mean where a sum is meant",
    family="autoencoder",
    source="github.com/YannDubs/disentangling-vae/issues/50",
    title="question on getting zero kl-divergence",
)
def mean_where_a_sum_is_meant(broken: bool) -> Setup:
    """Pictures through eight noisy numbers, by their divergence and the mean, or the sum, of errors over all pixels.

    Seen: the divergence becomes almost zero. Answer: compare it with the other part of the loss, which may be nothing
    beside it if it is averaged over what it should be summed over.
    """
    x = digits()[0]
    noise = np.random.default_rng(1453).normal(size=(len(x), 8)).astype(np.float32)
    params = {"encoder": mlp(1453, [64, 64, 16], 1.0), "decoder": mlp(1454, [8, 64, 64], 1.0)}

    back = partial(by_noisy_codes, seen=True)

    def loss(params, batch, offsets):
        found, divergence, hidden = back(params, batch[0], batch[1], offsets)
        off = (found - batch[0]) ** 2
        return ((off.mean(1) if broken else off.sum(1)) + divergence).mean(), hidden

    def error(params):
        return ((back(params, x, 0 * noise, None)[0] - x) ** 2).mean() / x.var(0).mean()

    chance = float(x.var(0).mean() if broken else x.var(0).sum())
    return own(params, loss, (x, noise), optax.adam(3e-3), error, chance=chance, steps=500, batch=64)
