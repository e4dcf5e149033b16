"""Embeddings that are learned by comparison: a temperature behind a mask."""

import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import mlp, perceptron
from faults.problems import cross_entropy, digits, own
from faults.registry import Setup, tenth
from faults.second.contrastive import unit


@tenth(
    "not-a-number gradients",
    "not-a-number loss",
    kind="scale behind a mask",
    family="contrastive",
    source="github.com/NVIDIA-NeMo/Automodel/pull/3850",
    title="fix(loss): scale InfoNCE logits before masking padded negatives",
)
def temperature_behind_a_mask(broken: bool) -> Setup:
    """Which of eight pictures is of the same class, where some are padding, by likenesses over a learned temperature.

    Seen: padded places are minus infinity before they are divided by the temperature, whose gradient is NaN, while the
    loss is finite. Answer: divide first, and hide then; proposed.
    """
    x, y = digits()[:2]
    draw = np.random.default_rng(821)
    asked = draw.integers(len(x), size=3000)
    offered = draw.integers(len(x), size=(3000, 8))
    at = draw.integers(4, size=3000)
    for i in range(3000):
        offered[i, at[i]] = draw.choice(np.flatnonzero(y == y[asked[i]]))
        others = np.flatnonzero(y != y[asked[i]])
        rest = np.arange(8) != at[i]
        offered[i, rest] = draw.choice(others, size=7)
    real = np.arange(8) < draw.integers(4, 9, size=3000)[:, None]
    x = jnp.asarray(x)
    params = {"encoder": mlp(821, [64, 48, 24], 1.0), "temperature": {"b": jnp.log(jnp.float32(0.2))}}

    def scores(params, batch, offsets):
        hidden = []
        one = unit(embedded(params["encoder"], x[batch[0]], hidden, offsets, "tanh"))
        many = unit(perceptron(params["encoder"], x[batch[1]], None, "tanh")[0])
        near, warm = jnp.einsum("nd,nkd->nk", one, many), jnp.exp(params["temperature"]["b"])
        if broken:
            return jnp.where(batch[2], near, -jnp.inf) / warm, tuple(hidden)
        return jnp.where(batch[2], near / warm, -jnp.inf), tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch, offsets)
        return cross_entropy(found, batch[3]), hidden

    data = (asked.astype(np.int32), offered.astype(np.int32), real, at.astype(np.int32))

    def error(params):
        some = tuple(each[2500:] for each in data)
        return (scores(params, some, None)[0].argmax(1) != some[3]).mean() / (1 - 1 / 6)

    train = tuple(each[:2500] for each in data)
    return own(params, loss, train, optax.adam(2e-3), error, steps=300, batch=64)
