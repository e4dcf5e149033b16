"""Embeddings that are learned by comparison: margins of another measure, no norm, sixteen bits, shares for scores."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import mlp
from faults.problems import classified, cross_entropy, digits, own
from faults.registry import Setup, thirteenth
from faults.second.contrastive import unit


def captions(seed: int):
    """Pictures, and other numbers that say the same of each."""
    x = digits()[0]
    draw = np.random.default_rng(seed)
    said = x @ draw.normal(size=(64, 24)) / 8 + 0.1 * draw.normal(size=(len(x), 24))
    return x, said.astype(np.float32)


def matched(params, batch, offsets, scored):
    """How a loss compares pictures with what is said of them, and what is inside."""
    hidden = []
    seen = embedded(params["seen"], batch[0], hidden, offsets, "tanh")
    said = embedded(params["said"], batch[1], hidden, offsets, "tanh")
    return scored(seen, said), tuple(hidden)


@thirteenth(
    "gradients exactly zero",
    kind="margins of a distance",
    family="contrastive",
    source="github.com/KevinMusgrave/pytorch-metric-learning/issues/504",
    title="What loss to choose?",
)
def margins_of_a_distance(broken: bool) -> Setup:
    """Pictures that are to be alike within a class, by cosines with the margins of a distance, or with their own.

    Embeddings begin with a part that all share, as those of a model do that was trained before.

    Seen: the loss of every batch is very low. Answer: the defaults, zero for those alike and one for others, make no
    sense for cosines; one and zero.
    """
    x, y, x_other, y_other = digits()
    alike_from, other_to = (0.0, 1.0) if broken else (1.0, 0.0)

    def loss(params, batch, offsets):
        hidden = []
        z = unit(embedded(params, batch[0], hidden, offsets))
        near, same = z @ z.T, batch[1][:, None] == batch[1]
        apart = ~same
        pulled = (jax.nn.relu(alike_from - near) * same).sum() / same.sum()
        pushed = (jax.nn.relu(near - other_to) * apart).sum() / apart.sum()
        return pulled + pushed, tuple(hidden)

    def error(params):
        z = unit(embedded(params, x_other[:400], [], None))
        near, same = z @ z.T, y_other[:400, None] == y_other[None, :400]
        return 1 - (near * same).sum() / same.sum() + (near * ~same).sum() / (~same).sum()

    params = mlp(1421, [64, 64, 64, 16])
    params["layer02"]["b"] = jnp.ones(16)
    return own(params, loss, (x, y), optax.adam(2e-3), error, steps=300, batch=64)


@thirteenth(
    "first loss too large",
    kind="products without a norm",
    family="contrastive",
    source="github.com/moein-shariatnia/OpenAI-CLIP/pull/28",
    title="Fix CLIP contrastive loss and update docs",
)
def products_without_a_norm(broken: bool) -> Setup:
    """Which caption belongs to which picture, by products of embeddings as they are, or divided by their norms.

    Seen: without a norm, products have no bound. Answer: embeddings are divided by their norms; merged.
    """
    data = captions(1423)

    def scored(seen, said):
        return seen @ said.T / 0.07 if broken else unit(seen) @ unit(said).T / 0.07

    def loss(params, batch, offsets):
        found, hidden = matched(params, batch, offsets, scored)
        own_one = jnp.arange(len(found))
        return (cross_entropy(found, own_one) + cross_entropy(found.T, own_one)) / 2, hidden

    def error(params):
        return loss(params, tuple(each[:64] for each in data), None)[0] / np.log(64)

    params = {"seen": mlp(1423, [64, 64, 64], 1.0), "said": mlp(1424, [24, 64, 64], 1.0)}
    params = jax.tree.map(lambda w: 2 * w, params)
    return own(params, loss, data, optax.adam(1e-3), error, chance=float(np.log(64)), steps=200, batch=64)


@thirteenth(
    "underflow",
    "gradients exactly zero",
    kind="precision",
    family="contrastive",
    source="github.com/Zasder3/train-CLIP/issues/33",
    title="manual_backward + fp16 training doesn't converge",
)
def parts_of_a_batch_in_float16(broken: bool) -> Setup:
    """Which caption belongs to which picture, in float16, as a small part of a large batch, with or without a scale.

    Seen: does not converge at all in float16 with parts of batches, and works in float32. Answer: none; a reader: usual
    where numbers are below the smallest of float16. Here, a scale.
    """
    data = captions(1425)
    part, scale = 1e-6, 1.0 if broken else 2.0**18

    def scored(seen, said):
        return unit(seen.astype(jnp.float32)) @ unit(said.astype(jnp.float32)).T / 0.1

    def loss(params, batch, offsets):
        halves, shown = (jax.tree.map(lambda w: w.astype(jnp.float16), each) for each in (params, batch))
        found, hidden = matched(halves, shown, offsets, scored)
        return scale * part * cross_entropy(found, jnp.arange(len(found))), hidden

    def error(params):
        found, _ = matched(params, tuple(each[:64] for each in data), None, scored)
        return cross_entropy(found, jnp.arange(64)) / np.log(64)

    params = {"seen": mlp(1425, [64, 64, 32], 1.0), "said": mlp(1426, [24, 64, 32], 1.0)}
    chance = float(scale * part * np.log(64))
    return own(params, loss, data, optax.adam(2e-3, eps=1e-12), error, chance=chance, steps=250, batch=64)


@thirteenth(
    "softmax applied twice",
    kind="softmax of likenesses",
    family="contrastive",
    source="github.com/AntreasAntoniou/MatchingNetworks/issues/3",
    title="bug report: shouldn't use tf.nn.sparse_softmax_cross_entropy_with_logits to calculate loss",
)
def likenesses_through_two_softmaxes(broken: bool) -> Setup:
    """Which of thirty-two shown examples is the asked one, by shares of likenesses in a loss with a softmax of its own.

    Seen: answers are a softmax of likenesses, and the loss takes another one; it stays high. Answer: that is right; the
    first one is removed.
    """
    draw = np.random.default_rng(1427)
    place = draw.normal(size=(900, 32, 5))
    label = draw.integers(32, size=900).astype(np.int32)

    def shown(place):
        noise = 1.5 * draw.normal(size=(*place.shape[:-1], 11))
        return np.concatenate([place + 0.1 * draw.normal(size=place.shape), noise], axis=-1).astype(np.float32)

    support, asked = shown(place), shown(place[np.arange(900), label])

    def scores(params, support, asked, offsets):
        hidden = []
        known, query = (unit(embedded(params, x, hidden, offsets, "tanh")) for x in (support, asked))
        near = 10 * jnp.einsum("nwd,nd->nw", known, query)
        return jax.nn.softmax(near) if broken else near, tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], batch[1], offsets)
        return cross_entropy(found, batch[2]), hidden

    def right(params):
        found, _ = scores(params, support[700:], asked[700:], None)
        return (found.argmax(1) == label[700:]).mean()

    data, params = (support[:700], asked[:700], label[:700]), mlp(1427, [16, 48, 16], 1.0)
    more = {"classes": 32, "batch": 32, "steps": 300}
    return classified(params, loss, data, optax.sgd(0.0014, 0.9), jax.jit(right), **more)
