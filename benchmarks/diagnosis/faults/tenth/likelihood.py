"""Likelihoods: scales without a bound, and a logarithm that is left out."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, tenth


@tenth(
    "exploding",
    "not-a-number loss",
    "not-a-number gradients",
    kind="scale without a bound",
    family="likelihood",
    source="github.com/VincentStimper/normalizing-flows/issues/29",
    title="Negative KL divergence",
)
def scales_by_an_exponential(broken: bool) -> Setup:
    """A bent cloud of points by a flow of eight steps, whose scales are exponentials, or logistic functions.

    Seen: with the default of exponentials the divergence goes below zero, as it cannot. Answer: the report's own: with
    logistic scales the problem is gone.
    """
    draw = np.random.default_rng(783)
    first = draw.normal(size=(3000, 2))
    rest = np.stack([0.6 * first[:, 0] ** 2 + 0.5 * first[:, 1], np.sin(2 * first[:, 0])], axis=1)
    x = np.concatenate([first, rest + 0.1 * draw.normal(size=(3000, 2))], axis=1)
    x = ((x - x.mean(0)) / x.std(0)).astype(np.float32)
    params = {f"step{i}": mlp(783 + i, [2, 32, 32, 4]) for i in range(8)}
    for step in params.values():
        step["layer02"]["w"] = jnp.zeros((32, 4))

    def cost(params, x, offsets):
        hidden, total = [], 0.0
        for i in range(8):
            one, two = jnp.split(x, 2, axis=1)
            shift, scale = jnp.split(embedded(params[f"step{i}"], one, hidden, offsets), 2, axis=1)
            log = scale if broken else jax.nn.log_sigmoid(scale + 2)
            two, total = (two - shift) * jnp.exp(-log), total - log.sum(1)
            x = jnp.concatenate([two, one], axis=1)
        return (0.5 * (x**2).sum(1) - total).mean(), tuple(hidden)

    def loss(params, batch, offsets):
        return cost(params, batch[0], offsets)

    def error(params):
        found = cost(params, x[:600], None)[0]
        return jnp.nan_to_num(jnp.clip((found + 2.0) / (1.8 + 2.0), 0.0, 1e3), nan=1e3)

    return own(params, loss, (x,), optax.adam(2e-2), error, chance=1.8, steps=400, batch=64)


@tenth(
    "the logarithm of the deviation is left out of the likelihood, so that the deviation grows without end",
    kind="term that is left out",
    family="likelihood",
    source="github.com/declare-lab/Multimodal-Infomax/issues/1",
    title="Question for Forward lld (gaussian prior) and entropy estimation in MMILB Module.",
)
def deviation_without_its_logarithm(broken: bool) -> Setup:
    """A number from five others, with a deviation of its own, by the likelihood of a normal distribution.

    Seen: the likelihood has the squared error over the variance, but no logarithm of the deviation. Answer: it was made
    like that of another method; another reader still asks where the logarithm is.
    """
    draw = np.random.default_rng(787)
    x = draw.normal(size=(1500, 5)).astype(np.float32)
    clean = np.sin(x[:, 0]) + 0.7 * x[:, 1] * x[:, 2] + 0.5 * x[:, 3]
    clean = ((clean - clean.mean()) / clean.std()).astype(np.float32)
    y = (clean + 0.2 * draw.normal(size=1500)).astype(np.float32)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "relu")
        log = found[:, 1]
        share = ((found[:, 0] - batch[1]) ** 2 / 2 * jnp.exp(-2 * log)).mean()
        return share if broken else share + log.mean(), hidden

    def error(params):
        found = perceptron(params, x[:500], None, "relu")[0][:, 0]
        return ((found - clean[:500]) ** 2).mean() / clean[:500].var()

    return own(mlp(787, [5, 48, 48, 2]), loss, (x, y), optax.sgd(0.03), error, steps=400, batch=32)
