"""Convolutional networks: rates, capsules, schedules."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fourth.convolutional import fields, seen
from faults.nets import dense, linear, mlp
from faults.problems import classification, classified, cross_entropy, digits, own
from faults.registry import Setup, sixth
from faults.second.convolutional import filters


@sixth(
    "learning rate too large",
    "units that died",
    "dead units",
    "first loss too large",
    kind="rate",
    family="convolutional",
    source="github.com/fvmassoli/cross-resolution-face-recognition/issues/6",
    title="Losses and accuracy wierd",
)
def pupil_of_two_resolutions(broken: bool) -> Setup:
    """A network that learns classes from coarse pictures, and the features that a teacher sees in fine ones.

    Seen: an accuracy of 20 %, and all losses grow. Answer: none; it is much better with a rate of 0.0001.
    """
    x, y, x_other, y_other = digits()
    teacher = mlp(2, [64, 24], 1.0)["layer00"]

    def coarse(x):
        blocks = x.reshape(len(x), 4, 2, 4, 2).mean((2, 4))
        return blocks.repeat(2, 1).repeat(2, 2)[..., None]

    keys = jax.random.split(jax.random.key(3), 2)
    params = filters(4, [1, 12]) | {
        "features": dense(keys[0], 8 * 8 * 12, 24, 1.0),
        "out": dense(keys[1], 24, 10, 1.0),
    }

    def forward(params, x, offsets):
        maps, hidden = seen({"conv00": params["conv00"]}, coarse(x), offsets)
        features = linear(params["features"], maps.reshape(len(x), -1))
        return linear(params["out"], jax.nn.relu(features)), features, hidden

    def loss(params, batch, offsets):
        scores, features, hidden = forward(params, batch[0], offsets)
        far = ((features - linear(teacher, batch[0])) ** 2).mean()
        return cross_entropy(scores, batch[1]) + far, hidden

    right = jax.jit(lambda params: (forward(params, x_other, None)[0].argmax(-1) == y_other).mean())
    optimizer = optax.sgd(0.5 if broken else 0.005, 0.9)
    return classified(params, loss, (x, y), optimizer, right, classes=10, chance=None, steps=400, batch=32)


@sixth(
    "vanishing",
    "saturation",
    "learning rate too small",
    kind="initialisation",
    family="convolutional",
    source="github.com/ageron/handson-ml/pull/176",
    title="made initial weights higher-variance",
)
def capsules_of_small_weights(broken: bool) -> Setup:
    """Capsules whose lengths are squashed, and the maps between them, which are drawn with a deviation of 0.01.

    Seen: it takes long until the loss begins to change. Answer: a deviation of 0.1 instead; it learns right away.
    """
    params = filters(7, [1, 16])
    del params["out"]
    shape = (16, 10, 16, 12)
    params["between"] = {"w": (0.01 if broken else 0.1) * jax.random.normal(jax.random.key(8), shape)}

    def squashed(s):
        square = (s**2).sum(-1, keepdims=True)
        return square / (1 + square) * s / jnp.sqrt(square + 1e-7)

    def net(params, x, offsets):
        maps, hidden = seen(params, x.reshape(len(x), 8, 8, 1), offsets)
        primary = squashed(maps.reshape(len(x), 8, 8, 16).reshape(len(x), 16, 4, 16).mean(2))
        votes = jnp.einsum("nid,icdk->nck", primary, params["between"]["w"]) / 10
        return jnp.sqrt((squashed(votes) ** 2).sum(-1) + 1e-7), hidden

    def margins(lengths, labels):
        wanted = jax.nn.one_hot(labels, 10)
        short, long = jax.nn.relu(0.9 - lengths) ** 2, jax.nn.relu(lengths - 0.1) ** 2
        return (wanted * short + 0.5 * (1 - wanted) * long).sum(1).mean()

    guesses = np.linspace(0, 1, 101)[:, None].repeat(10, 1)
    chance = min(float(margins(np.tile(guess, (10, 1)), np.arange(10))) for guess in guesses)
    return classification(params, optax.sgd(0.1, 0.9), net=net, loss=margins, chance=chance, batch=32, steps=90)


@sixth(
    "learning rate too small",
    kind="schedule",
    family="convolutional",
    source="github.com/leftthomas/SRGAN/issues/94",
    title="Learning rate scheduler is working incorrect",
)
def schedule_by_steps_and_not_by_epochs(broken: bool) -> Setup:
    """Fine pictures from coarse ones, at a rate that falls tenfold after some epochs, which are counted in steps.

    Seen: the rate is zero after a few steps, and nothing is learned. Answer: step the schedule after each epoch.
    """
    fine = fields(768, 2)[0]
    coarse = fine.reshape(-1, 4, 2, 4, 2, 1).mean((2, 4)).repeat(2, 1).repeat(2, 2)
    params = filters(9, [1, 16, 16]) | {"out": dense(jax.random.key(10), 16, 1, 1.0)}

    def sharper(params, x, offsets):
        maps, hidden = seen(params, x, offsets)
        return linear(params["out"], maps), hidden

    def loss(params, batch, offsets):
        found, hidden = sharper(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((sharper(params, coarse[:200], None)[0] - fine[:200]) ** 2).mean() / fine.var()

    epoch = 1 if broken else len(fine) // 32
    schedule = optax.exponential_decay(1.5e-3, 5 * epoch, 0.1, staircase=True)
    more = {"chance": float(fine.var()), "steps": 400, "batch": 32}
    return own(params, loss, (coarse, fine), optax.adam(schedule), error, **more)
