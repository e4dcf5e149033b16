"""Autoencoders: a default rate, an encoder without an optimizer, and a bound that is no bound."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.eleventh.autoencoders import by_noisy_codes
from faults.fifth.contrastive import embedded
from faults.nets import activated, mlp, perceptron
from faults.problems import digits, own
from faults.registry import Setup, twelfth


def shares():
    """Pictures between zero and one."""
    x = digits()[0]
    return ((x - x.min()) / (x.max() - x.min())).astype(np.float32)


@twelfth(
    "learning rate too small",
    kind="default rate",
    family="autoencoder",
    source="github.com/tensorflow/tensorflow/issues/39432",
    title="tensorflow.keras behaves wrongly in autoencoder setup compared to keras",
)
def default_of_another_library(broken: bool) -> Setup:
    """Pictures through sixteen numbers, by adadelta at the rate that one library has by default, or that another has.

    Seen: the same example converges fast in one library, and not in the other. Answer: none that can be read; the
    default rates are one, and a thousandth.
    """
    x = shares()

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "relu")
        return optax.sigmoid_binary_cross_entropy(found, batch[0]).mean(), hidden

    def error(params):
        found = jax.nn.sigmoid(perceptron(params, x, None, "relu")[0])
        return ((found - x) ** 2).mean() / x.var(0).mean()

    mean = x.mean(0)
    chance = float(optax.sigmoid_binary_cross_entropy(np.log((mean + 1e-6) / (1 - mean + 1e-6)), x).mean())
    optimizer = optax.adadelta(1e-3 if broken else 1.0, rho=0.95, eps=1e-7)
    return own(mlp(1227, [64, 16, 64]), loss, (x,), optimizer, error, chance=chance, steps=800, batch=64)


@twelfth(
    "frozen",
    kind="optimizer of one half",
    family="autoencoder",
    source="github.com/PacktPublishing/Hands-On-Image-Generation-with-TensorFlow-2.0/issues/24",
    title="gaugan encoder not training",
)
def encoder_that_is_never_updated(broken: bool) -> Setup:
    """Pictures through four noisy numbers, by an encoder whose parameters are never updated, and a decoder.

    Seen: the parameters of the encoder are never updated. Answer: a change is asked for; open.
    """
    x = digits()[0]
    noise = np.random.default_rng(1229).normal(size=(len(x), 4)).astype(np.float32)
    params = {"encoder": mlp(1229, [64, 64, 8], 1.0), "decoder": mlp(1230, [4, 64, 64], 1.0)}

    def loss(params, batch, offsets):
        found, divergence, hidden = by_noisy_codes(params, batch[0], batch[1], offsets)
        return ((found - batch[0]) ** 2).mean() + 0.001 * divergence.mean(), hidden

    def error(params):
        return ((by_noisy_codes(params, x, 0 * noise, None)[0] - x) ** 2).mean() / x.var(0).mean()

    rates = {"decoder": optax.adam(5e-3), "encoder": optax.set_to_zero() if broken else optax.adam(5e-3)}
    optimizer = optax.multi_transform({**rates}, {"encoder": "encoder", "decoder": "decoder"})
    chance = float(x.var(0).mean())
    return own(params, loss, (x, noise), optimizer, error, chance=chance, steps=700, batch=64)


@twelfth(
    "not-a-number loss",
    "not-a-number gradients",
    kind="bound that rounds to one",
    family="autoencoder",
    source="github.com/casperkaae/parmesan/pull/32",
    title="address NaN issues",
)
def bound_that_rounds_to_one(broken: bool) -> Setup:
    """Dark figures on a bright ground through twelve noisy numbers, by shares that are kept within bounds.

    Seen: NaN in several places; a share is kept below one minus 1e-8, which float32 does not tell from one. Answer:
    1e-6; merged, as an option.
    """
    x = 1 - shares()
    noise = np.random.default_rng(1231).normal(size=(len(x), 12)).astype(np.float32)
    params = {"encoder": mlp(1231, [64, 64, 24]), "decoder": mlp(1232, [12, 64, 64])}
    small = 1e-8 if broken else 1e-6

    def back(params, x, noise, offsets):
        hidden = []
        mean, log = jnp.split(embedded(params["encoder"], x, hidden, offsets), 2, axis=1)
        found = embedded(params["decoder"], mean + jnp.exp(log / 2) * noise, hidden, offsets)
        share = jnp.clip(activated("sigmoid", found, hidden, offsets), small, 1 - small)
        return share, 0.5 * (mean**2 + jnp.exp(log) - 1 - log).sum(1), tuple(hidden)

    def loss(params, batch, offsets):
        share, divergence, hidden = back(params, batch[0], batch[1], offsets)
        likely = batch[0] * jnp.log(share) + (1 - batch[0]) * jnp.log(1 - share)
        return (0.1 * divergence - likely.sum(1)).mean(), hidden

    def error(params):
        found = back(params, x, 0 * noise, None)[0]
        return jnp.nan_to_num(((found - x) ** 2).mean() / x.var(0).mean(), nan=1e3)

    return own(params, loss, (x, noise), optax.adam(1e-2), error, steps=500, batch=64)
