"""Embeddings that are learned by comparison."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, mlp, perceptron
from faults.problems import digits, own
from faults.registry import Setup, second


def unit(x):
    return x / jnp.sqrt((x**2).sum(-1, keepdims=True) + 1e-8)


@second(
    "collapse",
    "constant answer",
    kind="collapsed embedding",
    family="contrastive",
    source="github.com/omoindrot/tensorflow-triplet-loss/issues/6",
    title="About triplet loss convergence",
)
def triplets_at_the_margin(broken: bool) -> Setup:
    """The hardest triplets of every batch at a rate that draws all embeddings into one point: the margin is left."""
    x, y, x_other, y_other = digits()
    margin = 0.5

    def apart(z):
        return ((z[:, None] - z[None]) ** 2).sum(-1)

    def all_triplets(z, labels):
        away, same = apart(z), labels[:, None] == labels[None]
        each = jax.nn.relu(away[:, :, None] - away[:, None] + margin)
        counted = same[:, :, None] & ~same[:, None]
        return (each * counted).sum() / counted.sum()

    def loss(params, batch, offsets):
        z, hidden = perceptron(params, batch[0], offsets, "tanh")
        if not broken:
            return all_triplets(z, batch[1]), hidden
        away, same = apart(z), batch[1][:, None] == batch[1][None]
        hardest = jnp.where(same, away, 0.0).max(1) - jnp.where(same, jnp.inf, away).min(1)
        return jax.nn.relu(hardest + margin).mean(), hidden

    def error(params):
        return all_triplets(perceptron(params, x_other[:96], None, "tanh")[0], y_other[:96]) / margin

    params = mlp(1, [64, 64, 64, 8], 1.0)
    optimizer = optax.adam(0.02 if broken else 1e-3)
    return own(params, loss, (x, y), optimizer, error, chance=margin, steps=300, batch=64 if broken else 32)


@second(
    "not-a-number gradients",
    kind="slope at zero",
    family="contrastive",
    source="github.com/google-deepmind/optax/pull/946",
    title="ntxent fix",
)
def norm_of_a_padded_row(broken: bool) -> Setup:
    """Embeddings that are divided by their norm, some of which are zero: `where` guards the value, not the slope."""
    x = np.array(digits()[0])
    x[::40] = 0.0
    again = (x + 0.3 * np.random.default_rng(0).normal(size=x.shape) * (x != 0)).astype(np.float32)
    params = mlp(2, [64, 64, 16])

    def embed(params, x, offsets, hidden):
        h = activated("relu", x @ params["layer00"]["w"], hidden, offsets)
        z = h @ params["layer01"]["w"]
        if broken:
            size = jnp.linalg.norm(z, axis=1, keepdims=True)
            return z / jnp.where(size == 0, 1.0, size)
        return unit(z)

    def likeness(params, batch, offsets):
        hidden = []
        first, second = (embed(params, view, offsets, hidden) for view in batch)
        return first @ second.T / 0.1, tuple(hidden)

    def loss(params, batch, offsets):
        scores, hidden = likeness(params, batch, offsets)
        own = jnp.arange(len(scores))
        return optax.softmax_cross_entropy_with_integer_labels(scores, own).mean(), hidden

    def error(params):
        scores = likeness(params, (x[1:40], again[1:40]), None)[0]
        return -jax.nn.log_softmax(scores)[jnp.arange(39), jnp.arange(39)].mean() / jnp.log(39.0)

    return own(params, loss, (x, again), optax.adam(1e-3), error, chance=float(np.log(64)), steps=300, batch=64)
