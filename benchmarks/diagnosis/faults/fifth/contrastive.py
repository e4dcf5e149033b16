"""Embeddings that are learned by comparison: triplets, twins, episodes, patches."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fourth.convolutional import seen
from faults.nets import activated, dense, linear, mlp
from faults.problems import cross_entropy, digits, own
from faults.registry import Setup, fifth
from faults.second.attention import normalised
from faults.second.contrastive import unit
from faults.second.convolutional import filters
from faults.third.contrastive import views


def embedded(params, x, hidden, offsets, kind: str = "relu", between=lambda z: z):
    """What a perceptron makes of x, with something done to what reaches the units."""
    *layers, last = (params[name] for name in sorted(params))
    for layer in layers:
        x = activated(kind, between(linear(layer, x)), hidden, offsets)
    return linear(last, x)


@fifth(
    "collapse",
    "units that died",
    "learning rate too large",
    kind="rate",
    family="contrastive",
    source="github.com/xiaolonw/caffe-video_triplet/issues/8",
    title="triplet loss can't convergence,how can I do?",
)
def triplets_at_their_margin(broken: bool) -> Setup:
    """The hardest triplets of a batch, at a rate that draws all embeddings together: the loss is the margin.

    Seen: the loss equals the margin all the time. Answer: all embeddings collapsed to one point; decrease the rate.
    """
    x, y = digits()[:2]

    def far(z):
        square = ((z[:, None] - z[None]) ** 2).sum(-1)
        return jnp.sqrt(square + 1e-8)

    def loss(params, batch, offsets):
        hidden = []
        apart = far(embedded(params, batch[0], hidden, offsets))
        alike = batch[1][:, None] == batch[1][None]
        positive = jnp.where(alike, apart, 0.0).max(1)
        negative = jnp.where(alike, jnp.inf, apart).min(1)
        return jax.nn.relu(positive - negative + 0.5).mean(), tuple(hidden)

    def error(params):
        apart = far(embedded(params, x[:300], [], None))
        alike = y[:300, None] == y[None, :300]
        within, between = (apart * alike).sum() / alike.sum(), (apart * ~alike).sum() / (~alike).sum()
        return jax.nn.relu(within - between + 0.5) / 0.5

    optimizer = optax.adam(0.1 if broken else 1e-3)
    return own(mlp(0, [64, 64, 32, 8]), loss, (x, y), optimizer, error, chance=0.5, steps=400, batch=64)


@fifth(
    "collapse",
    kind="norm that is left out",
    family="contrastive",
    source="github.com/imbue-ai/self_supervised/issues/5",
    title='Clarification on: "Our network performed no better than random"',
)
def twins_without_a_batch_norm(broken: bool) -> Setup:
    """Two views without negatives, by an encoder that normalises nothing over the batch: all point the same way.

    Seen: no better than random. Answer: representations collapse to a cosine of 0.99999 without batch normalization.
    """
    first, second = views(1)
    others = digits()[2]

    def between(z):
        return z if broken else normalised(z, 0)

    def turned(params, x, hidden, offsets):
        return between(embedded(params, x, hidden, offsets, between=between))

    def loss(params, batch, offsets):
        hidden = []
        one, two = (turned(params["encoder"], view, hidden, offsets) for view in batch)
        guess_one, guess_two = (unit(linear(params["predictor"]["layer00"], z)) for z in (one, two))
        one, two = (unit(jax.lax.stop_gradient(z)) for z in (one, two))
        return -0.5 * ((guess_one * two).sum(1) + (guess_two * one).sum(1)).mean(), tuple(hidden)

    def error(params):
        z = unit(turned(params["encoder"], others, [], None))
        return (z @ z.T).mean()

    params = {"encoder": mlp(1, [64, 64, 48, 16]), "predictor": mlp(2, [16, 16])}
    return own(params, loss, (first, second), optax.adam(1e-3), error, steps=400, batch=128)


@fifth(
    "softmax applied twice",
    kind="softmax before a softmax",
    family="contrastive",
    source="github.com/gitabcworld/MatchingNetworks/issues/5",
    title="Double softmax",
)
def twenty_ways_in_one_shot(broken: bool) -> Setup:
    """Which of twenty examples is of the same class, by a softmax of likenesses before a loss that has one.

    Seen: a softmax of the similarities, and a cross-entropy of them. Answer: remove the first one.
    """
    draw = np.random.default_rng(1)
    classes = draw.normal(size=(600, 20, 6))
    label = draw.integers(20, size=600).astype(np.int32)

    def shown(prototypes):
        mark = prototypes + 0.15 * draw.normal(size=prototypes.shape)
        return np.concatenate([mark, draw.normal(size=prototypes.shape)], axis=-1).astype(np.float32)

    support, query = shown(classes), shown(classes[np.arange(600), label])

    def loss(params, batch, offsets):
        hidden = []
        known, asked = (unit(embedded(params, x, hidden, offsets, "tanh")) for x in batch[:2])
        likeness = 12 * jnp.einsum("nwd,nd->nw", known, asked)
        return cross_entropy(jax.nn.softmax(likeness) if broken else likeness, batch[2]), tuple(hidden)

    chance = float(np.log(20))

    def error(params):
        return loss(params, (support, query, label), None)[0] / chance

    more = {"chance": chance, "steps": 500, "batch": 32}
    return own(mlp(3, [12, 48, 16], 1.0), loss, (support, query, label), optax.adam(5e-3), error, **more)


@fifth(
    "vanishing",
    "collapse",
    kind="initialisation",
    family="contrastive",
    source="github.com/andyzeng/3dmatch-toolbox/issues/11",
    title="About converge rate",
)
def patches_by_small_weights(broken: bool) -> Setup:
    """Whether two patches show the same place, by five layers whose weights are drawn with a deviation of 0.01.

    Seen: the network does not converge after a long time. Answer: Xavier initialisation instead of a Gaussian one.
    """
    x = digits()[0]
    draw = np.random.default_rng(2)
    same = draw.random(len(x)) < 0.5
    partner = np.where(same[:, None], x, x[draw.permutation(len(x))])
    pairs = tuple((each + 0.3 * draw.normal(size=x.shape)).astype(np.float32) for each in (x, partner))
    params = filters(4, [1, *(6,) * 5])
    params["out"] = dense(jax.random.key(5), 8 * 8 * 6, 16, 1.0)
    if broken:
        names = sorted(params)
        for key, name in zip(jax.random.split(jax.random.key(6), len(names)), names, strict=True):
            params[name]["w"] = 0.01 * jax.random.normal(key, params[name]["w"].shape)

    def apart(params, pairs, offsets):
        both = jnp.concatenate(pairs)
        maps, hidden = seen(params, both.reshape(-1, 8, 8, 1), offsets)
        one, two = jnp.split(linear(params["out"], maps.reshape(len(maps), -1)), 2)
        return jnp.sqrt(((one - two) ** 2).sum(1) + 1e-8), hidden

    def loss(params, batch, offsets):
        far, hidden = apart(params, batch[:2], offsets)
        return jnp.where(batch[2], far**2, jax.nn.relu(1 - far) ** 2).mean(), hidden

    def error(params):
        return loss(params, tuple(each[:400] for each in data), None)[0] / 0.25

    data = (*pairs, same)
    return own(params, loss, data, optax.sgd(0.01, 0.9), error, chance=0.25, steps=400, batch=64)
