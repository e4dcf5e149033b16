"""Faults whose cause no finding names."""

import jax
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import digits, own
from faults.registry import Setup, eleventh
from faults.seventh.adversarial import paced, rivals


@eleventh(
    "the generator is trained to give zeros, as wanted answers of its own, and not by what the critic says",
    kind="answers that nobody gave",
    family="adversarial",
    source="github.com/mlpack/mlpack/pull/1933",
    title="Probable error in generator update of GANs.",
)
def generator_of_zeros(broken: bool) -> Setup:
    """Points on a bent line by a generator, whose error is taken from its own wanted answers, which were never set.

    Seen: the generator has no wanted answers; they are zero by default, and its error is computed from them. Answer:
    the error has to be that of the critic, brought back to the generator; merged.
    """
    noise = np.random.default_rng(1181).normal(size=(64, 3)).astype(np.float32)

    def judge(true, false, shown):
        critic = jax.nn.softplus(-true) + jax.nn.softplus(false)
        return (critic if broken else critic + jax.nn.softplus(-shown)).mean()

    def zeros(generator):
        return (perceptron(generator, noise, None, "leaky_relu")[0] ** 2).mean() if broken else 0.0

    return rivals(1181, judge, paced(1e-3, 1e-3), place=1.5, penalty=zeros, steps=600, batch=64)


@eleventh(
    "what comes back are shares of one, by a softmax over all pixels, where each pixel has a value of its own",
    kind="shares in the place of pixels",
    family="autoencoder",
    source="github.com/deeplearning4j/deeplearning4j-examples/pull/1002",
    title="Fix MNISTAutoencoder: switch output layer to LEAKYRELU",
)
def pixels_that_sum_to_one(broken: bool) -> Setup:
    """Pictures through twelve numbers, by an output layer with a softmax over the pixels, or with leaky rectifiers.

    Seen: the example is broken, since the default at the end is a softmax. Answer: a leaky rectifier instead; merged.
    """
    x = digits()[0]
    shown = ((x - x.min()) / (x.max() - x.min())).astype(np.float32)

    def back(params, x, offsets):
        found, hidden = perceptron(params, x, offsets, "relu")
        return jax.nn.softmax(found) if broken else jax.nn.leaky_relu(found), hidden

    def loss(params, batch, offsets):
        found, hidden = back(params, batch[0], offsets)
        return ((found - batch[0]) ** 2).mean(), hidden

    def error(params):
        return loss(params, (shown,), None)[0] / shown.var(0).mean()

    chance = float(shown.var(0).mean())
    params = mlp(1185, [64, 48, 12, 48, 64])
    return own(params, loss, (shown,), optax.adam(3e-3), error, chance=chance, steps=400, batch=64)
