"""Predictions of numbers: tables and their columns, sigmoids in a stack, a schedule that is stepped too often."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp, perceptron
from faults.problems import own, regression
from faults.registry import Setup, seventh

GRID = np.stack(np.meshgrid(np.arange(8), np.arange(8), indexing="ij"), axis=-1)


def spots(count: int, seed: int):
    """Pictures of a spot under noise [count, 8, 8, 1], and where it is [count, 2], of about unit variance."""
    draw = np.random.default_rng(seed)
    place = draw.uniform(1, 6, size=(count, 2))
    far = ((GRID - place[:, None, None]) ** 2).sum(-1)
    pictures = np.exp(-far / 2) + 0.15 * draw.normal(size=far.shape)
    return pictures.astype(np.float32)[..., None], ((place - 3.5) / 1.5).astype(np.float32)


@seventh(
    "constant answer",
    kind="shapes that are broadcast",
    family="regression",
    source="github.com/LAMDA-Tabular/TALENT/pull/92",
    title="Incorrect MSE Loss Calculation Due to Tensor Broadcasting",
)
def rows_of_a_table(broken: bool) -> Setup:
    """A number of each row of a table, of columns of numbers and of names; answers are [n], and targets [n, 1].

    Seen: the loss compares all pairs without a word, and training does not converge. Answer: reshape before the loss.
    """
    draw = np.random.default_rng(171)
    numbers = draw.normal(size=(1500, 4)).astype(np.float32)
    names = draw.integers(6, size=(1500, 3)).astype(np.int32)
    worth = draw.normal(size=(3, 6))
    y = np.tanh(numbers[:, 0]) * numbers[:, 1] + worth[np.arange(3), names].sum(1)
    y = ((y - y.mean()) / y.std()).astype(np.float32)[:, None]
    params = {
        "names": {"w": 0.5 * jax.random.normal(jax.random.key(171), (3, 6, 4))},
        "net": mlp(172, [16, 48, 48, 1]),
    }

    def answered(params, numbers, names, offsets):
        hidden = []
        said = params["names"]["w"][jnp.arange(3), names].reshape(len(names), 12)
        h = jnp.concatenate([numbers, said], axis=1)
        for name in ("layer00", "layer01"):
            h = activated("relu", linear(params["net"][name], h), hidden, offsets)
        return linear(params["net"]["layer02"], h)[:, 0], tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = answered(params, *batch[:2], offsets)
        return ((batch[2] - (found if broken else found[:, None])) ** 2).mean(), hidden

    def error(params):
        return ((answered(params, numbers[1200:], names[1200:], None)[0] - y[1200:, 0]) ** 2).mean() / y.var()

    data = (numbers[:1200], names[:1200], y[:1200])
    return own(params, loss, data, optax.adam(3e-3), error, chance=1.0, steps=500, batch=64)


@seventh(
    "vanishing",
    "constant answer",
    kind="activation",
    family="regression",
    source=(
        "ai.stackexchange.com/questions/16557/"
        "what-could-be-the-problem-when-a-neural-network-with-four-hidden-layers-with-the"
    ),
    title=(
        "What could be the problem when a neural network with four hidden layers with the sigmoid activation function"
        " is not learning?"
    ),
)
def four_layers_of_sigmoids(broken: bool) -> Setup:
    """Real numbers of binary vectors, by four hidden layers of logistic units, or of rectifiers.

    Seen: the network is unable to learn, with a high loss even in training. Answer: the signal is at most a fourth of
    what it was behind each layer; another activation.
    """
    draw = np.random.default_rng(173)
    x = draw.integers(2, size=(1500, 14)).astype(np.float32)
    y = (x - 0.5) @ draw.normal(size=14) + 2 * (x[:, 0] - 0.5) * (x[:, 1] - 0.5)
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    params = mlp(174, [14, 64, 64, 64, 64, 1], 1.0 if broken else 2.0)
    kind = "sigmoid" if broken else "relu"
    return regression(params, optax.sgd(0.02), data=(x, y), kind=kind, steps=600, batch=64)


@seventh(
    "learning rate too small",
    kind="schedule",
    family="regression",
    source="github.com/amoudgl/pygoturn/issues/16",
    title="an error about the use of exp_lr_scheduler",
)
def decay_for_every_crop(broken: bool) -> Setup:
    """How far a thing has moved between two pictures, at a rate that falls once for every crop of a batch.

    Seen: the rate goes on falling until the batch is full, the further the larger the batch. Answer: the schedule was
    put behind the condition that the batch is done.
    """
    (before, start), (after, end) = spots(1500, 175), spots(1500, 176)
    x = np.concatenate([before.reshape(1500, 64), after.reshape(1500, 64)], axis=1)
    y = end - start
    params = mlp(175, [128, 64, 64, 2])

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets)
        return jnp.abs(found - batch[1]).mean(), hidden

    def error(params):
        return ((perceptron(params, x, None)[0] - y) ** 2).mean() / y.var(0).mean()

    falls = 0.1**50 if broken else 0.1
    optimizer = optax.adam(optax.piecewise_constant_schedule(1e-3, {(15 if broken else 500): falls}))
    return own(params, loss, (x, y), optimizer, error, steps=600, batch=50)
