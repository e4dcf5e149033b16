"""Perceptrons: directions of no length, softmaxes, means over too many numbers, large biases."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp, perceptron
from faults.problems import classification, classified, cross_entropy, digits, own
from faults.registry import Setup, seventh


@seventh(
    "not-a-number loss",
    "not-a-number gradients",
    kind="direction of nothing",
    family="feed-forward",
    source="github.com/rollovd/LookSAM/issues/1",
    title="Gradients become NaN after first step()",
)
def gradient_over_its_own_length(broken: bool) -> Setup:
    """The loss at the worst point nearby, which is looked for along the gradient over its length; margins become kept.

    Seen: gradients become NaN. Answer: add 1e-8 to the length that the gradient is divided by.
    """
    x, y, x_other, y_other = digits()

    def margins(params, batch, offsets):
        scores, hidden = perceptron(params, batch[0], offsets)
        own_score = jnp.take_along_axis(scores, batch[1][:, None], 1)
        over = jax.nn.relu(1 + scores - own_score) * (1 - jax.nn.one_hot(batch[1], 10))
        return over.sum(1).mean(), hidden

    def loss(params, batch, offsets):
        gradient = jax.grad(lambda given: margins(given, batch, None)[0])(jax.lax.stop_gradient(params))
        length = optax.global_norm(gradient)
        length = length if broken else length + 1e-8
        return margins(jax.tree.map(lambda w, g: w + 0.01 * g / length, params, gradient), batch, offsets)

    right = jax.jit(lambda params: (perceptron(params, x_other, None)[0].argmax(-1) == y_other).mean())
    more = {"classes": 10, "chance": 9.0, "steps": 700, "batch": 16}
    return classified(mlp(91, [64, 64, 10]), loss, (x, y), optax.adam(3e-3), right, **more)


@seventh(
    "softmax applied twice",
    kind="softmax before a softmax",
    family="feed-forward",
    source="github.com/Lightning-Universe/lightning-bolts/issues/654",
    title="Softmax applied twice when computing loss in LogisticRegression",
)
def regression_of_probabilities(broken: bool) -> Setup:
    """A logistic regression that gives probabilities to a logarithm of a softmax; the loss left is what it costs.

    Seen: the loss is the likelihood of the log-softmax of a softmax. Answer: the inner one goes.
    """
    x, y = digits()[:2]

    def loss(params, batch, offsets):
        hidden = []
        scores = activated("linear", linear(params["layer00"], batch[0]), hidden, offsets)
        return cross_entropy(jax.nn.softmax(scores) if broken else scores, batch[1]), tuple(hidden)

    chance = float(np.log(10))

    def error(params):
        return loss(params, (x, y), None)[0] / chance

    return own(mlp(92, [64, 10]), loss, (x, y), optax.adam(1e-2), error, chance=chance, steps=500, batch=64)


@seventh(
    "gradients exactly zero",
    "underflow",
    kind="precision",
    family="feed-forward",
    source="github.com/chelsea0x3b/dfdx/issues/748",
    title="NaN weights after update with half precision",
)
def mean_over_more_than_float16_counts(broken: bool) -> Setup:
    """Six hundred numbers of each of 128 examples, whose mean is taken in float16, where their count is infinite.

    Seen: the denominator of the mean is above 65,000 and therefore infinite, and the loss is always 0. Answer: the
    denominator is clipped to 65,000.
    """
    draw = np.random.default_rng(93)
    x = draw.normal(size=(1024, 6)).astype(np.float32)
    y = np.tanh(x @ draw.normal(size=(6, 600)) / 2).astype(np.float32)
    count = jnp.asarray(128.0 * 600.0 if broken else 65_000.0).astype(jnp.float16)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "tanh")
        square = (found.astype(jnp.float16) - batch[1].astype(jnp.float16)) ** 2
        return (square / count).sum().astype(jnp.float32), hidden

    def error(params):
        return ((perceptron(params, x[:300], None, "tanh")[0] - y[:300]) ** 2).mean() / y.var()

    params = mlp(93, [6, 64, 600], 1.0)
    chance = 0.0 if broken else float(y.var()) * 128 * 600 / 65_000
    more = {"chance": chance, "steps": 300, "batch": 128}
    return own(params, loss, (x, y), optax.adam(5e-3), error, **more)


@seventh(
    "saturation",
    "vanishing",
    "gradients exactly zero",
    kind="initialisation",
    family="feed-forward",
    source="github.com/neuroinfo-os/deep-bottleneck/issues/168",
    title="Why is no learning happening with big initial biases?",
)
def biases_that_begin_large(broken: bool) -> Setup:
    """Layers of hyperbolic tangents that become narrower, whose biases begin at about ten in size.

    Seen: no learning happens with big initial biases. Answer: none, it was postponed; with biases of zero it learns.
    """
    sizes = [64, 40, 28, 20, 16, 10]
    params = mlp(94, sizes, 1.0)
    keys = jax.random.split(jax.random.key(95), len(params))
    for key, name in zip(keys[:-1], sorted(params)[:-1], strict=True):
        params[name]["b"] = (10.0 if broken else 0.0) * jax.random.normal(key, params[name]["b"].shape)
    return classification(params, optax.sgd(0.05), kind="tanh", batch=64, steps=500)
