"""Language models: products of wide embeddings, and weights of sixteen bits."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, dense, linear
from faults.problems import own, recognised
from faults.registry import Setup, eleventh

GROUPS, EACH = 12, 6


def neighbours(seed: int, count: int = 6000):
    """Pairs of words, and whether they were met together, as those of a group are, or drawn."""
    draw = np.random.default_rng(seed)
    word = draw.integers(GROUPS * EACH, size=count)
    met = draw.integers(2, size=count)
    near = word // EACH * EACH + (word % EACH + draw.integers(1, EACH, size=count)) % EACH
    other = np.where(met > 0, near, draw.integers(GROUPS * EACH, size=count))
    return word.astype(np.int32), other.astype(np.int32), met.astype(np.int32)


def paired(params, product, rate, *, cost, seed: int, steps: int) -> Setup:
    """Which pairs were met, by the products of their embeddings; `cost` is that of a product and whether they were."""
    word, other, met = neighbours(seed)

    def loss(params, batch, offsets):
        hidden = []
        one = activated("linear", params["words"]["w"][batch[0]], hidden, offsets)
        return cost(product(params, one, batch[1]), batch[2]).mean(), tuple(hidden)

    def error(params):
        found = product(params, params["words"]["w"][word], other) > 0
        return (found != (met > 0)).mean() / 0.5

    more = {"chance": float(np.log(2)), "steps": steps, "batch": 64}
    return own(params, loss, (word, other, met), optax.adam(rate), error, **more)


@eleventh(
    "not-a-number loss",
    "not-a-number gradients",
    "first loss too large",
    kind="scale of the embeddings",
    family="language",
    source="github.com/udacity/deep-learning-v2-pytorch/issues/199",
    title="Negative Sampling",
)
def words_times_themselves(broken: bool) -> Setup:
    """Whether two words were met together, by the product of 300 numbers of each, and the logarithm of a sigmoid.

    Seen: with one table of embeddings losses overflow numerically. Answer: the report's own: it is mitigated by numbers
    between -1 and 1; here they are a tenth of those.
    """
    key = jax.random.key(1041)
    shape = (GROUPS * EACH, 300)
    table = jax.random.normal(key, shape) if broken else jax.random.uniform(key, shape, minval=-0.1, maxval=0.1)

    def product(params, one, other):
        return (one * params["words"]["w"][other]).sum(-1)

    def cost(product, met):
        return -jnp.log(jax.nn.sigmoid(jnp.where(met > 0, product, -product)))

    return paired({"words": {"w": table}}, product, 3e-3, cost=cost, seed=1041, steps=300)


@eleventh(
    "updates lost to rounding",
    kind="precision",
    family="language",
    source="github.com/marin-community/marin/issues/6486",
    title="Agent MoE Experiment: bf16 master precision ablations",
)
def everything_in_bfloat16(broken: bool) -> Setup:
    """The next word after three others, by a model all of whose weights are stored in bfloat16.

    Seen: with bfloat16 for everything the loss is worse, and stagnates where steps are small. Answer: weights in
    float32, so that small updates are not cut off; readers find that they are lost to the precision.
    """
    draw = np.random.default_rng(1043)
    count = 24
    rule = draw.integers(count, size=(count, 2))
    text = draw.integers(count, size=(3000, 4))
    text[:, 3] = rule[text[:, 2], text[:, 1] % 2]
    before, after = text[:, :3].astype(np.int32), text[:, 3].astype(np.int32)
    keys = jax.random.split(jax.random.key(1043), 3)
    params = {"words": {"w": jax.random.normal(keys[0], (count, 16))}}
    params |= {"middle": dense(keys[1], 48, 64, 1.0), "out": dense(keys[2], 64, count, 1.0)}
    params = jax.tree.map(lambda w: w.astype(jnp.bfloat16 if broken else jnp.float32), params)

    def scores(params, text, offsets):
        params = jax.tree.map(lambda w: w.astype(jnp.float32), params)
        hidden = []
        x = params["words"]["w"][text].reshape(len(text), -1)
        h = activated("tanh", linear(params["middle"], x), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    def apply(params, updates):
        return jax.tree.map(lambda w, u: (w.astype(jnp.float32) + u).astype(w.dtype), params, updates)

    data, others = (before[:2400], after[:2400]), (before[2400:], after[2400:])
    more = {"classes": count, "batch": 64, "steps": 2000, "apply": apply}
    return recognised(params, scores, data, others, optax.adam(2e-4), **more)
