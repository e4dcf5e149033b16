"""Runs that are in order and look odd: nothing is wrong with them.

The one that is called broken is the odd one. The other is the same run made in the usual way.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.convolutional import flat
from faults.nets import activated, dense, linear, mlp
from faults.problems import classification, classified, cross_entropy, curve, regression
from faults.registry import Setup, twelfth
from faults.second.attention import at_each_word, blocks, causal
from faults.tenth.convolutional import headed
from faults.twelfth.language import IGNORED, texts

NOTHING = "nothing wrong"


@twelfth(
    NOTHING,
    kind="sign of the error",
    family="feed-forward",
    source="github.com/makeyourownneuralnetwork/makeyourownneuralnetwork/issues/66",
    title="why( wih += lr ...) and not (wih -= lr...)",
    sound=True,
)
def weights_that_grow_by_the_error(broken: bool) -> Setup:
    """A function of three numbers, by weights to which what lowers half the error is added, or the gradient subtracted.

    Seen: weights are updated by plus, and not by minus as in the rule. Answer: none; the error is the truth minus the
    answer, so that the minus is in it.
    """
    downwards = optax.sgd(0.05, 0.9)
    along_the_error = optax.chain(optax.scale(-0.5), optax.trace(0.9), optax.scale(0.1))
    params = mlp(1271, [3, 48, 48, 1], 1.0)
    optimizer = along_the_error if broken else downwards
    return regression(params, optimizer, data=curve(1271, 600), steps=400, batch=64)


@twelfth(
    NOTHING,
    kind="logarithm of shares twice",
    family="convolutional",
    source="github.com/bhanML/Co-teaching/issues/4",
    title="A question about your loss_coteaching function",
    sound=True,
)
def logarithms_of_shares_twice(broken: bool) -> Setup:
    """Digits by filters, whose logarithms of shares go through a loss that takes such logarithms again.

    Seen: the logarithm of a softmax is taken twice. Answer: that changes nothing but some more computation, since what
    is normalised stays the same.
    """

    def loss(found, labels):
        return cross_entropy(jax.nn.log_softmax(found) if broken else found, labels)

    return classification(headed(1273, [1, 8, 8]), optax.adam(5e-3), net=flat, loss=loss, batch=32, steps=250)


@twelfth(
    NOTHING,
    kind="sampled edges",
    family="graph",
    source="github.com/gcucurull/visual-compatibility/issues/4",
    title="why val Acc > train Acc?",
    sound=True,
)
def edges_dropped_in_training(broken: bool) -> Setup:
    """Which of four kinds nodes are of, with half of features and edges left out in training, or none of them.

    Seen: others are recognised better than what was trained on. Answer: in training features and connections are
    dropped, so that it never has all it needs.
    """
    draw = np.random.default_rng(1275)
    count = 400
    kind = draw.integers(4, size=count).astype(np.int32)
    alike = kind[:, None] == kind
    upper = np.triu(draw.random((count, count)) < np.where(alike, 0.1, 0.01), 1)
    joined = (upper + upper.T + np.eye(count)).astype(np.float32)
    x = (np.eye(4)[kind] + 0.8 * draw.normal(size=(count, 4))).astype(np.float32)
    keys = jax.random.split(jax.random.key(1275), 2)
    params = {"one": dense(keys[0], 4, 16), "out": dense(keys[1], 16, 4, 1.0)}
    node, seeds = np.arange(count, dtype=np.int32), np.arange(count // 2, dtype=np.int32)

    def scores(params, offsets, seed=None):
        near, given = jnp.asarray(joined), jnp.asarray(x)
        if seed is not None:
            one, two = jax.random.split(jax.random.key(seed))
            near = near * jax.random.bernoulli(one, 0.5, near.shape)
            given = 2 * given * jax.random.bernoulli(two, 0.5, given.shape)
        hidden = []
        share = near / jnp.maximum(near.sum(1, keepdims=True), 1)
        h = activated("relu", linear(params["one"], share @ given), hidden, offsets)
        return linear(params["out"], share @ h), tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = scores(params, offsets, batch[2].sum() if broken else None)
        return cross_entropy(found[batch[0]], batch[1]), hidden

    right = jax.jit(lambda params: (scores(params, None)[0].argmax(-1) == kind)[1::2].mean())
    data = (node[::2], kind[::2], seeds)
    return classified(params, loss, data, optax.adam(1e-2), right, classes=4, batch=32, steps=300)


@twelfth(
    NOTHING,
    kind="label of no word",
    family="language",
    source="github.com/karpathy/nanoGPT/issues/297",
    title="Loss calculation",
    sound=True,
)
def labels_of_no_word(broken: bool) -> Setup:
    """The next word at each place, by a loss that ignores the label -1, or the usual -100, of which there are none.

    Seen: the label to be ignored is -1, which looks as if the last word were left out, although nothing is padded.
    Answer: both do the same thing, since there is no word with a negative number.
    """
    _, text = texts(1277, 16, 8)
    params = blocks(1277, 1, 16, tokens=16, length=8)
    ignored = -1 if broken else IGNORED

    def scores(params, text, offsets):
        return at_each_word(params, text, offsets, causal(8))

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0][:, :-1], offsets)
        counts = batch[0][:, 1:] != ignored
        each = optax.softmax_cross_entropy_with_integer_labels(found, batch[0][:, 1:])
        return (each * counts).sum() / counts.sum(), hidden

    right = jax.jit(lambda params: (scores(params, text[1600:, :-1], None)[0].argmax(-1) == text[1600:, 1:]).mean())
    more = {"classes": 16, "batch": 32, "steps": 300}
    return classified(params, loss, (text[:1600],), optax.adam(5e-3), right, **more)
