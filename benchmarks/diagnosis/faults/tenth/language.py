"""Language models: the rate of another optimizer, and weights of sixteen bits."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.eighth.transformer import marked, tagged
from faults.nets import activated, dense, linear
from faults.problems import recognised
from faults.registry import Setup, tenth
from faults.second.attention import blocks


@tenth(
    "learning rate too large",
    kind="rate of another optimizer",
    family="language",
    source="github.com/OpenNMT/OpenNMT-py/issues/805",
    title="Adam seems to be broken",
)
def words_at_the_rate_of_plain_descent(broken: bool) -> Setup:
    """The next word after three others, by Adam at a rate of one, which is the default for plain descent.

    Seen: the perplexity stays high and constant, and the accuracy varies erratically. Answer: set the rate to 0.001; by
    default it is 1, since the default optimizer is plain descent; the report agrees.
    """
    draw = np.random.default_rng(861)
    count = 30
    rule = draw.integers(count, size=(count, 4))
    text = draw.integers(count, size=(3000, 4))
    sure = draw.random(3000) < 0.95
    text[:, 3] = np.where(sure, rule[text[:, 2], text[:, 1] % 4], text[:, 3])
    before, after = text[:, :3].astype(np.int32), text[:, 3].astype(np.int32)
    keys = jax.random.split(jax.random.key(861), 3)
    params = {"words": {"w": 0.5 * jax.random.normal(keys[0], (count, 16))}}
    params |= {"middle": dense(keys[1], 48, 64, 1.0), "out": dense(keys[2], 64, count, 1.0)}

    def scores(params, text, offsets):
        hidden = []
        x = params["words"]["w"][text].reshape(len(text), -1)
        h = activated("tanh", linear(params["middle"], x), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    data, others = (before[:2400], after[:2400]), (before[2400:], after[2400:])
    optimizer = optax.adam(1.0 if broken else 5e-3)
    return recognised(params, scores, data, others, optimizer, classes=count, batch=64, steps=400)


@tenth(
    "updates lost to rounding",
    kind="precision",
    family="language",
    source="github.com/pytorch/pytorch/issues/120376",
    title="Stochastic rounding in bfloat16",
)
def weights_in_bfloat16_alone(broken: bool) -> Setup:
    """The marks of words by a small model in bfloat16, at a rate whose steps are less than what the type tells apart.

    Seen: losses in bfloat16 are worse than in float32. Answer: with stochastic rounding, a reader reports, they are the
    same as in float32; here, weights in float32.
    """
    text, marks = marked(863, 12, 4)
    stored = jnp.bfloat16 if broken else jnp.float32
    params = jax.tree.map(lambda w: w.astype(stored), blocks(863, 1, 4, tokens=12, length=8))
    setup = tagged(params, text, marks, optax.adam(2e-4), steps=2600)

    def loss(params, batch, offsets):
        return setup.loss(jax.tree.map(lambda w: w.astype(jnp.float32), params), batch, offsets)

    def apply(params, updates):
        return jax.tree.map(lambda w, u: (w.astype(jnp.float32) + u).astype(w.dtype), params, updates)

    return Setup(**{**vars(setup), "loss": loss, "apply": apply})
