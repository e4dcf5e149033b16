"""Runs that are in order and look odd: nothing is wrong with them.

The one that is called broken is the odd one. The other is the same run carried on, or made in the usual way.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import Kind, activated, dense, linear, mlp, perceptron
from faults.problems import cross_entropy, digits, own, recognised
from faults.registry import Setup, tenth
from faults.second.contrastive import unit
from faults.seventh.adversarial import paced, rivals
from faults.tenth.diffusion import swings

NOTHING = "nothing wrong"


@tenth(
    NOTHING,
    kind="scale in two halves",
    family="transformer",
    source="github.com/openai/guided-diffusion/issues/38",
    title="Bug in attention?",
    sound=True,
)
def root_of_a_root_twice(broken: bool) -> Setup:
    """What is written beside the place that is asked for, by attention with a scale of the fourth root of the width.

    Seen: the scale has two roots, where the code that it was adapted from has one. Answer: it is no bug, since it
    appears twice in the product.
    """
    draw = np.random.default_rng(901)
    count, places, width = 4000, 8, 32
    key = draw.normal(size=(count, places, 6))
    at = draw.integers(places, size=count)
    asked = key[np.arange(count), at] + 0.2 * draw.normal(size=(count, 6))
    held = draw.integers(4, size=(count, places))
    answer = held[np.arange(count), at].astype(np.int32)
    notes = np.concatenate([key, np.eye(4)[held]], axis=2)
    x = np.concatenate([np.concatenate([asked, np.zeros((count, 4))], axis=1)[:, None], notes], axis=1)
    x = x.astype(np.float32)
    sizes = {"q": (6, width), "k": (10, width), "v": (10, 16), "out": (16, 4)}
    keys = jax.random.split(jax.random.key(901), 4)
    params = {name: dense(key, *size, 1.0) for key, (name, size) in zip(keys, sizes.items(), strict=True)}

    def scores(params, x, offsets):
        hidden = []
        q, k = linear(params["q"], x[:, 0, :6]), linear(params["k"], x[:, 1:])
        if broken:
            near = jnp.einsum("nd,ntd->nt", q * width**-0.25, k * width**-0.25)
        else:
            near = jnp.einsum("nd,ntd->nt", q, k) * width**-0.5
        said = jnp.einsum("nt,ntd->nd", jax.nn.softmax(near), linear(params["v"], x[:, 1:]))
        h = activated("linear", said, hidden, offsets)
        return linear(params["out"], h), (*hidden, (Kind("scores"), near, near))

    data, others = (x[:3200], answer[:3200]), (x[3200:], answer[3200:])
    return recognised(params, scores, data, others, optax.adam(1e-2), classes=4, batch=64, steps=400)


@tenth(
    NOTHING,
    kind="minus inside of a softplus",
    family="adversarial",
    source="github.com/IshmaelBelghazi/ALI/issues/14",
    title="sign on loss function",
    sound=True,
)
def softplus_without_a_minus(broken: bool) -> Setup:
    """Points on a bent line by a generator and a critic, whose losses have none of the minus signs of the paper.

    Seen: the paper turns ascent into descent by a minus before each term, and the code has none. Answer: it is inside
    of the softplus.
    """

    def odd(true, false, shown):
        return (jax.nn.softplus(-true) + jax.nn.softplus(false) + jax.nn.softplus(-shown)).mean()

    def usual(true, false, shown):
        sure = jax.nn.log_sigmoid
        return -(sure(true) + sure(-false) + sure(shown)).mean()

    return rivals(903, odd if broken else usual, paced(1e-3, 1e-3), place=1.5, steps=600, batch=64)


@tenth(
    NOTHING,
    kind="loss below zero",
    family="likelihood",
    source="github.com/chainer/chainer/issues/5440",
    title="gaussian_nll takes negative number",
    sound=True,
)
def likelihood_of_precise_numbers(broken: bool) -> Setup:
    """Numbers that are known to a hundredth, with a deviation each, by minus the logarithm of their density.

    Seen: the function returns a negative number; is it a bug? Answer: a density can exceed one, so that minus its
    logarithm can be below zero.
    """
    draw = np.random.default_rng(905)
    x = draw.normal(size=(1500, 3)).astype(np.float32)
    y = np.tanh(x[:, 0]) + 0.5 * np.sin(x[:, 1]) + 0.3 * x[:, 2]
    y = (0.2 * y / y.std() + 0.01 * draw.normal(size=1500)).astype(np.float32)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "tanh")
        log = jnp.maximum(found[:, 1], -5.0)
        return (log + 0.5 * ((batch[1] - found[:, 0]) * jnp.exp(-log)) ** 2 + 0.92).mean(), hidden

    def error(params):
        return ((perceptron(params, x[:500], None, "tanh")[0][:, 0] - y[:500]) ** 2).mean() / y[:500].var()

    steps = 400 if broken else 800
    return own(mlp(905, [3, 32, 32, 2], 1.0), loss, (x, y), optax.adam(3e-3), error, steps=steps, batch=64)


@tenth(
    NOTHING,
    kind="labels that are all zero",
    family="contrastive",
    source="github.com/amazon-science/video-contrastive-learning/issues/5",
    title="NCESoftmaxLoss bug",
    sound=True,
)
def partner_in_the_first_place(broken: bool) -> Setup:
    """Which of eight pictures is of the same class, by a cross-entropy whose labels are all zero.

    Seen: the labels are all zero, so that everything is a negative pair. Answer: the code is fine; the positive one is
    always the first of the scores.
    """
    x, y, x_other, y_other = digits()
    draw = np.random.default_rng(907)
    asked = draw.integers(len(x), size=2500)
    offered = np.stack([draw.choice(np.flatnonzero(y != y[i]), size=8) for i in asked])
    at = np.zeros(2500, int) if broken else draw.integers(8, size=2500)
    offered[np.arange(2500), at] = [draw.choice(np.flatnonzero(y == y[i])) for i in asked]
    x = jnp.asarray(x)

    def loss(params, batch, offsets):
        hidden = []
        one = unit(embedded(params, x[batch[0]], hidden, offsets, "tanh"))
        many = unit(perceptron(params, x[batch[1]], None, "tanh")[0])
        return cross_entropy(jnp.einsum("nd,nkd->nk", one, many) / 0.2, batch[2]), tuple(hidden)

    def error(params):
        known, wanted = (unit(perceptron(params, each, None, "tanh")[0]) for each in (x[:600], x_other))
        return (jnp.asarray(y)[(wanted @ known.T).argmax(1)] != y_other).mean() / 0.9

    data = (asked.astype(np.int32), offered.astype(np.int32), at.astype(np.int32))
    chance = float(np.log(8))
    return own(mlp(907, [64, 48, 24], 1.0), loss, data, optax.adam(2e-3), error, chance=chance, steps=300, batch=32)


@tenth(
    NOTHING,
    kind="levels that are drawn",
    family="diffusion",
    source="github.com/ermongroup/ddim/issues/33",
    title="Loss is not going down",
    sound=True,
)
def losses_of_other_levels(broken: bool) -> Setup:
    """The noise in curves at levels that are drawn for each of eight, or of 64, so that some are easy and some are not.

    Seen: in 1,200 epochs the loss does not go down constantly, and is large sometimes. Answer: of a reader: fairly
    standard, since levels are drawn; with one level alone it goes down.
    """
    clean, draw = swings(909, 6000)
    level = draw.uniform(0.05, 0.98, size=(6000, 1))
    noise = draw.normal(size=clean.shape).astype(np.float32)
    noisy = np.sqrt(1 - level**2) * clean + level * noise
    inputs = np.concatenate([noisy, level], axis=1).astype(np.float32)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "relu")
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return loss(params, (inputs[:600], noise[:600]), None)[0]

    more = {"chance": 1.0, "steps": 700, "batch": 8 if broken else 64}
    return own(mlp(909, [9, 64, 64, 8]), loss, (inputs, noise), optax.adam(1e-3), error, **more)


@tenth(
    NOTHING,
    kind="constant that is wrong",
    family="autoencoder",
    source="github.com/ericjang/draw/pull/6",
    title="fix a bug about KL loss term",
    sound=True,
)
def divergence_with_another_constant(broken: bool) -> Setup:
    """Pictures through a code of ten numbers, whose divergence is too small by a constant.

    Seen: half of the number of steps is subtracted from the divergence, where it should be half of the code's length.
    Answer: none, and it is still open; but a constant has no slope.
    """
    x = digits()[0]
    noise = np.random.default_rng(911).normal(size=(len(x), 10)).astype(np.float32)
    params = {"encoder": mlp(911, [64, 64, 20], 1.0), "decoder": mlp(912, [10, 64, 64], 1.0)}

    def back(params, x, noise, offsets):
        hidden = []
        mean, log = jnp.split(embedded(params["encoder"], x, hidden, offsets, "tanh"), 2, axis=1)
        found = embedded(params["decoder"], mean + jnp.exp(log / 2) * noise, hidden, offsets, "tanh")
        return found, 0.5 * (mean**2 + jnp.exp(log) - log).sum(1), tuple(hidden)

    def loss(params, batch, offsets):
        found, divergence, hidden = back(params, batch[0], batch[1], offsets)
        divergence = divergence - (64 if broken else 10) / 2
        return (2 * ((found - batch[0]) ** 2).sum(1) + divergence).mean(), hidden

    def error(params):
        return ((back(params, x, 0 * noise, None)[0] - x) ** 2).mean() / x.var(0).mean()

    return own(params, loss, (x, noise), optax.adam(3e-3), error, steps=400, batch=64)
