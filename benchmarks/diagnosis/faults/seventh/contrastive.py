"""Embeddings that are learned by comparison: sines of angles of zero, the hardest triplets."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fourth.convolutional import seen
from faults.nets import dense, linear, mlp, perceptron
from faults.problems import classified, cross_entropy, digits, own
from faults.registry import Setup, seventh
from faults.second.contrastive import unit
from faults.second.convolutional import filters


@seventh(
    "not-a-number gradients",
    "not-a-number loss",
    kind="slope at zero",
    family="contrastive",
    source="github.com/ronghuaiyang/arcface-pytorch/issues/91",
    title="Request to avoid loss to NaN",
)
def sines_of_angles_of_zero(broken: bool) -> Setup:
    """Faces on a circle, kept a margin away from other classes, by sines that are roots of one minus a square.

    Seen: the loss becomes NaN. Answer: the slope of the root is infinite at zero; clamp at 1e-6, and not at zero.
    """
    x, y, x_other, y_other = digits()
    params = {"encoder": mlp(81, [64, 64, 2], 1.0), "class": {"w": jax.random.normal(jax.random.key(82), (10, 2))}}

    def cosines(params, x, offsets):
        placed, hidden = perceptron(params["encoder"], x, offsets, "tanh")
        return unit(placed) @ unit(params["class"]["w"]).T, hidden

    def loss(params, batch, offsets):
        cosine, hidden = cosines(params, batch[0], offsets)
        sine = jnp.sqrt(jnp.clip(1 - cosine**2, 0.0 if broken else 1e-6, 1.0))
        moved = cosine * np.cos(0.1) - sine * np.sin(0.1)
        scores = jnp.where(jax.nn.one_hot(batch[1], 10) > 0, moved, cosine)
        return cross_entropy(16 * scores, batch[1]), hidden

    right = jax.jit(lambda params: (cosines(params, x_other, None)[0].argmax(-1) == y_other).mean())
    return classified(params, loss, (x, y), optax.adam(3e-3), right, classes=10, steps=600, batch=64)


@seventh(
    "collapse",
    "learning rate too large",
    "units that died",
    kind="collapsed embedding",
    family="contrastive",
    source="github.com/VisualComputingInstitute/triplet-reid/issues/30",
    title="Unable to approach loss of less than 0.7 even when testing multiple learning rates.",
)
def people_at_one_point(broken: bool) -> Setup:
    """The hardest triplets of a batch with a soft margin, from scratch: all pictures come to lie at one point.

    Seen: the loss stays at 0.7. Answer: that is ln(1 + exp(0)); all embeddings collapse. Other rates, and load the
    pretrained weights, which were not.
    """
    x, y, x_other, y_other = digits()
    params = filters(83, [1, 16, 16]) | {"out": dense(jax.random.key(84), 8 * 8 * 16, 16, 1.0)}

    def placed(params, x, offsets):
        maps, hidden = seen(params, x.reshape(len(x), 8, 8, 1), offsets)
        return linear(params["out"], maps.reshape(len(x), -1)), hidden

    def apart(z):
        return jnp.sqrt(((z[:, None] - z[None]) ** 2).sum(-1) + 1e-8)

    def loss(params, batch, offsets):
        z, hidden = placed(params, batch[0], offsets)
        away, same = apart(z), batch[1][:, None] == batch[1][None]
        hardest = jnp.where(same, away, 0.0).max(1) - jnp.where(same, jnp.inf, away).min(1)
        return jax.nn.softplus(hardest).mean(), hidden

    same = y_other[:150, None] == y_other[None, :150]
    counted = same[:, :, None] & ~same[:, None] & ~np.eye(150, dtype=bool)[:, :, None]

    def error(params):
        away = apart(placed(params, x_other[:150], None)[0])
        wrong = away[:, :, None] >= 0.95 * away[:, None]
        return 2 * (wrong & counted).sum() / counted.sum()

    optimizer = optax.adam(0.03 if broken else 3e-4)
    return own(params, loss, (x, y), optimizer, error, chance=float(np.log(2)), steps=300, batch=48)
