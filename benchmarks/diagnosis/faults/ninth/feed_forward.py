"""Perceptrons: rectifiers at a large rate, weights of zero, numbers of a thousand, signs, small default weights."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import classification, classified, cross_entropy, own
from faults.registry import Setup, ninth


@ninth(
    "units that died",
    "dead units",
    "gradients exactly zero",
    "learning rate too large",
    kind="rectifiers that are knocked out",
    family="feed-forward",
    source="github.com/keras-team/keras/issues/7057",
    title="Feature proposal: detect dead ReLUs",
)
def rectifiers_that_never_fire_again(broken: bool) -> Setup:
    """Digits by three narrow layers of rectifiers, which a large rate pushes to where they never fire.

    Seen: some units never fire during an epoch, either by unlucky weights or because of too high a rate. Answer:
    rectifiers that leak, among others; the proposal was closed.
    """
    params = mlp(501, [64, 16, 16, 16, 10])
    kind = "relu" if broken else "leaky_relu"
    return classification(params, optax.sgd(0.6), kind=kind, batch=32, steps=400)


@ninth(
    "dead units",
    "gradients exactly zero",
    kind="weights of zero",
    family="feed-forward",
    source="github.com/VowpalWabbit/vowpal_wabbit/pull/1033",
    title="Rectified linear unit option for neural net",
)
def rectifiers_that_begin_at_zero(broken: bool) -> Setup:
    """A number from five others, by one layer of rectifiers, all weights of which begin at zero.

    Seen: the rectified network is not learning. Answer: zero is a point of a gradient of zero for a rectifier, so the
    weights have to begin elsewhere.
    """
    draw = np.random.default_rng(502)
    x = draw.normal(size=(800, 5)).astype(np.float32)
    y = np.abs(x[:, 0] + x[:, 1]) - np.maximum(x[:, 2], 0) * x[:, 3] + 0.5 * x[:, 4]
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    params = mlp(502, [5, 24, 1])
    if broken:
        params = jax.tree.map(jnp.zeros_like, params)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "relu")
        return ((found[:, 0] - batch[1]) ** 2).mean(), hidden

    def error(params):
        return loss(params, (x, y), None)[0]

    return own(params, loss, (x, y), optax.adam(1e-2), error, chance=1.0, batch=32, steps=400)


@ninth(
    "saturation",
    "far from unit scale",
    kind="scale of the data",
    family="feed-forward",
    source="github.com/BrainJS/brain.js/issues/98",
    title="net.run gives same response regardless of input",
)
def responses_that_are_all_the_same(broken: bool) -> Setup:
    """Which of three things happens, from six numbers around a thousand, which go into logistic units as they are.

    Seen: the outputs are the same for any input. Answer: the data are to be normalised where a sigmoid is used.
    """
    draw = np.random.default_rng(503)
    what = draw.integers(3, size=1500).astype(np.int32)
    centre = draw.normal(size=(3, 6))
    x = 1000 + 40 * (1.5 * centre[what] + draw.normal(size=(1500, 6)))
    if not broken:
        x = 2 * (x - x.min(0)) / (x.max(0) - x.min(0)) - 1
    x = x.astype(np.float32)

    def loss(params, batch, offsets):
        scores, hidden = perceptron(params, batch[0], offsets, "sigmoid")
        return cross_entropy(scores, batch[1]), hidden

    right = jax.jit(lambda params: (perceptron(params, x[1200:], None, "sigmoid")[0].argmax(-1) == what[1200:]).mean())
    data = (x[:1200], what[:1200])
    return classified(
        mlp(503, [6, 12, 12, 3], 2.0), loss, data, optax.adam(1e-2), right, classes=3, batch=32, steps=400
    )


@ninth(
    "updates point uphill",
    kind="wrong sign",
    family="feed-forward",
    source="github.com/accord-net/framework/issues/258",
    title="Why output - desiredOutput on Rprop?",
)
def error_in_the_other_order(broken: bool) -> Setup:
    """A rule that takes the signs of slopes, where what is wanted and what is found have changed their places.

    Seen: with the wanted answer minus the found one the squared error increases. Answer: the one rule subtracts its
    updates, and the other one adds them; the order has to fit.
    """
    params = mlp(504, [64, 24, 10], 1.0)
    rule = optax.sign_sgd(1e-3)
    optimizer = optax.chain(rule, optax.scale(-1.0)) if broken else rule

    def squared(found, labels):
        return ((jax.nn.sigmoid(found) - jax.nn.one_hot(labels, 10)) ** 2).sum(1).mean()

    return classification(params, optimizer, kind="sigmoid", loss=squared, chance=0.9, batch=64, steps=400)


@ninth(
    "vanishing",
    kind="initialisation",
    family="feed-forward",
    source="github.com/torch/nn/issues/449",
    title="Default initialization of modules",
)
def twelve_layers_of_default_weights(broken: bool) -> Setup:
    """Twelve rectified layers, whose weights are uniform up to one over the root of the inputs.

    Seen: with the default weights the gradients of very deep networks die out, and training is slow or impossible.
    Answer: other initialisations, of which a script has several.
    """
    params = mlp(505, [64, *(40,) * 12, 10], 1 / 3 if broken else 2.0)
    return classification(params, optax.sgd(0.02, 0.9), batch=64, steps=400)
