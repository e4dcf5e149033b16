"""Likelihoods: a slope without its minus, and scales that multiply each other."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import activated, mlp
from faults.problems import classified, own
from faults.registry import Setup, eleventh


@jax.custom_vjp
def _surprise(score):
    """Minus the logarithm of a logistic function, with a slope that lacks its minus."""
    return jax.nn.softplus(-score)


def _kept(score):
    return jax.nn.softplus(-score), score


def _slope(score, slope):
    return (slope * jax.nn.sigmoid(-score),)


_surprise.defvjp(_kept, _slope)


@eleventh(
    "updates point uphill",
    kind="minus that a derivative lacks",
    family="likelihood",
    source="github.com/btwardow/FactorizationMachines.jl/pull/16",
    title="Fix negative log likelihood loss and its derivative and add unit tests",
)
def pairs_by_a_slope_without_its_minus(broken: bool) -> Setup:
    """Which of two an example is, by the products of all pairs of ten marks, whose derivative is written by hand.

    Seen: the derivative of minus the logarithm of the likelihood lacks a minus. Answer: added, with tests; merged.
    """
    draw = np.random.default_rng(1107)
    x = draw.choice([-1.0, 1.0], size=(2400, 10)).astype(np.float32)
    label = (x[:, 0] * x[:, 1] + x[:, 2] * x[:, 3] + 0.5 * x[:, 4] > 0).astype(np.int32)
    keys = jax.random.split(jax.random.key(1107), 2)
    params = {
        "pairs": {"w": 0.1 * jax.random.normal(keys[0], (10, 8))},
        "ones": {"w": 0.1 * jax.random.normal(keys[1], (10,)), "b": jnp.zeros(())},
    }

    def scores(params, x, offsets):
        hidden = []
        each = params["pairs"]["w"]
        sums = activated("linear", x @ each, hidden, offsets)
        pairs = 0.5 * (sums**2 - (x**2) @ (each**2)).sum(1)
        return pairs + x @ params["ones"]["w"] + params["ones"]["b"], tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], offsets)
        score = found * (2 * batch[1] - 1)
        return (_surprise(score) if broken else jax.nn.softplus(-score)).mean(), hidden

    def right(params):
        return ((scores(params, x[1600:], None)[0] > 0) == label[1600:]).mean()

    data = (x[:1600], label[:1600])
    return classified(params, loss, data, optax.sgd(0.02), right, classes=2, steps=600, batch=64)


@eleventh(
    "exploding",
    "not-a-number loss",
    "not-a-number gradients",
    kind="clipping that is left out",
    family="likelihood",
    source="github.com/pkuxmq/Invertible-Image-Rescaling/issues/24",
    title="What is the reason that let you use gradient clipping here?",
)
def scales_that_multiply_each_other(broken: bool) -> Setup:
    """A bent cloud of points by a flow of ten steps, each of which scales by an exponential within bounds.

    Seen: without clipping the loss converges first, and suddenly diverges. Answer: each step has a scale, and many of
    them multiply to an exponential one, even if each is bounded; so gradients have to be clipped.
    """
    draw = np.random.default_rng(1109)
    first = draw.normal(size=(4000, 2))
    rest = np.stack([0.6 * first[:, 0] ** 2 + 0.5 * first[:, 1], np.sin(2 * first[:, 0])], axis=1)
    x = np.concatenate([first, rest + 0.1 * draw.normal(size=(4000, 2))], axis=1)
    x = ((x - x.mean(0)) / x.std(0)).astype(np.float32)
    params = {f"step{i}": mlp(1109 + i, [2, 32, 32, 4]) for i in range(10)}
    for step in params.values():
        step["layer02"]["w"] = 0.1 * step["layer02"]["w"]

    def cost(params, x, offsets):
        hidden, total = [], 0.0
        for i in range(10):
            one, two = jnp.split(x, 2, axis=1)
            shift, scale = jnp.split(embedded(params[f"step{i}"], one, hidden, offsets), 2, axis=1)
            log = 2 * jax.nn.sigmoid(scale) - 1
            two, total = (two - shift) * jnp.exp(log), total + log.sum(1)
            x = jnp.concatenate([two, one], axis=1)
        return (0.5 * (x**2).sum(1) - total).mean(), tuple(hidden)

    def loss(params, batch, offsets):
        return cost(params, batch[0], offsets)

    def error(params):
        found = cost(params, x[:800], None)[0]
        return jnp.nan_to_num(jnp.clip((found + 2.0) / (2.0 + 2.0), 0.0, 1e3), nan=1e3)

    step = optax.sgd(0.02, 0.9)
    optimizer = step if broken else optax.chain(optax.clip_by_global_norm(0.5), step)
    return own(params, loss, (x,), optimizer, error, chance=2.0, steps=300, batch=32)
