"""Faults whose cause no finding names."""

import jax
import jax.numpy as jnp
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
    "the loss of the policy trains the critic as well, whose value rises without end and makes all deeds look bad",
    kind="value that is not held",
    family="policy gradient",
    source="github.com/astariul/encode-attend-navigate-pytorch/pull/3",
    title="Fix gradients & reproduce results",
)
def critic_that_two_losses_train(broken: bool) -> Setup:
    """Which of ten things to do at the sight of a picture, by rewards of what is tried above what a critic
    expects.

    Seen: the critic gets gradients from the loss of the policy, too, which makes training unstable. Answer: its value
    is held in that loss; with it, the published results are found again; merged.
    """
    x, y = (np.tile(each, (4, 1)) if each.ndim > 1 else np.tile(each, 4) for each in digits()[:2])
    luck = np.random.default_rng(1183).gumbel(size=(len(x), 10)).astype(np.float32)
    params = {"policy": mlp(1183, [64, 48, 10]), "critic": mlp(1184, [64, 48, 1])}

    def loss(params, batch, offsets):
        scores, hidden = perceptron(params["policy"], batch[0], offsets, "relu")
        value = perceptron(params["critic"], batch[0], None, "relu")[0][:, 0]
        tried = jax.lax.stop_gradient(scores + batch[2]).argmax(1)
        reward = (tried == batch[1]).astype(jnp.float32)
        log = jnp.take_along_axis(jax.nn.log_softmax(scores), tried[:, None], 1)[:, 0]
        better = reward - (value if broken else jax.lax.stop_gradient(value))
        return (-log * better + 0.5 * (reward - value) ** 2).mean(), hidden

    def error(params):
        return (perceptron(params["policy"], x, None, "relu")[0].argmax(1) != y).mean() / 0.9

    return own(params, loss, (x, y, luck), optax.adam(3e-3), error, steps=500, batch=128)


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
