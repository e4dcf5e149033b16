"""Perceptrons: weights on a coarse grid, an answer that begins below zero."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, dense, linear, mlp
from faults.problems import classification, own
from faults.registry import Setup, sixth


def _on_grid(w, step: float):
    """The nearest multiples of a step, whose gradients are handed on to the weights as they are."""
    return w + jax.lax.stop_gradient(step * jnp.round(w / step) - w)


@sixth(
    "gradients exactly zero",
    "dead units",
    kind="weights that round to zero",
    family="feed-forward",
    source="github.com/calad0i/HGQ2/issues/13",
    title="HGQ2 quantized layers receive zero gradients on kernel weights during training",
)
def weights_that_round_to_zero(broken: bool) -> Setup:
    """A classifier of quantised weights, the step of whose grid is larger than the weights at the start.

    Seen: the accuracy of a guess, and gradients of all kernels that are zero. Answer: the weights are initialised to
    zeros on the grid; more fractional bits.
    """
    sizes = (64, 256, 256, 10)
    params = mlp(0, sizes)
    keys = jax.random.split(jax.random.key(1), 3)
    for key, name, (before, after) in zip(keys, sorted(params), itertools.pairwise(sizes), strict=True):
        limit = (6 / (before + after)) ** 0.5
        params[name]["w"] = jax.random.uniform(key, (before, after), minval=-limit, maxval=limit)
    step = 2.0**-2 if broken else 2.0**-6

    def net(params, x, offsets):
        hidden = []
        *layers, last = (params[name] for name in sorted(params))
        for layer in layers:
            x = activated("relu", x @ _on_grid(layer["w"], step) + layer["b"], hidden, offsets)
        return x @ _on_grid(last["w"], step) + last["b"], tuple(hidden)

    return classification(params, optax.sgd(0.01, 0.9), net=net, batch=64, steps=300)


@sixth(
    "dead units",
    "gradients exactly zero",
    kind="rectified output",
    family="feed-forward",
    source="github.com/pytorch/benchmark/pull/1927",
    title="changed to proper Xavier initialization, existing implementation was …",
)
def clicks_behind_a_large_bias(broken: bool) -> Setup:
    """Whether an advertisement is clicked, by a rectified answer whose bias begins far below zero.

    Seen: the rectifier gives zeros, and derivatives of the first layer that are all zero. Answer: a proper
    initialisation; the large negative bias killed all gradients.
    """
    draw = np.random.default_rng(2)
    taste, appeal = draw.normal(size=(40, 3)), draw.normal(size=(60, 3))
    person, thing = draw.integers(40, size=4000), draw.integers(60, size=4000)
    x = draw.normal(size=(4000, 4)).astype(np.float32)
    clicked = ((taste[person] * appeal[thing]).sum(1) + x[:, 0] > 0).astype(np.float32)
    keys = jax.random.split(jax.random.key(2), 4)
    params = {
        "person": {"w": 0.3 * jax.random.normal(keys[0], (40, 8))},
        "thing": {"w": 0.3 * jax.random.normal(keys[1], (60, 8))},
        "dense": dense(keys[2], 4, 8, 1.0),
        "top": mlp(3, [32, 48, 1]),
    }
    params["top"]["layer01"]["b"] = jnp.full(1, -4.0 if broken else 0.5)

    def likely(params, person, thing, x, offsets):
        hidden = []
        p, t, d = params["person"]["w"][person], params["thing"]["w"][thing], linear(params["dense"], x)
        joined = jnp.concatenate([p, t, d, p * t], axis=1)
        h = activated("relu", linear(params["top"]["layer00"], joined), hidden, offsets)
        return activated("relu", linear(params["top"]["layer01"], h), hidden, offsets)[:, 0], tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = likely(params, *batch[:3], offsets)
        return ((found - batch[3]) ** 2).mean(), hidden

    data = (person.astype(np.int32), thing.astype(np.int32), x, clicked)

    def error(params):
        return ((likely(params, *data[:3], None)[0] - clicked) ** 2).mean() / clicked.var()

    return own(params, loss, data, optax.adam(5e-3), error, chance=float(clicked.var()), steps=500, batch=64)
