"""Embeddings that are learned by comparison: an example twice, and a rate from the first step on."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import mlp
from faults.problems import digits, own
from faults.registry import Setup, twelfth
from faults.second.contrastive import unit


@twelfth(
    "not-a-number gradients",
    kind="root of nothing",
    family="contrastive",
    source="github.com/tensorflow/tensorflow/issues/30199",
    title='Gradient returns "Nan" values when using triplet loss with similar batches',
)
def positives_that_are_the_anchor(broken: bool) -> Setup:
    """Short sequences of few letters, by triplets and the root of squared distances; some positives are the anchor.

    Seen: with few letters and short sequences, a positive may be the same as the anchor, and the whole gradient is NaN.
    Answer: the report's own: such examples are left out, or a small noise is added; closed.
    """
    draw = np.random.default_rng(1223)
    letters = np.eye(3)[draw.integers(3, size=(2400, 4))]
    kind = letters[:, 0, 0] + 2 * (letters[:, 1, 0] == letters[:, 2, 1])
    anchor = np.arange(1600)
    alike = np.array([draw.choice(np.flatnonzero(kind == kind[i])) for i in anchor])
    other = np.array([draw.choice(np.flatnonzero(kind != kind[i])) for i in anchor])
    flat = letters.reshape(len(letters), -1)
    shake = 0.0 if broken else 0.05
    data = tuple((flat[i] + shake * draw.normal(size=(1600, 12))).astype(np.float32) for i in (anchor, alike, other))

    def far(one, two):
        return jnp.sqrt(((one - two) ** 2).sum(1))

    def distances(params, batch, offsets):
        hidden = []
        one, same, away = (embedded(params, each, hidden, offsets, "tanh") for each in batch)
        return far(one, same), far(one, away), tuple(hidden)

    def loss(params, batch, offsets):
        near, away, hidden = distances(params, batch, offsets)
        return jax.nn.relu(near - away + 1).mean(), hidden

    def error(params):
        near, away, _ = distances(params, tuple(each[:400] for each in data), None)
        return 2 * (~(near < away)).mean()

    return own(mlp(1223, [12, 32, 32, 8], 1.0), loss, data, optax.adam(3e-3), error, chance=1.0, steps=300, batch=64)


@twelfth(
    "learning rate too large",
    "collapse",
    "units that died",
    kind="warming up",
    family="contrastive",
    source="github.com/HobbitLong/SupContrast/issues/42",
    title="Supervisec contrastive loss saturation from the beginning on custom data",
)
def rate_from_the_first_step_on(broken: bool) -> Setup:
    """Pictures that are close to others of their class, by nine layers at a full rate from the first step on, or after
    warming up.

    Seen: the loss is stuck at one value from the beginning. Answer: turn on warming up, which solves it for a reader.
    """
    x, y, x_other, y_other = digits()

    def loss(params, batch, offsets):
        hidden = []
        z = unit(embedded(params, batch[0], hidden, offsets))
        same = jnp.eye(len(z), dtype=bool)
        near = jax.nn.log_softmax(jnp.where(same, -1e9, z @ z.T / 0.1))
        alike = (batch[1][:, None] == batch[1]) & ~same
        return -(jnp.where(alike, near, 0).sum(1) / jnp.maximum(alike.sum(1), 1)).mean(), tuple(hidden)

    def error(params):
        known, asked = (unit(embedded(params, each, [], None)) for each in (x, x_other))
        return (jnp.asarray(y)[(asked @ known.T).argmax(1)] != y_other).mean() / 0.9

    rate = 0.2 if broken else optax.linear_schedule(0.0, 0.2, 150)
    more = {"chance": float(np.log(63)), "steps": 300, "batch": 64}
    return own(mlp(1225, [*[64] * 9, 16]), loss, (x, y), optax.sgd(rate, 0.9), error, **more)
