"""Predictions of numbers: inputs, rates, signs, silence, scales."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp, perceptron
from faults.problems import curve, own, regression
from faults.registry import Setup, third


@third(
    "far from unit scale",
    "first loss too large",
    "learning rate too large",
    kind="scale of the data",
    family="regression",
    source="github.com/ageron/handson-ml3/pull/20",
    title="Fixing wide-and-deep to use normalized inputs",
)
def houses_as_they_are(broken: bool) -> Setup:
    """Incomes, ages and numbers of inhabitants as they are, which also reach the output past the deep layers.

    Seen: the example of a wide and deep network reads inputs that are not normalised, and is worse for it.
    """
    x, y = curve(1)
    x = (x * [2, 12, 900] + [4, 28, 1400]).astype(np.float32) if broken else x

    def net(params, x, offsets):
        hidden = []
        h = activated("relu", linear(params["layer00"], x), hidden, offsets)
        h = activated("relu", linear(params["layer01"], h), hidden, offsets)
        return linear(params["layer02"], jnp.concatenate([x, h], axis=1)), tuple(hidden)

    params = mlp(0, [3, 48, 48, 1]) | {"layer02": mlp(1, [51, 1])["layer00"]}
    return regression(params, optax.adam(3e-3), data=(x, y), net=net, steps=600, batch=64)


@third(
    "learning rate too large",
    kind="rate",
    family="regression",
    source="datascience.stackexchange.com/questions/15962",
    title="Why is learning rate causing my neural networks weights to skyrocket?",
)
def a_rate_ten_times_too_large(broken: bool) -> Setup:
    """Gradient descent at ten times the learning rate that works.

    Seen: at 0.001 the loss goes from thousands to a trillion and to NaN. Answer: 0.0001 works; the slope is steep.
    """

    def loss(p, y):
        return ((p[:, 0] - y) ** 2).sum()

    x, y = curve(2)
    optimizer = optax.sgd(1e-3 if broken else 1e-4)
    chance = 512 * float(y.var())
    params = mlp(2, [3, 64, 64, 1])
    return regression(params, optimizer, data=(x, y), kind="leaky_relu", loss=loss, chance=chance, steps=1000)


@third(
    "updates point uphill",
    kind="wrong sign",
    family="regression",
    source="github.com/FluxML/model-zoo/pull/61",
    title="Update housing.jl (η should be a negative number)",
)
def gradients_that_are_added(broken: bool) -> Setup:
    """A linear model of house prices, to whose weights a multiple of the gradient is added.

    Seen: with a rate of 0.1 the loss goes from 953 to 10^9. Answer: the factor has to be negative.
    """
    draw = np.random.default_rng(0)
    x = draw.normal(size=(506, 13)).astype(np.float32)
    y = (x @ draw.normal(size=13) / 13**0.5 + 0.2 * draw.normal(size=506)).astype(np.float32)
    return regression(mlp(3, [13, 1]), optax.sgd(-0.02 if broken else 0.02), data=(x, y), steps=150)


@third(
    "not-a-number gradients",
    kind="slope at zero",
    family="regression",
    source="github.com/mpariente/pytorch_stoi/issues/7",
    title="NaN when back-propagation",
)
def frames_of_silence(broken: bool) -> Setup:
    """Envelopes that are divided by their length plus an epsilon, where those of silent frames have no length.

    Seen: gradients that become NaN. Answer: the square root of zero; add the epsilon to what is under the root.
    """
    draw = np.random.default_rng(1)
    x = draw.normal(size=(512, 12)).astype(np.float32)
    y = np.tanh(x @ draw.normal(size=(12, 16)) / 12**0.5).astype(np.float32)
    silent = np.arange(512) % 40 == 0
    x[silent], y[silent] = 0.0, 0.0

    def forward(params, x, offsets):
        hidden = []
        h = activated("tanh", x @ params["layer00"]["w"], hidden, offsets)
        return h @ params["layer01"]["w"], tuple(hidden)

    def unit(frames):
        squares = (frames**2).sum(-1, keepdims=True)
        return frames / (jnp.sqrt(squares) + 1e-8) if broken else frames / jnp.sqrt(squares + 1e-8)

    def loss(params, batch, offsets):
        found, hidden = forward(params, batch[0], offsets)
        return -(unit(found) * unit(batch[1])).sum(-1).mean(), hidden

    def error(params):
        found = forward(params, x[1:40], None)[0]
        return 1 - (unit(found) * unit(y[1:40])).sum(-1).mean()

    return own(mlp(4, [12, 48, 16], 1.0), loss, (x, y), optax.adam(3e-3), error, chance=0.0, steps=300, batch=64)


@third(
    "answers are not scaled back to the unit of the targets",
    kind="scale of the answers",
    family="regression",
    source="github.com/CompRhys/aviary/issues/90",
    title="Normalization during training, but missing during evaluation / prediction.",
)
def answers_never_scaled_back(broken: bool) -> Setup:
    """A network that learns targets of zero mean and unit variance, and whose answers are read as they are.

    Seen: targets are normalised in training, and predictions are not scaled back. Answer: to be fixed.
    """
    x, y = curve(3)
    mean, deviation = 4.0, 3.0
    setup = regression(mlp(5, [3, 48, 48, 1], 1.0), optax.adam(3e-3), data=(x, y), steps=500, batch=128)

    @jax.jit
    def error(params):
        answer = perceptron(params, x, None, "tanh")[0][:, 0]
        scaled = answer if broken else mean + deviation * answer
        return ((scaled - (mean + deviation * y)) ** 2).mean() / (deviation**2 * y.var())

    return Setup(**{**vars(setup), "error": lambda params: float(error(params))})


@third(
    "answers are compared with targets in another order",
    kind="targets out of step",
    family="regression",
    source="github.com/udacity/nd320-c1-emr-data-starter/issues/4",
    title="Test dataset is shuffled but result is compared to labels of unshuffled data source",
)
def answers_in_another_order(broken: bool) -> Setup:
    """A network that learns well, whose answers to shuffled rows are compared with targets that are not shuffled.

    Seen: predictions and labels are compared row by row, and do not agree. Answer: shuffle no data that are judged.
    """
    x, y = curve(4)
    order = np.random.default_rng(0).permutation(len(x)) if broken else np.arange(len(x))
    setup = regression(mlp(6, [3, 48, 48, 1], 1.0), optax.adam(3e-3), data=(x, y), kind="tanh", steps=500, batch=64)

    @jax.jit
    def error(params):
        return ((perceptron(params, x[order], None, "tanh")[0][:, 0] - y) ** 2).mean() / y.var()

    return Setup(**{**vars(setup), "error": lambda params: float(error(params))})
