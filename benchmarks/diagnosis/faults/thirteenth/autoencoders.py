"""Autoencoders: weights of unit deviation, features as they are, outputs that cannot be negative, a wrong sign."""

import jax
import numpy as np
import optax

from faults.eleventh.autoencoders import by_noisy_codes
from faults.nets import activated, mlp
from faults.problems import digits, own, reconstruction
from faults.registry import Setup, thirteenth
from faults.twelfth.autoencoders import shares


@thirteenth(
    "exploding",
    "first loss too large",
    kind="initialisation",
    family="autoencoder",
    source="github.com/aymericdamien/TensorFlow-Examples/pull/169",
    title="autoencode - correct deep nn initalization",
)
def weights_of_unit_deviation(broken: bool) -> Setup:
    """Pictures through twelve numbers, by eight layers whose weights have unit deviation, or one that fits their size.

    Seen: a wrong initialisation leads to exploding gradients. Answer: the change; open.
    """
    params = mlp(1441, [64, 64, 64, 64, 12, 64, 64, 64, 64])
    if broken:
        params = {
            name: layer | {"w": jax.random.normal(jax.random.key(1442 + i), layer["w"].shape)}
            for i, (name, layer) in enumerate(sorted(params.items()))
        }
    return reconstruction(params, optax.adam(1e-3), x=digits()[0], kind="relu", steps=400)


@thirteenth(
    "far from unit scale",
    "saturation",
    "collapse",
    kind="scale of the features",
    family="autoencoder",
    source="github.com/microsoft/CNTK/issues/2235",
    title="Problems with the output from autoencoder",
)
def features_as_they_are(broken: bool) -> Setup:
    """Pictures of shades between -1000 and 2000 through sixteen numbers, as they are, or on the scale of an example.

    Seen: results are very small and unlike the features, which were not scaled as in the example. Answer: none; the
    report's own: that is the difference.
    """
    x = digits()[0]
    shade = 3000 * (x - x.min()) / (x.max() - x.min()) - 1000
    x = (shade if broken else (shade - shade.mean()) / 1024).astype(np.float32)
    return reconstruction(mlp(1443, [64, 64, 16, 64, 64], 1.0), optax.adam(2e-3), x=x, kind="tanh", steps=400)


@thirteenth(
    "units that died",
    kind="rectified output",
    family="autoencoder",
    source="github.com/yzhao062/pyod/issues/651",
    title="VAE with ReLU in last decoder layer",
)
def outputs_that_cannot_be_negative(broken: bool) -> Setup:
    """Features of which most are below zero, through four noisy numbers, by outputs that are rectified, or not.

    Seen: outputs end in a rectifier, whereas features may have any sign. Answer: since a later version, outputs are as
    they are by default.
    """
    draw = np.random.default_rng(1445)
    code = draw.normal(size=(1500, 4))
    x = (np.tanh(code @ draw.normal(size=(4, 24))) - 1.0).astype(np.float32)
    noise = draw.normal(size=code.shape).astype(np.float32)
    params = {"encoder": mlp(1445, [24, 48, 8]), "decoder": mlp(1446, [4, 48, 24])}

    def back(params, x, noise, offsets):
        found, divergence, hidden = by_noisy_codes(params, x, noise, offsets)
        points = [*hidden]
        found = activated("relu", found, points, offsets) if broken else found
        return found, divergence, tuple(points)

    def loss(params, batch, offsets):
        found, divergence, hidden = back(params, batch[0], batch[1], offsets)
        return ((found - batch[0]) ** 2).mean() + 1e-3 * divergence.mean(), hidden

    def error(params):
        return ((back(params, x, 0 * noise, None)[0] - x) ** 2).mean() / x.var(0).mean()

    chance = float(x.var(0).mean())
    return own(params, loss, (x, noise), optax.adam(3e-3), error, chance=chance, steps=500, batch=64)


@thirteenth(
    "updates point uphill",
    kind="wrong sign",
    family="autoencoder",
    source="github.com/aicenter/GenerativeModels.jl/issues/69",
    title="fix sign of elbo",
)
def bound_that_is_lowered(broken: bool) -> Setup:
    """Shares of ink through eight noisy numbers, by a bound of their likelihood that is lowered, or raised.

    Seen: the sign of the bound is wrong. Answer: it is fixed; closed.
    """
    x = shares()
    noise = np.random.default_rng(1447).normal(size=(len(x), 8)).astype(np.float32)
    params = {"encoder": mlp(1447, [64, 64, 16], 1.0), "decoder": mlp(1448, [8, 64, 64], 1.0)}

    def loss(params, batch, offsets):
        found, divergence, hidden = by_noisy_codes(params, batch[0], batch[1], offsets)
        each = optax.sigmoid_binary_cross_entropy(found, batch[0]).sum(1)
        return (each + 0.05 * divergence).mean(), hidden

    def error(params):
        found = jax.nn.sigmoid(by_noisy_codes(params, x, 0 * noise, None)[0])
        return ((found - x) ** 2).mean() / x.var(0).mean()

    up = optax.scale(3e-4)
    mean = np.clip(x.mean(0), 1e-4, 1)
    chance = float(-(mean * np.log(mean) + (1 - mean) * np.log(1 - mean)).sum())
    return own(params, loss, (x, noise), up if broken else optax.adam(5e-3), error, chance=chance, steps=400, batch=64)
