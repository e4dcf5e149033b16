"""Embeddings that are learned by comparison: of people and things, and in sixteen bits."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, mlp
from faults.problems import own
from faults.registry import Setup, fourth
from faults.third.contrastive import views


@fourth(
    "softmax applied twice",
    kind="sigmoid before a sigmoid",
    family="contrastive",
    source="github.com/yudi-mars/daisyRec/pull/15",
    title="Do not need sigmoid because there is sigmoid in BCEWithLogitsLoss",
)
def sigmoid_of_a_sigmoid(broken: bool) -> Setup:
    """Who likes what, by a sigmoid of scores before a loss that has one; the loss that is left is what it costs.

    Seen: the loss does not converge. Answer: there is a sigmoid in the loss, and none is needed before it.
    """
    draw = np.random.default_rng(0)
    people, things = draw.normal(size=(80, 3)), draw.normal(size=(100, 3))
    person, thing = draw.integers(80, size=8000).astype(np.int32), draw.integers(100, size=8000).astype(np.int32)
    likes = ((people[person] * things[thing]).sum(1) > 0).astype(np.float32)
    keys = jax.random.split(jax.random.key(1))
    params = {
        "person": 0.3 * jax.random.normal(keys[0], (80, 12)),
        "thing": 0.3 * jax.random.normal(keys[1], (100, 12)),
    }

    def loss(params, batch, offsets):
        hidden = []
        who = activated("linear", params["person"][batch[0]], hidden, offsets)
        scores = (who * params["thing"][batch[1]]).sum(1)
        scores = jax.nn.sigmoid(scores) if broken else scores
        return optax.sigmoid_binary_cross_entropy(scores, batch[2]).mean(), tuple(hidden)

    chance = float(np.log(2))

    def error(params):
        return loss(params, (person, thing, likes), None)[0] / chance

    more = {"chance": chance, "steps": 600, "batch": 256}
    return own(params, loss, (person, thing, likes), optax.adam(1e-2), error, **more)


@fourth(
    "not-a-number loss",
    "not-a-number gradients",
    kind="epsilon that rounds to zero",
    family="contrastive",
    source="github.com/pytorch/pytorch/issues/32137",
    title="torch.nn.functional.normalize epsilon too small for half precision",
)
def length_of_a_blank_picture(broken: bool) -> Setup:
    """Embeddings in float16 that are divided by their length or 1e-12, which is zero there; some pictures are blank.

    Seen: NaN in half precision where the norm is zero. Answer: a larger epsilon.
    """
    first, second = (np.array(view) for view in views(3))
    blank = np.arange(len(first)) % 60 == 0
    first[blank], second[blank] = 0.0, 0.0
    least = jnp.float16(1e-12 if broken else 1e-2)

    def embedded(params, x, hidden, offsets):
        w0, w1 = (params[name]["w"].astype(jnp.float16) for name in ("layer00", "layer01"))
        z = activated("tanh", x.astype(jnp.float16) @ w0, hidden, offsets) @ w1
        return z / jnp.sqrt(jnp.maximum((z**2).sum(1, keepdims=True), least**2))

    def scores(params, views, offsets):
        hidden = []
        left, right = (embedded(params, view, hidden, offsets) for view in views)
        return 8 * (left @ right.T).astype(jnp.float32), tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch, offsets)
        return optax.softmax_cross_entropy_with_integer_labels(found, jnp.arange(len(found))).mean(), hidden

    def error(params):
        found = scores(params, (first[1:60], second[1:60]), None)[0]
        return (found.argmax(1) != jnp.arange(59)).mean() / (58 / 59)

    params = mlp(2, [64, 64, 24], 1.0)
    chance = float(np.log(64))
    return own(params, loss, (first, second), optax.adam(2e-3), error, chance=chance, steps=300, batch=64)
