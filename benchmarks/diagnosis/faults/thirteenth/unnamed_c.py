"""Faults whose cause no finding names."""

import jax
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, thirteenth


@thirteenth(
    "the second derivatives of the law are taken by the other place each, so that it is another law",
    kind="derivative by another place",
    family="physics-informed",
    source="github.com/zenoxml/SciREX/issues/62",
    title="PINNs Examples: Not Producing Correct Solution",
)
def derivatives_by_the_other_place(broken: bool) -> Setup:
    """How a plate bends that is held at its edges, by the sum of its two second derivatives, or of two mixed ones.

    Seen: both losses fall, and what is learned is not the solution. Answer: derivatives of higher order were computed
    wrongly; fixed.
    """
    draw = np.random.default_rng(1385)
    inner = draw.uniform(0, 1, size=(256, 2)).astype(np.float32)
    side = draw.uniform(0, 1, size=256)
    ends = np.where(np.arange(256) % 2, 1.0, 0.0)
    swap = np.arange(256) % 4 < 2
    edge = np.stack([np.where(swap, side, ends), np.where(swap, ends, side)], axis=1).astype(np.float32)
    truth = np.sin(np.pi * inner).prod(1)

    def value(params, place):
        return perceptron(params, place[None], None, "tanh")[0][0, 0]

    seconds = jax.vmap(jax.hessian(value, 1), (None, 0))

    def loss(params, batch, offsets):
        inner, edge, truth = batch
        _, hidden = perceptron(params, inner, offsets, "tanh")
        second = seconds(params, inner)
        bent = second[:, 0, 1] + second[:, 1, 0] if broken else second[:, 0, 0] + second[:, 1, 1]
        law = bent / (2 * np.pi**2) + truth
        kept = perceptron(params, edge, None, "tanh")[0][:, 0]
        return (law**2).mean() + 3 * (kept**2).mean(), hidden

    def error(params):
        return ((perceptron(params, inner, None, "tanh")[0][:, 0] - truth) ** 2).mean() / truth.var()

    data = (inner, edge, truth.astype(np.float32))
    return own(mlp(1385, [2, 32, 32, 1], 1.0), loss, data, optax.adam(5e-3), error, steps=400, batch=128)


@thirteenth(
    "values are learned of returns that were normalised, and are used as if of those that were not",
    kind="returns that are normalised",
    family="value regression",
    source="github.com/luchris429/model-free-opponent-shaping/issues/1",
    title="PPO Value Issue",
)
def values_of_normalised_returns(broken: bool) -> Setup:
    """What states are worth, by returns as they are, or by returns that were brought to a mean of zero for the policy.

    Seen: returns are normalised before the value is learned, so that it learns the normalised return. Answer: they
    should not be; open.
    """
    draw = np.random.default_rng(1387)
    state = draw.normal(size=(2000, 4)).astype(np.float32)
    clean = 1.5 + np.tanh(state[:, 0] + state[:, 1]) + 0.5 * np.sin(2 * state[:, 2])
    gained = (clean + 0.2 * draw.normal(size=2000)).astype(np.float32)
    target = (gained - gained.mean()) / gained.std() if broken else gained

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "relu")
        return ((found[:, 0] - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((perceptron(params, state, None, "relu")[0][:, 0] - clean) ** 2).mean() / clean.var()

    more = {"chance": float(target.var()), "steps": 400, "batch": 64}
    return own(mlp(1387, [4, 48, 48, 1]), loss, (state, target.astype(np.float32)), optax.adam(3e-3), error, **more)
