"""Autoencoders: a mean of errors beside a sum, and sixteen bits."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import activated, mlp, perceptron
from faults.problems import digits, own
from faults.registry import Setup, tenth


@tenth(
    "collapse",
    kind="mean beside a sum",
    family="autoencoder",
    source="github.com/keras-team/keras/pull/3383",
    title="Correcting the reconstruction loss in Variational Autoencoder example.",
)
def errors_that_are_averaged_over_pixels(broken: bool) -> Setup:
    """Pictures through a code of ten numbers, by what pixels cost and the divergence of the code, which is a sum.

    Seen: the example does not work, due to an extremely small cost of pixels: it is their mean. Answer: multiplied by
    the number of pixels again; merged.
    """
    x = digits()[0]
    shown = ((x - x.min()) / (x.max() - x.min())).astype(np.float32)
    noise = np.random.default_rng(841).normal(size=(len(x), 10)).astype(np.float32)
    params = {"encoder": mlp(841, [64, 64, 20], 1.0), "decoder": mlp(842, [10, 64, 64], 1.0)}

    def back(params, x, noise, offsets):
        hidden = []
        mean, log = jnp.split(embedded(params["encoder"], x, hidden, offsets, "tanh"), 2, axis=1)
        mean = activated("linear", mean, hidden, offsets)
        found = embedded(params["decoder"], mean + jnp.exp(log / 2) * noise, hidden, offsets, "tanh")
        return found, 0.5 * (mean**2 + jnp.exp(log) - 1 - log), tuple(hidden)

    def loss(params, batch, offsets):
        found, divergence, hidden = back(params, batch[0], batch[2], offsets)
        pixels = optax.sigmoid_binary_cross_entropy(found, batch[1]).mean(1)
        return (pixels * (1 if broken else 64) + divergence.sum(1)).mean(), hidden

    def error(params):
        found = jax.nn.sigmoid(back(params, x, 0 * noise, None)[0])
        return ((found - shown) ** 2).mean() / shown.var(0).mean()

    return own(params, loss, (x, shown, noise), optax.adam(5e-3), error, steps=400, batch=64)


@tenth(
    "underflow",
    "gradients exactly zero",
    kind="precision",
    family="autoencoder",
    source="github.com/warner-benjamin/optimi/pull/15",
    title="Make float16 actually work using gradient and optimizer state scaling",
)
def pictures_back_in_float16(broken: bool) -> Setup:
    """Pictures through ten numbers, in float16, by the mean over all pixels of many pictures, with or without a scale.

    Seen: training in float16 does not work, because gradients underflow. Answer: a scale for the gradients and one for
    the optimizer's moments; here one for the gradients, and moments in float32.
    """
    x = digits()[0]
    scale, share = 1.0 if broken else 2.0**14, 1e-4
    params = mlp(843, [64, 40, 10, 40, 64], 1.0)

    def loss(params, batch, offsets):
        halves = jax.tree.map(lambda w: w.astype(jnp.float16), params)
        back, hidden = perceptron(halves, batch[0].astype(jnp.float16), offsets, "tanh")
        off = back.astype(jnp.float32) - batch[0]
        return scale * share * (off**2).mean(), hidden

    def error(params):
        return ((perceptron(params, x, None, "tanh")[0] - x) ** 2).mean() / x.var(0).mean()

    chance = float(scale * share * x.var(0).mean())
    return own(params, loss, (x,), optax.adam(3e-3, eps=1e-12), error, chance=chance, steps=400, batch=256)
