"""Embeddings that are learned by comparison: a picture without another one of its class."""

import jax.numpy as jnp
import optax

from faults.nets import mlp, perceptron
from faults.problems import digits, own
from faults.registry import Setup, eighth
from faults.second.contrastive import unit


@eighth(
    "not-a-number loss",
    "not-a-number gradients",
    kind="division by zero",
    family="contrastive",
    source="github.com/HobbitLong/SupContrast/issues/20",
    title="supervised contrastive loss function",
)
def pictures_without_a_partner(broken: bool) -> Setup:
    """Pictures that are drawn to all others of their class in a batch, of which there may be none.

    Seen: the loss is nearly always NaN in batches of 32. Answer: without an augmented view the divisor is zero where
    no label is the same; add 1e-7 to it.
    """
    x, y, x_other, y_other = digits()

    def placed(params, x, offsets):
        z, hidden = perceptron(params, x, offsets, "tanh")
        return unit(z), hidden

    def loss(params, batch, offsets):
        z, hidden = placed(params, batch[0], offsets)
        others = 1 - jnp.eye(len(z))
        same = (batch[1][:, None] == batch[1][None]) * others
        likeness = z @ z.T / 0.2
        log = likeness - jnp.log((jnp.exp(likeness) * others).sum(1, keepdims=True))
        each = -(same * log).sum(1) / (same.sum(1) + (0.0 if broken else 1e-7))
        return each.mean(), hidden

    def error(params):
        known, asked = (placed(params, each, None)[0] for each in (x[:600], x_other))
        return (jnp.asarray(y)[(asked @ known.T).argmax(1)] != y_other).mean() / 0.9

    return own(mlp(411, [64, 48, 16], 1.0), loss, (x, y), optax.adam(2e-3), error, steps=400, batch=32)
