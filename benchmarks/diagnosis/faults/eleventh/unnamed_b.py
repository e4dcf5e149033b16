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


@eleventh(
    "pairs that are alike are driven apart, and others are drawn together, since the two losses have the other's label",
    kind="labels of the other loss",
    family="contrastive",
    source="github.com/ywpkwon/siamese_tf_mnist/issues/8",
    title="Definition of loss seems incorrect",
)
def pairs_with_the_label_of_the_others(broken: bool) -> Setup:
    """Whether two pictures are of one class, by the distance of their embeddings, and a margin for those that are not.

    Seen: the loss of unlike pairs has the label of the alike ones, and the other way round. Answer: none; the report
    gives the right form.
    """
    x, y = digits()[:2]
    draw = np.random.default_rng(1187)
    one = draw.integers(len(x), size=4000)
    alike = draw.random(4000) < 0.5
    two = np.array([draw.choice(np.flatnonzero((y == y[i]) == same)) for i, same in zip(one, alike, strict=True)])

    def costs(params, batch, offsets):
        first, hidden = perceptron(params, batch[0], offsets, "tanh")
        second = perceptron(params, batch[1], None, "tanh")[0]
        far = jnp.sqrt(((first - second) ** 2).sum(1) + 1e-6)
        return far**2, jax.nn.relu(1 - far) ** 2, hidden

    def loss(params, batch, offsets):
        near, away, hidden = costs(params, batch, offsets)
        return jnp.where(batch[2] != broken, near, away).mean(), hidden

    def error(params):
        near, away, _ = costs(params, tuple(each[3000:] for each in data), None)
        return jnp.where(data[2][3000:], near, away).mean() / 0.25

    data = (x[one], x[two], alike)
    train = tuple(each[:3000] for each in data)
    return own(mlp(1187, [64, 48, 8], 1.0), loss, train, optax.adam(2e-3), error, chance=0.25, steps=300, batch=64)
