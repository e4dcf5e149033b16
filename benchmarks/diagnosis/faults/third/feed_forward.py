"""Perceptrons: weights, units, logarithms, data."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp, perceptron
from faults.problems import classification, classified, cross_entropy, own
from faults.registry import Setup, third


@third(
    "units that died",
    "learning rate too large",
    "exploding",
    "first loss too large",
    kind="activation that was exchanged",
    family="feed-forward",
    source="github.com/MichalDanielDobrzanski/DeepLearningPython/issues/13",
    title="replace sigmoid with relu, but useless",
)
def rectifiers_at_the_rate_of_sigmoids(broken: bool) -> Setup:
    """Rectifiers, at the output too, with the weights of variance 1 and the rate of 3 that suited sigmoids.

    Seen: an accuracy of .095 from the first epoch on. Answer: a rate of 0.01 and weights a tenth as large.
    """
    scale = 1.0 if broken else 0.1
    keys = jax.random.split(jax.random.key(0), 4)
    params = {
        "layer00": {"w": scale * jax.random.normal(keys[0], (64, 30)), "b": scale * jax.random.normal(keys[1], (30,))},
        "layer01": {"w": scale * jax.random.normal(keys[2], (30, 10)), "b": scale * jax.random.normal(keys[3], (10,))},
    }

    def net(params, x, offsets):
        hidden = []
        h = activated("relu", linear(params["layer00"], x), hidden, offsets)
        return activated("relu", linear(params["layer01"], h), hidden, offsets), tuple(hidden)

    def loss(answers, labels):
        return 0.5 * ((answers - jax.nn.one_hot(labels, 10)) ** 2).sum(1).mean()

    optimizer = optax.sgd(3.0 if broken else 0.01)
    return classification(params, optimizer, net=net, loss=loss, chance=0.45, steps=3000, batch=16)


@third(
    "not-a-number loss",
    "not-a-number gradients",
    kind="logarithm of zero",
    family="feed-forward",
    source="github.com/marian-nmt/marian-dev/issues/14",
    title="ReLU node causes numeric instability",
)
def logarithm_of_a_softmax(broken: bool) -> Setup:
    """A cross-entropy over all classes of a logarithm of a softmax, one of whose probabilities rounds to zero.

    Seen: NaN after some 25 epochs with ReLU. Answer: a softmax and its logarithm in one.
    """

    def loss(z, labels):
        z = 8 * z
        logs = jnp.log(jax.nn.softmax(z)) if broken else jax.nn.log_softmax(z)
        return -(jax.nn.one_hot(labels, 10) * logs).sum(1).mean()

    params = mlp(1, [64, 96, 96, 10])
    params["layer02"]["w"] = params["layer02"]["w"] / 8
    return classification(params, optax.adam(0.02), loss=loss, steps=400)


@third(
    "dead units",
    "gradients exactly zero",
    kind="rectified answer",
    family="regression",
    source="community.deeplearning.ai/t/loss-values-do-not-change/324182",
    title="Loss values do not change",
)
def rectified_line(broken: bool) -> Setup:
    """A line through seven points, learned by four, two and one rectifiers, of which the last gives zero for all.

    Seen: a loss that does not change in six or seven of ten runs. Answer: no rectifier at the output.
    """
    x = np.arange(-1, 6, dtype=np.float32)[:, None]
    y = (2 * x - 1)[:, 0]
    params = mlp(2, [1, 4, 2, 1])
    params["layer02"]["w"] = -jnp.abs(params["layer02"]["w"])

    def forward(params, x, offsets):
        hidden = []
        h = activated("relu", linear(params["layer00"], x), hidden, offsets)
        h = activated("relu", linear(params["layer01"], h), hidden, offsets)
        return activated("relu" if broken else "linear", linear(params["layer02"], h), hidden, offsets)[:, 0], hidden

    def loss(params, batch, offsets):
        found, hidden = forward(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), tuple(hidden)

    def error(params):
        return ((forward(params, x, None)[0] - y) ** 2).mean() / y.var()

    return own(params, loss, (x, y), optax.adam(0.02), error, chance=float(y.var()), steps=500)


@third(
    "vanishing",
    "collapse",
    kind="activation",
    family="feed-forward",
    source="github.com/phlippe/uvadlc_notebooks/issues/119",
    title="[Question]Tutorial 3(Pytorch, JAX) Test accuracy for the model with sigmoid activation function",
)
def sigmoids_in_a_tutorial(broken: bool) -> Setup:
    """Six layers of sigmoids under plain gradient descent.

    Seen: the best model is that of the first epoch. Answer: a better initialisation, or a norm, makes it train.
    """

    def net(params, x, offsets):
        hidden = []
        *layers, last = (params[name] for name in sorted(params))
        for layer in layers:
            z = linear(layer, x)
            z = z if broken else 2 * (z - z.mean(0)) * jax.lax.rsqrt(z.var(0) + 1e-5)
            x = activated("sigmoid", z, hidden, offsets)
        return linear(last, x), tuple(hidden)

    return classification(mlp(3, [64] + [48] * 6 + [10], 1.0), optax.sgd(0.1, 0.9), net=net, kind="sigmoid", steps=300)


@third(
    "updates not applied",
    kind="updates that reach nothing",
    family="feed-forward",
    source="github.com/microsoft/nni/issues/4521",
    title="The parameters are not updated when the pruned model is finetuned",
)
def layers_exchanged_behind_the_optimizer(broken: bool) -> Setup:
    """Layers that pruning replaced by smaller ones, while the optimizer still holds those that were there before.

    Seen: parameters that stay as they are. Answer: make the optimizer again after the layers were replaced.
    """

    def apply(params, updates):
        return params if broken else optax.apply_updates(params, updates)

    return classification(mlp(4, [64, 40, 24, 10]), optax.adam(3e-3), kind="leaky_relu", apply=apply)


def _questions(count: int, seed: int):
    """Bags of eight of 60 words, of which the first 24 are mostly those of one of six answers."""
    draw = np.random.default_rng(seed)
    answer = draw.integers(6, size=count)
    bags = np.zeros((count, 60), np.float32)
    for _ in range(8):
        own_word = 4 * answer + draw.integers(4, size=count)
        word = np.where(draw.random(count) < 0.4, own_word, draw.integers(24, 60, size=count))
        bags[np.arange(count), word] += 1
    return bags, answer.astype(np.int32)


@third(
    "constant answer",
    "learned by heart",
    kind="labels out of step",
    family="feed-forward",
    source="github.com/DrexelChatbotGroup/DrexelChatbot/issues/15",
    title="Incomplete randomization",
)
def questions_without_their_answers(broken: bool) -> Setup:
    """Questions that are shuffled, while their answers stay in the order in which they were.

    Seen: the order of x is randomised, and that of y is not. Answer: shuffle both alike.
    """
    x, y = _questions(2000, 0)
    others, wanted = _questions(1000, 1)
    x = x[np.random.default_rng(2).permutation(len(x))] if broken else x

    def loss(params, batch, offsets):
        scores, hidden = perceptron(params, batch[0], offsets, "tanh")
        return cross_entropy(scores, batch[1]), hidden

    right = jax.jit(lambda params: (perceptron(params, others, None, "tanh")[0].argmax(-1) == wanted).mean())
    return classified(
        mlp(5, [60, 16, 6], 1.0),
        loss,
        (x, y),
        optax.adam(3e-3),
        right,
        classes=6,
        steps=300,
        batch=64,
    )


@third(
    "learned by heart",
    kind="too few examples",
    family="feed-forward",
    source="github.com/davidsandberg/facenet/issues/956",
    title="Accuracy reaching 100%",
)
def two_pictures_of_each_face(broken: bool) -> Setup:
    """Twenty people of whom there are two pictures each: all of them are remembered, and others not recognised.

    Seen: 92 classes of 15 images, with an accuracy of 100 % in training. Answer: more images, or a smaller network.
    """
    draw = np.random.default_rng(0)
    people = 0.5 * draw.normal(size=(20, 64))
    person = np.tile(np.arange(20), 2 if broken else 200).astype(np.int32)
    pictures = (people[person] + draw.normal(size=(len(person), 64))).astype(np.float32)
    shown = np.tile(np.arange(20), 50)
    others = (people[shown] + draw.normal(size=(len(shown), 64))).astype(np.float32)

    def loss(params, batch, offsets):
        scores, hidden = perceptron(params, batch[0], offsets)
        return cross_entropy(scores, batch[1]), hidden

    right = jax.jit(lambda params: (perceptron(params, others, None)[0].argmax(-1) == shown).mean())
    return classified(
        mlp(6, [64, 64, 64, 20]),
        loss,
        (pictures, person),
        optax.adam(3e-3),
        right,
        classes=20,
        steps=300,
        batch=40,
    )


@third(
    "dead units",
    "units that died",
    "gradients exactly zero",
    kind="rectified answer",
    family="feed-forward",
    source="github.com/martinwicke/tf-dev-summit-tensorboard-tutorial/issues/3",
    title="Relu activations after fully connected layers",
)
def rectified_scores(broken: bool) -> Setup:
    """A rectifier behind the scores of all classes, which begin below zero: each is zero for every example.

    Seen: an accuracy that stays below 65 %. Answer: the layer of the scores has no rectifier.
    """
    params = mlp(7, [64, 48, 10])
    params["layer01"]["b"] = params["layer01"]["b"] - 2.5

    def net(params, x, offsets):
        hidden = []
        h = activated("tanh", linear(params["layer00"], x), hidden, offsets)
        return activated("relu" if broken else "linear", linear(params["layer01"], h), hidden, offsets), tuple(hidden)

    return classification(params, optax.sgd(0.3), net=net, kind="tanh", steps=300)
