"""Perceptrons: weights of zero, answers that are rounded, lines that are straight, rates and signs."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp, perceptron
from faults.problems import classification, classified, cross_entropy, curve, own
from faults.registry import Setup, fourth


@fourth(
    "gradients exactly zero",
    kind="initialisation",
    family="feed-forward",
    source="github.com/davharris/mistnet/issues/87",
    title="Must initialize weights",
)
def weights_that_nobody_drew(broken: bool) -> Setup:
    """Which of ten species live at a place, by a network whose weights are all zero.

    Seen: no gradients in any network with a hidden layer. Answer: the weights have to be initialised.
    """
    x = curve(1)[0]
    draw = np.random.default_rng(0)
    found = np.tanh(x @ draw.normal(size=(3, 24))) @ draw.normal(size=(24, 10)) + 1.0
    lives = (found > 0).astype(np.float32)
    params = mlp(0, [3, 32, 32, 10], 1.0)
    params = jax.tree.map(jnp.zeros_like, params) if broken else params

    def loss(params, batch, offsets):
        scores, hidden = perceptron(params, batch[0], offsets, "tanh")
        return optax.sigmoid_binary_cross_entropy(scores, batch[1]).mean(), hidden

    share = lives.mean(0)
    rarer = np.minimum(share, 1 - share).mean()

    def error(params):
        return ((perceptron(params, x, None, "tanh")[0] > 0) != (lives > 0)).mean() / rarer

    chance = -float((share * np.log(share) + (1 - share) * np.log(1 - share)).mean())
    return own(params, loss, (x, lives), optax.adam(1e-2), error, chance=chance, steps=400, batch=64)


@fourth(
    "gradients exactly zero",
    "frozen",
    kind="a step without a slope",
    family="feed-forward",
    source="github.com/pytorch/pytorch/issues/1339",
    title="Backprop through argmax",
)
def choice_between_two_modules(broken: bool) -> Setup:
    """A network that chooses one of ten words, and a second one that reads the word: no gradient passes the choice.

    Seen: the first module has no gradients. Answer: an argmax has a slope of zero everywhere.
    """

    def net(params, x, offsets):
        scores, hidden = perceptron(params["writer"], x, offsets, "tanh")
        word = jax.nn.one_hot(scores.argmax(-1), 10) if broken else jax.nn.softmax(scores)
        return linear(params["reader"]["layer00"], word), hidden

    params = {"writer": mlp(1, [64, 48, 10], 1.0), "reader": mlp(2, [10, 10])}
    return classification(params, optax.adam(1e-2), net=net, kind="tanh", batch=64, steps=500)


@fourth(
    "constant answer",
    kind="too small a network",
    family="feed-forward",
    source="ai.stackexchange.com/questions/27010",
    title="Why does my neural network to solve the XOR problem always output 0.5?",
)
def either_or_by_a_line(broken: bool) -> Setup:
    """Either of two, by a network without a hidden layer.

    Seen: the answer is 0.5 for all. Answer: one neuron only separates what a line separates; it takes a layer before.
    """
    draw = np.random.default_rng(0)
    corner = draw.integers(2, size=(1024, 2))
    x = (2 * corner - 1 + 0.3 * draw.normal(size=(1024, 2))).astype(np.float32)
    y = (corner[:, 0] ^ corner[:, 1]).astype(np.int32)
    params = mlp(3, [2, 2] if broken else [2, 16, 2], 1.0)

    def loss(params, batch, offsets):
        scores, hidden = perceptron(params, batch[0], offsets, "tanh")
        return cross_entropy(scores, batch[1]), hidden

    right = jax.jit(lambda params: (perceptron(params, x[512:], None, "tanh")[0].argmax(-1) == y[512:]).mean())
    data = (x[:512], y[:512])
    return classified(params, loss, data, optax.sgd(0.5, 0.9), right, classes=2, steps=300, batch=128)


@fourth(
    "learning rate too small",
    kind="rate of another optimizer",
    family="feed-forward",
    source="github.com/testdotai/classifier-builder/pull/6",
    title="Use AdamOptimizer",
)
def head_of_a_pretrained_network(broken: bool) -> Setup:
    """The last layer of a pretrained network under gradient descent, at a rate that suits Adam.

    Seen: at 0.01 gradient descent is very slow. Answer: Adam at 0.01, which does as well as gradient descent at 0.3.
    """
    fixed = 0.1 * np.random.default_rng(1).normal(size=(64, 128)) / 8

    def features(x):
        return jax.nn.relu(x @ fixed)

    optimizer = optax.sgd(0.01) if broken else optax.adam(0.01)
    return classification(mlp(4, [128, 10]), optimizer, inputs=features, batch=100, steps=400)


@fourth(
    "updates point uphill",
    kind="wrong sign",
    family="feed-forward",
    source="github.com/udacity/deep-learning-v2-pytorch/pull/14",
    title="Fix error in train() weight updating",
)
def error_of_the_wrong_sign(broken: bool) -> Setup:
    """Admissions by marks and rank, learned with an error of the other sign, so that weights move away from it.

    Seen: the update is a sum where it should be a difference. Answer: the instructions had misled about the error.
    """
    draw = np.random.default_rng(2)
    marks = draw.normal(size=(400, 2))
    rank = np.eye(4)[draw.integers(4, size=400)]
    x = np.concatenate([marks, rank], axis=1).astype(np.float32)
    admitted = (2 * marks.sum(1) + rank @ [2, 1, -1, -2] > 0).astype(np.int32)

    def forward(params, x, offsets):
        hidden = []
        h = activated("sigmoid", linear(params["layer00"], x), hidden, offsets)
        return jax.nn.sigmoid(linear(params["layer01"], h))[:, 0], tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = forward(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    right = jax.jit(lambda params: ((forward(params, x[300:], None)[0] > 0.5) == (admitted[300:] > 0)).mean())
    optimizer = optax.scale(2.0 if broken else -2.0)
    data = (x[:300], admitted[:300])
    return classified(mlp(5, [6, 8, 1], 4.0), loss, data, optimizer, right, classes=2, chance=0.25, steps=300)


@fourth(
    "frozen",
    "gradients exactly zero",
    kind="layers that rest by mistake",
    family="feed-forward",
    source="github.com/mahmoodlab/TRIDENT/issues/122",
    title="Why freezed feature_encoder in tutorial 3?",
)
def encoder_of_slides_at_rest(broken: bool) -> Setup:
    """Bags of 24 patches, of which one tells; the encoder that should find it is loaded with its weights held still.

    Seen: the encoder of the tutorial cannot be trained. Answer: a mistake in the tutorial; it is to be trained.
    """
    draw = np.random.default_rng(3)
    label = draw.integers(2, size=3000).astype(np.int32)
    bags = draw.normal(size=(3000, 24, 6)).astype(np.float32)
    place = draw.integers(24, size=3000)
    bags[np.arange(3000), place, 0] = 4.0
    bags[np.arange(3000), place, 1] = 1.5 * (2 * label - 1)

    def forward(params, bags, offsets):
        hidden = []
        encoder = jax.lax.stop_gradient(params["encoder"]) if broken else params["encoder"]
        h = activated("tanh", linear(encoder["layer00"], bags), hidden, offsets)
        weight = jax.nn.softmax(linear(encoder["layer01"], h)[..., 0], axis=1)
        return linear(params["head"]["layer00"], jnp.einsum("np,npd->nd", weight, h)), tuple(hidden)

    def loss(params, batch, offsets):
        scores, hidden = forward(params, batch[0], offsets)
        return cross_entropy(scores, batch[1]), hidden

    right = jax.jit(lambda params: (forward(params, bags[2000:], None)[0].argmax(-1) == label[2000:]).mean())
    params = {"encoder": mlp(6, [6, 16, 1], 1.0), "head": mlp(7, [16, 2])}
    data = (bags[:2000], label[:2000])
    return classified(params, loss, data, optax.adam(5e-3), right, classes=2, steps=500, batch=64)


@fourth(
    "updates not applied",
    "frozen",
    kind="optimizer of nothing",
    family="feed-forward",
    source="github.com/LaurentMazare/ocaml-torch/issues/36",
    title="Unexpected results related to creation/initialization of layers and optimizer "
    "(when step function does nothing)",
)
def optimizer_before_the_layers(broken: bool) -> Setup:
    """An optimizer that was made when there were no layers yet, and knows none of those that were made after it.

    Seen: the same loss at every step. Answer: make the optimizer after the layers.
    """
    params = mlp(8, [64, 32, 32, 10], 1.0)
    known = optax.multi_transform(
        {"known": optax.adam(3e-3), "unknown": optax.set_to_zero()},
        dict.fromkeys(params, "unknown" if broken else "known"),
    )
    return classification(params, known, kind="tanh", batch=64, steps=300)
