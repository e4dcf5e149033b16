"""Autoencoders: pixels as they are, parameters of nobody, half of the parameters,
a divergence that weighs too much, and logistic units in a row."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import activated, mlp, perceptron
from faults.problems import digits, own, reconstruction
from faults.registry import Setup, eleventh


def by_noisy_codes(params, x, noise, offsets, seen: bool = False):
    """What a decoder makes of noisy codes, each code's divergence, and the points; `seen` makes the codes one, too."""
    hidden = []
    mean, log = jnp.split(embedded(params["encoder"], x, hidden, offsets, "tanh"), 2, axis=1)
    mean = activated("linear", mean, hidden, offsets) if seen else mean
    found = embedded(params["decoder"], mean + jnp.exp(log / 2) * noise, hidden, offsets, "tanh")
    return found, 0.5 * (mean**2 + jnp.exp(log) - 1 - log).sum(1), tuple(hidden)


@eleventh(
    "far from unit scale",
    kind="scale of the data",
    family="autoencoder",
    source="github.com/keras-team/keras/issues/3642",
    title="Autoencoder tutorial not reproducible",
)
def tutorial_without_its_division(broken: bool) -> Setup:
    """Pictures through twenty numbers, back by logistic units and a binary cross-entropy, with pixels up to 255.

    Seen: what comes back is far worse than in the tutorial. Answer: pixels between 0 and 255 must not be fed as they
    are; the report had left that part out.
    """
    x = digits()[0]
    shown = ((x - x.min()) / (x.max() - x.min())).astype(np.float32)
    pixels = (255 * shown if broken else shown).astype(np.float32)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "relu")
        share = jnp.clip(jax.nn.sigmoid(found), 1e-7, 1 - 1e-7)
        return -(batch[0] * jnp.log(share) + (1 - batch[0]) * jnp.log(1 - share)).mean(), hidden

    def error(params):
        found = jax.nn.sigmoid(perceptron(params, pixels, None, "relu")[0])
        return ((found - shown) ** 2).mean() / shown.var(0).mean()

    return own(mlp(1151, [64, 20, 64]), loss, (pixels,), optax.adam(1e-2), error, steps=500, batch=64)


@eleventh(
    "updates not applied",
    kind="empty list of parameters",
    family="autoencoder",
    source="github.com/keras-team/keras/pull/455",
    title="Fix AutoEncoder",
)
def parameters_of_nobody(broken: bool) -> Setup:
    """Pictures through sixteen numbers, by layers without penalties, so that their list of parameters is empty.

    Seen: parameters are paired with penalties, of which there are none by default, so that no parameter is updated.
    Answer: closed; the author of the library holds that nothing is assumed there, and the report explains it again.
    """
    optimizer = optax.set_to_zero() if broken else optax.adam(5e-3)
    return reconstruction(mlp(1153, [64, 48, 16, 48, 64], 1.0), optimizer, x=digits()[0], kind="tanh", steps=400)


@eleventh(
    "frozen",
    kind="optimizer of one half",
    family="autoencoder",
    source="github.com/zdebruine/MMVAE/issues/39",
    title="Shared VAE Optimizer Only Given Encoder Parameters",
)
def decoder_that_has_no_optimizer(broken: bool) -> Setup:
    """Pictures through eight noisy numbers, with an optimizer that is given the encoder's parameters alone.

    Seen: only the parameters of the encoder, and not those of the decoder, are given to the optimizer. Answer: none;
    closed as done.
    """
    x = digits()[0]
    noise = np.random.default_rng(1155).normal(size=(len(x), 8)).astype(np.float32)
    params = {"encoder": mlp(1155, [64, 64, 16], 1.0), "decoder": mlp(1156, [8, 48, 48, 64], 1.0)}

    def loss(params, batch, offsets):
        found, divergence, hidden = by_noisy_codes(params, batch[0], batch[1], offsets)
        return ((found - batch[0]) ** 2).mean() + 0.003 * divergence.mean(), hidden

    def error(params):
        return ((by_noisy_codes(params, x, 0 * noise, None)[0] - x) ** 2).mean() / x.var(0).mean()

    rates = {"encoder": optax.adam(3e-3), "decoder": optax.set_to_zero() if broken else optax.adam(3e-3)}
    optimizer = optax.multi_transform({**rates}, {"encoder": "encoder", "decoder": "decoder"})
    return own(params, loss, (x, noise), optimizer, error, steps=500, batch=64)


@eleventh(
    "collapse",
    kind="weight of a divergence",
    family="autoencoder",
    source="github.com/mingdachen/disentangle-semantics-syntax/issues/1",
    title="question about the posterior collapsed issue",
)
def divergence_that_weighs_one(broken: bool) -> Setup:
    """Pictures through eight noisy numbers, by what pixels cost and the divergence of the code, with a weight.

    Seen: how is it avoided that the code says nothing? Answer: mainly by a rather small weight of the divergence.
    """
    x = digits()[0]
    noise = np.random.default_rng(1159).normal(size=(len(x), 8)).astype(np.float32)
    params = {"encoder": mlp(1159, [64, 48, 16], 1.0), "decoder": mlp(1160, [8, 48, 64], 1.0)}

    back = partial(by_noisy_codes, seen=True)

    def loss(params, batch, offsets):
        found, divergence, hidden = back(params, batch[0], batch[1], offsets)
        return ((found - batch[0]) ** 2).mean() + (1.0 if broken else 0.003) * divergence.mean(), hidden

    def error(params):
        return ((back(params, x, 0 * noise, None)[0] - x) ** 2).mean() / x.var(0).mean()

    chance = float(x.var(0).mean())
    return own(params, loss, (x, noise), optax.adam(3e-3), error, chance=chance, steps=400, batch=64)


@eleventh(
    "vanishing",
    "collapse",
    kind="logistic units in a row",
    family="autoencoder",
    source="github.com/cdoersch/vae_tutorial/issues/5",
    title="Understanding input to mu and logsd layers",
)
def logistic_units_for_rectifiers(broken: bool) -> Setup:
    """Pictures through twelve numbers, by seven layers of logistic units in the place of rectifiers.

    Seen: with more layers, and logistic units in the place of rectifiers, training is in trouble. Answer: the typo that
    was asked about is harmless; the units are far more important, since gradients have to be kept from vanishing.
    """
    sizes = [64, 48, 48, 32, 12, 32, 48, 48, 64]
    params = mlp(1157, sizes, 1.0 if broken else 2.0)
    kind = "sigmoid" if broken else "relu"
    return reconstruction(params, optax.sgd(0.1, 0.9), x=digits()[0], kind=kind, steps=500, batch=64)
