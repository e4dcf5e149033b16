"""Likelihoods: of topics, and of flows."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp
from faults.problems import own
from faults.registry import Setup, fourth

OUTLIER = 6196
"""An example that is drawn once, at step 1,004 of 1,320."""


@fourth(
    "units that died",
    "learning rate too large",
    "dead units",
    kind="rate",
    family="likelihood",
    source="github.com/dangitstam/topic-rnn/pull/9",
    title="fix typos, smaller learning rate to prevent dying ReLU",
)
def topics_behind_rectifiers(broken: bool) -> Setup:
    """Topics of bags of words by two layers of rectifiers, at a rate that drives them below zero for good.

    Seen: rectifiers that die. Answer: a smaller learning rate prevents it.
    """
    draw = np.random.default_rng(0)
    topics = draw.dirichlet(np.full(40, 0.1), size=5)
    share = 0.95 * topics[draw.integers(5, size=1500)] + 0.05 / 40
    bags = np.stack([draw.multinomial(40, each) for each in share]).astype(np.float32)

    def words(params, bags, offsets):
        hidden = []
        h = activated("relu", linear(params["layer00"], bags), hidden, offsets)
        h = activated("relu", linear(params["layer01"], h), hidden, offsets)
        return jax.nn.log_softmax(linear(params["layer02"], h)), tuple(hidden)

    def loss(params, batch, offsets):
        log, hidden = words(params, batch[0], offsets)
        return -(batch[0] * log).sum() / batch[0].sum(), hidden

    common = bags.sum(0) / bags.sum()
    none = -float((common * np.log(common + 1e-10)).sum())
    best = -float((bags * np.log(share)).sum() / bags.sum())

    def error(params):
        return (loss(params, (bags,), None)[0] - best) / (none - best)

    optimizer = optax.sgd(3.0 if broken else 0.3)
    return own(mlp(0, [40, 48, 48, 40]), loss, (bags,), optimizer, error, chance=none, steps=400, batch=64)


@fourth(
    "loss spike",
    "units that died",
    "learning rate too large",
    kind="a single bad example",
    family="likelihood",
    source="github.com/kazewong/flowMC/issues/130",
    title="Gradient clipping",
)
def flow_that_meets_an_outlier(broken: bool) -> Setup:
    """A flow that has learned a bent density when it meets the one point of its samples that lies far outside.

    Seen: the loss jumps to a high value, and what was learned is destroyed. Answer: clip the gradients.
    """
    draw = np.random.default_rng(2)
    first = draw.normal(size=8000)
    second = 1.5 * (first**2 - 1) + 0.3 * draw.normal(size=8000)
    points = np.stack([first, second], axis=1).astype(np.float32)
    points[OUTLIER] = 3.0, 30_000.0
    params = {"shift": mlp(1, [1, 32, 32, 1], 1.0), "scale": mlp(2, [1, 32, 32, 1], 1.0)}

    def through(part, x, hidden, offsets):
        h = activated("tanh", linear(part["layer00"], x), hidden, offsets)
        h = activated("tanh", linear(part["layer01"], h), hidden, offsets)
        return linear(part["layer02"], h)[:, 0]

    def surprise(params, points, offsets):
        hidden = []
        shift = through(params["shift"], points[:, :1], hidden, offsets)
        log = 2 * jnp.tanh(through(params["scale"], points[:, :1], hidden, offsets))
        z = (points[:, 1] - shift) * jnp.exp(-log)
        return 0.5 * (z**2 + points[:, 0] ** 2) + log + np.log(2 * np.pi), tuple(hidden)

    def loss(params, batch, offsets):
        each, hidden = surprise(params, batch[0], offsets)
        return each.mean(), hidden

    others = points[:1000]
    base = np.log(2 * np.pi) + 0.5 + float(0.5 * others[:, 0].var())
    none, best = base + float(np.log(others[:, 1].std())), base + np.log(0.3)

    def error(params):
        return (surprise(params, others, None)[0].mean() - best) / (none - best)

    step = optax.adam(5e-3)
    optimizer = step if broken else optax.chain(optax.clip_by_global_norm(1.0), step)
    return own(params, loss, (points,), optimizer, error, chance=none, steps=1200, batch=32)
