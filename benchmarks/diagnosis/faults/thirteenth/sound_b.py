"""Runs that are in order and look odd: nothing is wrong with them.

The one that is called broken is the odd one. The other is the same run carried on, or made in the usual way.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import dense, linear, mlp
from faults.problems import digits, own, recognised
from faults.registry import Setup, thirteenth
from faults.second.attention import blocks, normalised, trunk
from faults.thirteenth.diffusion import trained

NOTHING = "nothing wrong"


@thirteenth(
    NOTHING,
    kind="training on what is varied",
    family="transformer",
    source="github.com/lucidrains/vit-pytorch/issues/311",
    title="Validation accuracy higher than training accuracy",
    sound=True,
)
def varied_in_training_alone(broken: bool) -> Setup:
    """Digits by a transformer over their rows, from pictures parts of which are blank, or from whole ones.

    Seen: others are recognised better than those in training, all the time. Answer: the reporter's own: it is due to
    random changes of pictures in training.
    """
    x, y, x_other, y_other = digits()
    draw = np.random.default_rng(1471)
    if broken:
        x, y = np.tile(x, (4, 1)), np.tile(y, 4)
        blank = draw.random((len(x), 8, 8)) < 0.4
        x = np.where(blank.reshape(len(x), 64), x.min(), x).astype(np.float32)
    params = blocks(1471, 1, 10, length=8) | {"embed": dense(jax.random.key(1472), 8, 24, 1.0)}

    def scores(params, x, offsets):
        rows = linear(params["embed"], x.reshape(len(x), 8, 8)) + params["position"]["w"]
        said, points, scored = trunk(params, rows, offsets)
        return linear(params["out"], normalised(said).mean(1)), (*points, *scored)

    return recognised(params, scores, (x, y), (x_other, y_other), optax.adam(5e-3), classes=10, batch=64, steps=300)


@thirteenth(
    NOTHING,
    kind="margin that is kept",
    family="contrastive",
    source="github.com/HanjiangHu/DASGIL/issues/7",
    title="Question about the triplet loss",
    sound=True,
)
def margin_that_is_soon_kept(broken: bool) -> Setup:
    """Pictures of a class that are to be nearer than others by a margin, which is small, or larger.

    Seen: the triplet loss becomes zero; is it normal? Answer: it may be, since the distance grows, and it does not
    matter much for the results.
    """
    x, y, x_other, y_other = digits()
    margin = 0.3 if broken else 2.0

    def far(one, two):
        return ((one - two) ** 2).sum(1)

    def loss(params, batch, offsets):
        hidden = []
        one, same, other = (embedded(params, each, hidden, offsets, "tanh") for each in batch)
        return jax.nn.relu(far(one, same) - far(one, other) + margin).mean(), tuple(hidden)

    def error(params):
        known, asked = (embedded(params, each, [], None, "tanh") for each in (x, x_other))
        apart = ((asked[:, None] - known[None]) ** 2).sum(-1)
        return (jnp.asarray(y)[apart.argmin(1)] != y_other).mean() / 0.9

    draw = np.random.default_rng(1473)
    alike = np.array([draw.choice(np.flatnonzero(y == each)) for each in y])
    other = np.array([draw.choice(np.flatnonzero(y != each)) for each in y])
    params = mlp(1473, [64, 48, 16], 1.0)
    data = (x, x[alike], x[other])
    return own(params, loss, data, optax.adam(1e-3), error, chance=margin, steps=300, batch=64)


@thirteenth(
    NOTHING,
    kind="noise that cannot be predicted",
    family="diffusion",
    source="github.com/facebookresearch/DiT/issues/17",
    title="Training loss curve",
    sound=True,
)
def loss_that_soon_stays(broken: bool) -> Setup:
    """The noise in curves, whose loss falls at once and hardly any more, as it is, or carried on.

    Seen: the loss does not decrease after a few hundred steps. Answer: losses of denoisers are noisy, and a small
    model's falls slowly; the curve is right.
    """
    return trained(1475, optax.adam(5e-3), steps=600 if broken else 1200)
