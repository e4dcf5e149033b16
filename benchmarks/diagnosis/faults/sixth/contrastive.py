"""Embeddings that are learned by comparison: steps that are not taken, two softmaxes."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import mlp
from faults.problems import cross_entropy, digits, own
from faults.registry import Setup, sixth
from faults.second.contrastive import unit


@sixth(
    "updates not applied",
    "gradients exactly zero",
    kind="updates that reach nothing",
    family="contrastive",
    source="github.com/aalto-intelligent-robotics/sivl/issues/2",
    title="No loss.backward()",
)
def matches_that_nobody_learns(broken: bool) -> Setup:
    """Which of 64 pictures shows the same place to another sensor; the loss is computed, and its gradient is not.

    Seen: no backward pass in the training. Answer: the line was deleted by accident before the code was published.
    """
    x = digits()[0]
    draw = np.random.default_rng(3)
    sensed = np.tanh(x @ draw.normal(size=(64, 40)) / 8)
    data = x, (sensed + 0.1 * draw.normal(size=sensed.shape)).astype(np.float32)

    def loss(params, batch, offsets):
        hidden = []
        one = unit(embedded(params["camera"], batch[0], hidden, offsets, "tanh"))
        two = unit(embedded(params["radar"], batch[1], hidden, offsets, "tanh"))
        return cross_entropy(8 * one @ two.T, jnp.arange(len(one))), tuple(hidden)

    chance = float(np.log(64))

    def error(params):
        return loss(params, tuple(view[:64] for view in data), None)[0] / chance

    def nothing(updates, state, params=None):
        return jax.tree.map(jnp.zeros_like, updates), state

    forgotten = optax.GradientTransformation(lambda params: optax.EmptyState(), nothing)
    optimizer = forgotten if broken else optax.adam(3e-3)
    params = {"camera": mlp(1, [64, 64, 24], 1.0), "radar": mlp(2, [40, 64, 24], 1.0)}
    return own(params, loss, data, optimizer, error, chance=chance, steps=400, batch=64)


@sixth(
    "softmax applied twice",
    kind="softmax before a softmax",
    family="contrastive",
    source="github.com/nishnik/Deep-Semantic-Similarity-Model-PyTorch/issues/2",
    title="Softmax and CrossEntropyLoss",
)
def documents_of_a_query(broken: bool) -> Setup:
    """Which of sixteen documents answers a query, by a softmax of likenesses before a loss that has one.

    Seen: the output of the model goes through a softmax. Answer: that was a mistake.
    """
    draw = np.random.default_rng(4)
    subject = draw.normal(size=(1500, 16, 5))
    right = draw.integers(16, size=1500).astype(np.int32)
    mix = draw.normal(size=(5, 12))
    said = np.tanh(subject @ mix) + 0.1 * draw.normal(size=(1500, 16, 12))
    query = subject[np.arange(1500), right] + 0.1 * draw.normal(size=(1500, 5))
    data = (query.astype(np.float32), said.astype(np.float32), right)

    def loss(params, batch, offsets):
        hidden = []
        asked = unit(embedded(params["query"], batch[0], hidden, offsets))
        found = unit(embedded(params["document"], batch[1], hidden, offsets))
        likeness = 16 * jnp.einsum("nd,nwd->nw", asked, found)
        return cross_entropy(jax.nn.softmax(likeness) if broken else likeness, batch[2]), tuple(hidden)

    chance = float(np.log(16))

    def error(params):
        return loss(params, tuple(part[:300] for part in data), None)[0] / chance

    params = {"query": mlp(5, [5, 48, 12]), "document": mlp(6, [12, 48, 12])}
    return own(params, loss, data, optax.adam(3e-3), error, chance=chance, steps=500, batch=64)
