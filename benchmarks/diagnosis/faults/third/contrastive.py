"""Embeddings that are learned by comparison."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp, perceptron
from faults.problems import classified, cross_entropy, digits, own
from faults.registry import Setup, third
from faults.second.contrastive import unit


def views(seed: int = 0):
    """The digits twice, each time with noise of its own."""
    x = digits()[0]
    draw = np.random.default_rng(seed)
    return tuple((x + 0.4 * draw.normal(size=x.shape)).astype(np.float32) for _ in range(2))


def _embedded(params, x, hidden, offsets):
    *layers, last = (params[name] for name in sorted(params))
    for layer in layers:
        x = activated("tanh", linear(layer, x), hidden, offsets)
    return linear(last, x)


@third(
    "collapse",
    kind="collapsed embedding",
    family="contrastive",
    source="github.com/Tian0426/CL-HAR/issues/4",
    title="BYOL and SimSiam Model Collapse Problem",
)
def twins_at_one_point(broken: bool) -> Setup:
    """Two views without negatives, whose predictor is as slow as the encoder: all embeddings take one direction.

    Seen: the model tends to collapse. Answer: a larger learning rate for the predictor prevents it.
    """
    first, second = views()
    others = digits()[2]

    def loss(params, batch, offsets):
        hidden = []
        one, two = (_embedded(params["encoder"], view, hidden, offsets) for view in batch)
        guess_one, guess_two = (unit(linear(params["predictor"]["layer00"], z)) for z in (one, two))
        one, two = (unit(jax.lax.stop_gradient(z)) for z in (one, two))
        return -0.5 * ((guess_one * two).sum(1) + (guess_two * one).sum(1)).mean(), tuple(hidden)

    def error(params):
        z = unit(_embedded(params["encoder"], others, [], None))
        return (z @ z.T).mean()

    params = {"encoder": mlp(0, [64, 64, 48, 16], 1.0), "predictor": mlp(1, [16, 16])}
    rates = {"slow": optax.adam(3e-4), "fast": optax.adam(3e-4 if broken else 3e-2)}
    optimizer = optax.multi_transform(rates, {"encoder": "slow", "predictor": "fast"})
    return own(params, loss, (first, second), optimizer, error, steps=300, batch=128)


@third(
    "frozen",
    kind="gradient that is cut off",
    family="contrastive",
    source="github.com/lucidrains/CoCa-pytorch/issues/6",
    title="Extractor in vit_pytorch will detach the tensor.",
)
def pictures_held_still(broken: bool) -> Setup:
    """Pictures and captions that are compared, where the encoder of pictures hands on constants.

    Seen: the tensor is detached, and no gradient reaches the encoder of images. Answer: an option not to detach.
    """
    x, y, x_other, y_other = digits()
    params = {
        "picture": mlp(2, [64, 16, 3], 1.0),
        "pool": mlp(3, [3, 16], 1.0),
        "caption": {"w": jax.random.normal(jax.random.key(4), (10, 16))},
    }

    def scores(params, x, offsets):
        seen = perceptron(params["picture"], x, None, "tanh")[0]
        seen = jnp.tanh(seen)
        seen = jax.lax.stop_gradient(seen) if broken else seen
        points = []
        pooled = activated("tanh", linear(params["pool"]["layer00"], seen), points, offsets)
        return 5 * unit(pooled) @ unit(params["caption"]["w"]).T, tuple(points)

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], offsets)
        return cross_entropy(found, batch[1]), hidden

    right = jax.jit(lambda params: (scores(params, x_other, None)[0].argmax(-1) == y_other).mean())
    return classified(
        params,
        loss,
        (x, y),
        optax.adam(5e-3),
        right,
        classes=10,
        steps=400,
        batch=128,
    )


@third(
    "pairs of one kind are pushed apart, and those of two kinds drawn together",
    kind="labels in the wrong form",
    family="contrastive",
    source="github.com/VinhLoiIT/signet-pytorch/issues/2",
    title="Your loss Implementation might be wrong",
)
def forgeries_drawn_together(broken: bool) -> Setup:
    """A contrastive loss whose two terms are exchanged by the meaning of its labels.

    Seen: the distance of genuine and forged pairs is what is made small. Answer: exchange y and 1 - y.
    """
    x, y, x_other, y_other = digits()
    draw = np.random.default_rng(0)
    one = draw.integers(len(x), size=4000)
    other = draw.integers(len(x), size=4000)
    partner = np.array([draw.choice(np.flatnonzero(y == label)) for label in y[one]])
    two = np.where(np.arange(4000) % 2 == 0, partner, other)
    same = (y[one] == y[two]).astype(np.float32)

    def loss(params, batch, offsets):
        hidden = []
        left, right = (_embedded(params, each, hidden, offsets) for each in batch[:2])
        square = ((left - right) ** 2).sum(1)
        near = 1 - batch[2] if broken else batch[2]
        return (near * square + (1 - near) * jax.nn.relu(2 - jnp.sqrt(square + 1e-6)) ** 2).mean(), tuple(hidden)

    def error(params):
        z = _embedded(params, x_other[:200], [], None)
        apart = ((z[:, None] - z[None]) ** 2).sum(-1)
        alike = jnp.asarray(y_other[:200, None] == y_other[None, :200])
        counted = alike[:, :, None] & ~alike[:, None]
        return 2 * ((apart[:, :, None] > apart[:, None]) & counted).sum() / counted.sum()

    params = mlp(5, [64, 48, 48, 8], 1.0)
    return own(params, loss, (x[one], x[two], same), optax.adam(2e-3), error, steps=400, batch=64)


@third(
    "vanishing in training",
    "collapse",
    "constant answer",
    kind="weight decay",
    family="contrastive",
    source="github.com/maciejkula/triplet_recommendations_keras/issues/10",
    title="Both test loss and validation loss go to 0.5",
)
def embeddings_under_a_penalty(broken: bool) -> Setup:
    """Triplets of a user and two things, whose embeddings a penalty draws to zero: nothing is preferred to anything.

    Seen: products of zero, and a loss of a half. Answer: the penalty counts everything in every batch; leave it out.
    """
    draw = np.random.default_rng(0)
    users, things = draw.normal(size=(80, 4)), draw.normal(size=(120, 4))
    liked = users @ things.T
    user = draw.integers(80, size=6000)
    one, two = draw.integers(120, size=(2, 6000))
    better = liked[user, one] > liked[user, two]
    triplets = user, np.where(better, one, two), np.where(better, two, one)
    triplets = tuple(each.astype(np.int32) for each in triplets)
    params = {
        "user": {"w": 0.1 * jax.random.normal(jax.random.key(6), (80, 8))},
        "thing": {"w": 0.1 * jax.random.normal(jax.random.key(7), (120, 8))},
    }
    strength = 0.05 if broken else 0.0

    def loss(params, batch, offsets):
        hidden = []
        who = activated("linear", params["user"]["w"][batch[0]], hidden, offsets)
        apart = params["thing"]["w"][batch[1]] - params["thing"]["w"][batch[2]]
        penalty = sum((table["w"] ** 2).sum() for table in params.values())
        return jax.nn.softplus(-(who * apart).sum(1)).mean() + strength * penalty, tuple(hidden)

    def error(params):
        found = params["user"]["w"] @ params["thing"]["w"].T
        wrong = (found[user, one] > found[user, two]) != better
        return 2 * jnp.where(jnp.abs(found[user, one] - found[user, two]) < 1e-6, 0.5, wrong).mean()

    return own(params, loss, triplets, optax.adam(0.01), error, chance=float(np.log(2)), steps=600, batch=256)


@third(
    "not-a-number gradients",
    kind="slope at the end of a domain",
    family="contrastive",
    source="github.com/jax-ml/jax/issues/23649",
    title="Reverse differentiable arccos",
)
def angles_of_nothing(broken: bool) -> Setup:
    """Angles between embeddings from an arc cosine that is clipped to -1 and 1, where some pairs are the same picture.

    Seen: NaN behind arccos(clip(y, -1, 1)). Answer: clip to a little less, since the slope at one is infinite.
    """
    first, second = views(1)
    same = np.arange(len(first)) % 30 == 0
    second = np.where(same[:, None], first, second)
    most = 1.0 if broken else 1 - 1e-4

    def angles(left, right):
        return jnp.arccos(jnp.clip(left @ right.T, -most, most))

    def loss(params, batch, offsets):
        hidden = []
        left, right = (unit(_embedded(params, view, hidden, offsets)) for view in batch)
        found, own_pair = angles(left, right), jnp.eye(len(left))
        far = (1 - own_pair) * (found - jnp.pi / 2) ** 2
        return (own_pair * found**2).sum() / len(left) + far.sum() / (1 - own_pair).sum(), tuple(hidden)

    def error(params):
        left, right = (unit(_embedded(params, view[1:30], [], None)) for view in (first, second))
        found = left @ right.T
        return 1 - jnp.diag(found).mean() + jnp.abs(found - jnp.diag(jnp.diag(found))).sum() / (29 * 28)

    return own(mlp(8, [64, 64, 32], 1.0), loss, (first, second), optax.adam(2e-3), error, steps=300, batch=64)
