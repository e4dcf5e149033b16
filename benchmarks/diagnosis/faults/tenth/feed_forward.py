"""Perceptrons: shares of zero, weights between -1 and 1, small weights, penalties, odd inputs, default rates."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, dense, linear, mlp, perceptron
from faults.problems import classification, classified, cross_entropy, own
from faults.registry import Setup, tenth

ODD = 2838
"""An example that is drawn once, at step 100 of 440."""


@tenth(
    "not-a-number loss",
    "not-a-number gradients",
    kind="logarithm of a share that rounds to zero",
    family="feed-forward",
    source="github.com/aymericdamien/TensorFlow-Examples/issues/383",
    title="[Potential NAN bug] Loss may become NAN during training",
)
def shares_that_round_to_zero(broken: bool) -> Setup:
    """Digits of own pixel values by a logistic regression, whose loss multiplies marks by the logarithm of shares.

    Seen: with own data the loss is NaN after some iterations, since a share may be zero. Answer: none but the report's
    own: add 1e-10 to the shares.
    """
    params = {"layer00": dense(jax.random.key(721), 64, 10, 0.01)}

    def net(params, x, offsets):
        hidden = []
        return activated("linear", linear(params["layer00"], x), hidden, offsets), tuple(hidden)

    def loss(scores, labels):
        share = jax.nn.softmax(scores)
        return -(jax.nn.one_hot(labels, 10) * jnp.log(share + (0.0 if broken else 1e-10))).sum(1).mean()

    return classification(params, optax.sgd(0.1), net=net, loss=loss, inputs=lambda x: 7 * x, batch=32, steps=300)


@tenth(
    "exploding",
    "first loss too large",
    kind="range of the first weights",
    family="feed-forward",
    source="github.com/Artelnics/opennn/issues/124",
    title="Perform training crashes when used Rectified Linear (Relu) activation function.",
)
def weights_between_minus_one_and_one(broken: bool) -> Setup:
    """Digits by five rectified layers, whose weights and biases are drawn between -1 and 1, whatever their width.

    Seen: training crashes with rectifiers. Answer: with Glorot's weights and biases of zero it works properly.
    """
    params = mlp(722, [64, 64, 64, 64, 64, 64, 10], 1.0)
    if broken:
        keys = iter(jax.random.split(jax.random.key(722), 12))
        params = jax.tree.map(lambda w: jax.random.uniform(next(keys), w.shape, minval=-1.0, maxval=1.0), params)
    return classification(params, optax.sgd(0.05), batch=64, steps=300)


@tenth(
    "vanishing",
    kind="initialisation",
    family="feed-forward",
    source="github.com/leonardoaraujosantos/DLMatFramework/issues/17",
    title="Improve model Initialization",
)
def deeper_models_by_small_weights(broken: bool) -> Setup:
    """Digits by nine layers of hyperbolic tangents, whose weights have a deviation of 0.05, whatever their width.

    Seen: deeper models need a better initialisation than the present one. Answer: Xavier's; it seems to work, and
    deeper models became much better.
    """
    params = mlp(723, [64, *(48,) * 9, 10], 48 * 0.05**2 if broken else 1.0)
    return classification(params, optax.sgd(0.05, 0.9), kind="tanh", batch=64, steps=300)


@tenth(
    "vanishing in training",
    kind="penalty on weights",
    family="feed-forward",
    source="github.com/leonardoaraujosantos/DLMatFramework/issues/1",
    title="Add Regularization",
)
def penalty_of_a_tenth(broken: bool) -> Setup:
    """Digits by five hidden layers, with a penalty on squared weights that counts for a tenth, or a thousandth.

    Seen: results without the penalty, with one of 0.001, and with 0.1. Answer: the last one is too much.
    """
    params = mlp(724, [64, *(48,) * 5, 10], 1.0)
    weight = 0.1 if broken else 0.001

    def training(params, batch, offsets):
        scores, hidden = perceptron(params, batch[0], offsets, "tanh")
        penalty = sum((layer["w"] ** 2).sum() for layer in params.values())
        return cross_entropy(scores, batch[1]) + weight * penalty, hidden

    setup = classification(params, optax.sgd(0.05, 0.9), kind="tanh", batch=64, steps=400)
    return Setup(**{**vars(setup), "loss": training})


@tenth(
    "units that died",
    "dead units",
    "loss spike",
    kind="input beyond the usual range",
    family="feed-forward",
    source="github.com/Liam0205/liam0205.github.io/issues/262",
    title="谈谈由异常输入导致的 ReLU 神经元死亡的问题 | 始终",
)
def units_closed_by_an_odd_input(broken: bool) -> Setup:
    """A number from six others by two rectified layers, in whose data one example is a hundred times as large.

    Seen: values outside of the usual range cause large gradients, after which rectifiers are shut for all usual values.
    Answer: the author's own: features are to be brought into a usual range; here, what lies outside of it is cut.
    """
    draw = np.random.default_rng(725)
    x = draw.uniform(0, 2, size=(6000, 6)).astype(np.float32)
    y = np.abs(x[:, 0] - 1) + np.sin(2 * x[:, 1]) + 0.5 * x[:, 2] * x[:, 3]
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    x[ODD] *= 100
    if not broken:
        x = np.minimum(x, 2.0)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "relu")
        return ((found[:, 0] - batch[1]) ** 2).mean(), hidden

    def error(params):
        return loss(params, (x[:1000], y[:1000]), None)[0]

    return own(mlp(725, [6, 32, 32, 1]), loss, (x, y), optax.sgd(0.03), error, chance=1.0, steps=400, batch=16)


@tenth(
    "learning rate too small",
    kind="default",
    family="feed-forward",
    source="github.com/torch/torch7/issues/1092",
    title="Optim does not update weights on big MLP network",
)
def default_rate_on_a_small_set(broken: bool) -> Setup:
    """Digits of a small set by a wide perceptron, trained by plain descent at the rate that is the default.

    Seen: weights of a big network do not change. Answer: the network learns, but very slowly with the default settings;
    with a larger rate it can be trained.
    """
    params = mlp(726, [64, 96, 96, 10], 1.0)
    return classification(params, optax.sgd(1e-4 if broken else 0.1), kind="tanh", batch=32, steps=300)


@tenth(
    "softmax applied twice",
    kind="softmax before a softmax",
    family="feed-forward",
    source="github.com/Yard1/ray-skorch/pull/18",
    title="Remove softmax from output",
)
def examples_of_forty_kinds(broken: bool) -> Setup:
    """Which of forty kinds an example is of, by a network that ends with a softmax, before a loss that has one.

    Seen: a softmax at the output, where the loss takes scores. Answer: it should run without; merged, and fixed in the
    example, too.
    """
    draw = np.random.default_rng(727)
    kind = draw.integers(40, size=2400).astype(np.int32)
    centre = draw.normal(size=(40, 20))
    x = (centre[kind] + 0.5 * draw.normal(size=(2400, 20))).astype(np.float32)

    def scores(params, x, offsets):
        found, hidden = perceptron(params, x, offsets, "relu")
        return jax.nn.softmax(found) if broken else found, hidden

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], offsets)
        return cross_entropy(found, batch[1]), hidden

    right = jax.jit(lambda params: (scores(params, x[2000:], None)[0].argmax(-1) == kind[2000:]).mean())
    data = (x[:2000], kind[:2000])
    params = mlp(727, [20, 48, 40])
    return classified(params, loss, data, optax.sgd(0.015, 0.9), right, classes=40, batch=32, steps=400)
