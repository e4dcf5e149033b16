"""Predictions of numbers: turns of nothing, all pairs, logistic units of raw inputs, a rate for other weights."""

import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp, perceptron
from faults.problems import own, regression
from faults.registry import Setup, tenth


@tenth(
    "not-a-number gradients",
    "not-a-number loss",
    kind="slope at the end of a domain",
    family="regression",
    source="github.com/kornia/kornia/pull/4228",
    title=(
        "fix(geometry): finite gradients for quaternion_exp_to_log and euler_from_quaternion at their rotation"
        " singularities"
    ),
)
def turns_that_begin_at_nothing(broken: bool) -> Setup:
    """How a body is turned, by a quaternion that begins at no turn for some, and the logarithm of its turn.

    Seen: the gradient is NaN at the identity, where such optimisations usually begin, since zero meets infinity.
    Answer: the cosine is kept from the end of its domain; merged.
    """
    draw = np.random.default_rng(771)
    x = draw.normal(size=(1500, 5)).astype(np.float32)
    x[::10] = 0.0
    axis = np.stack([np.tanh(x[:, 0]), 0.8 * np.tanh(x[:, 1] + x[:, 2]), 0.6 * x[:, 3] / (1 + x[:, 4] ** 2)], axis=1)
    turn = (0.6 * axis).astype(np.float32)
    params = mlp(771, [5, 32, 32, 3], 1.0)

    def turned(params, x, offsets):
        found, hidden = perceptron(params, x, offsets, "tanh")
        size = jnp.sqrt(1 + (found**2).sum(1))
        real, rest = 1 / size, found / size[:, None]
        edge = 0.0 if broken else 1e-6
        length = jnp.sqrt((rest**2).sum(1) + 1e-12)
        angle = 2 * jnp.arccos(jnp.clip(real, -1 + edge, 1 - edge))
        return rest / length[:, None] * angle[:, None], hidden

    def loss(params, batch, offsets):
        found, hidden = turned(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).sum(1).mean(), hidden

    def error(params):
        off = ((turned(params, x[:400], None)[0] - turn[:400]) ** 2).mean() / turn.var(0).mean()
        return jnp.nan_to_num(off, nan=1.0)

    return own(params, loss, (x, turn), optax.adam(3e-3), error, steps=300, batch=32)


@tenth(
    "constant answer",
    kind="shapes that are broadcast",
    family="regression",
    source="github.com/tensorflow/tensorflow/issues/37770",
    title="MSE loss computes different values depending on shape",
)
def answers_of_another_rank(broken: bool) -> Setup:
    """A number from six others, whose answers are [n, 1] and whose wanted values are [n], by the mean of squares.

    Seen: four values of the loss for four combinations of shapes, which hold the same numbers, and no error is raised.
    Answer: the shapes are broadcast; they have to be the same.
    """
    draw = np.random.default_rng(773)
    x = draw.normal(size=(1000, 6)).astype(np.float32)
    y = np.sin(x[:, 0]) + 0.5 * x[:, 1] * x[:, 2] + np.abs(x[:, 3])
    y = ((y - y.mean()) / y.std()).astype(np.float32)

    def squared(found, wanted):
        return ((found - (wanted if broken else wanted[:, None])) ** 2).mean()

    more = {"loss": squared, "kind": "relu", "steps": 400, "batch": 32}
    return regression(mlp(773, [6, 48, 48, 1]), optax.adam(3e-3), data=(x, y), **more)


@tenth(
    "saturation",
    "far from unit scale",
    kind="scale of the data",
    family="regression",
    source="github.com/accord-net/framework/issues/306",
    title="L-M Neural Network input standardization",
)
def measures_in_their_own_units(broken: bool) -> Setup:
    """A number from five measures of tens to thousands, by two layers of logistic units.

    Seen: does the network handle differences of scale by itself? Answer: it is necessary to standardise the inputs, and
    the outputs as well; the network cannot do it.
    """
    draw = np.random.default_rng(775)
    x = draw.normal(size=(800, 5)).astype(np.float32)
    y = np.tanh(x[:, 0] + x[:, 1]) + 0.5 * x[:, 2] - 0.4 * x[:, 3] * x[:, 4]
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    if broken:
        x = (x * np.array([8, 150, 40, 700, 25]) + np.array([60, 900, 300, 4000, 120])).astype(np.float32)
    more = {"kind": "sigmoid", "steps": 500, "batch": 32}
    return regression(mlp(775, [5, 24, 24, 1], 2.0), optax.adam(1e-2), data=(x, y), **more)


@tenth(
    "learning rate too small",
    kind="rate for other weights",
    family="regression",
    source="github.com/jcjohnson/pytorch-examples/issues/12",
    title="Why does `nn` module need a higher learning rate?",
)
def rate_for_weights_of_unit_deviation(broken: bool) -> Setup:
    """Ten numbers from many others, by summed squares and plain descent, at the rate of another example.

    Seen: the example with modules needs a rate of 1e-4, where the others have 1e-6. Answer: of a reader: with the
    module's weights 1e-6 changes hardly anything in 500 steps; with weights of unit deviation it is enough.
    """
    draw = np.random.default_rng(777)
    x = draw.normal(size=(64, 200)).astype(np.float32)
    y = draw.normal(size=(64, 10)).astype(np.float32)

    def loss(params, batch, offsets):
        hidden = []
        h = activated("relu", linear(params["layer00"], batch[0]), hidden, offsets)
        return ((linear(params["layer01"], h) - batch[1]) ** 2).sum(), tuple(hidden)

    def error(params):
        return loss(params, (x, y), None)[0] / y.size

    params = mlp(777, [200, 100, 10], 1 / 3)
    optimizer = optax.sgd(1e-6 if broken else 3e-4)
    return own(params, loss, (x, y), optimizer, error, chance=float((y**2).sum()), steps=500)
