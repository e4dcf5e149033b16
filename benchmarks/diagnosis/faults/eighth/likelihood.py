"""Likelihoods: deviations of zero, parts that are impossible, parts that are divided over the batch."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import mlp
from faults.problems import own
from faults.registry import Setup, eighth

ROOT = float(np.log(2 * np.pi)) / 2


@eighth(
    "not-a-number loss",
    "not-a-number gradients",
    kind="logarithm of zero",
    family="likelihood",
    source="github.com/emited/VariationalRecurrentNeuralNetwork/issues/2",
    title="loss got nan.",
)
def pixels_without_a_deviation(broken: bool) -> Setup:
    """Pictures through a code, with a mean and a deviation of each pixel; some pixels are always the same.

    Seen: both losses become NaN in the third epoch. Answer: a number that is added to the deviations, and a smallest
    one, since the logarithm is taken of them.
    """
    draw = np.random.default_rng(351)
    code = draw.normal(size=(2000, 3))
    x = np.tanh(code @ draw.normal(size=(3, 24))).astype(np.float32)
    x[:, 16:] = -1.0
    noise = draw.normal(size=(2000, 3)).astype(np.float32)
    params = {"encoder": mlp(351, [24, 48, 6], 1.0), "decoder": mlp(352, [3, 64, 48], 1.0)}

    def back(params, x, noise, offsets):
        hidden = []
        mean, raw = jnp.split(embedded(params["encoder"], x, hidden, offsets, "tanh"), 2, axis=1)
        deviation = jax.nn.softplus(raw) + 1e-3
        z = mean + deviation * noise
        found, raw = jnp.split(embedded(params["decoder"], z, hidden, offsets, "relu"), 2, axis=1)
        divergence = 0.5 * (mean**2 + deviation**2 - 1) - jnp.log(deviation)
        return jnp.tanh(found), jax.nn.softplus(raw) + (0.0 if broken else 0.03), divergence, tuple(hidden)

    def loss(params, batch, offsets):
        found, deviation, divergence, hidden = back(params, *batch, offsets)
        likely = ROOT + jnp.log(deviation) + 0.5 * ((batch[0] - found) / deviation) ** 2
        return (likely.sum(1) + 0.1 * divergence.sum(1)).mean(), hidden

    def error(params):
        found = back(params, x[:500], 0 * noise[:500], None)[0]
        return ((found - x[:500]) ** 2).mean() / x.var(0).mean()

    optimizer = optax.chain(optax.clip_by_global_norm(50.0), optax.adam(0.01))
    return own(params, loss, (x, noise), optimizer, error, steps=500, batch=32)


@eighth(
    "not-a-number gradients",
    "not-a-number loss",
    kind="logarithm of a softmax",
    family="likelihood",
    source="github.com/tonyduan/mixture-density-network/pull/4",
    title="Fixed Numerical Stability Issues",
)
def parts_that_are_impossible(broken: bool) -> Setup:
    """When something arrives, by a mixture of eight parts, some of which come to have a probability of exactly zero.

    Seen: the gradient goes to NaN. Answer: take scores directly, and not the logarithm of probabilities, and a
    deviation that is not an exponential; merged.
    """
    draw = np.random.default_rng(353)
    x = draw.uniform(-4, 4, size=3000)
    y = np.round(2 * np.sin(x)) + np.where(draw.random(3000) < 0.3, 3.0, 0.0) + 0.1 * draw.normal(size=3000)
    inputs = np.stack([x, x**2, x**3], axis=1).astype(np.float32)
    y = y.astype(np.float32)
    params = mlp(353, [3, 64, 64, 24])

    def parts(params, inputs, offsets):
        hidden = []
        mean, raw, scores = jnp.split(embedded(params, inputs, hidden, offsets, "relu"), 3, axis=1)
        deviation = jax.nn.elu(raw) + 1.05
        log = jnp.log(jax.nn.softmax(scores)) if broken else jax.nn.log_softmax(scores)
        return mean, deviation, log, tuple(hidden)

    def loss(params, batch, offsets):
        mean, deviation, log, hidden = parts(params, batch[0], offsets)
        likely = log - jnp.log(deviation) - ROOT - 0.5 * ((batch[1][:, None] - mean) / deviation) ** 2
        return -jax.nn.logsumexp(likely, axis=1).mean(), hidden

    def error(params):
        return jnp.exp(2 * loss(params, (inputs[:600], y[:600]), None)[0]) / (2 * np.pi * np.e * y.var())

    optimizer = optax.chain(optax.clip_by_global_norm(5.0), optax.adam(5e-3))
    chance = float(0.5 * np.log(2 * np.pi * np.e * y.var()))
    return own(params, loss, (inputs, y), optimizer, error, chance=chance, steps=500, batch=64)


@eighth(
    "the shares of a mixture add up to one over the batch, and not over its parts",
    kind="axis",
    family="likelihood",
    source="github.com/ctallec/world-models/issues/10",
    title="Wrong dimension for pi softmax",
)
def shares_over_the_batch(broken: bool) -> Setup:
    """What a world does next, one of two things and rarely the second, by a mixture with a softmax over the wrong axis.

    Seen: the softmax is over the batch. Answer: right; over the parts instead.
    """
    draw = np.random.default_rng(354)
    x = draw.normal(size=(3000, 3)).astype(np.float32)
    likely = 1 / (1 + np.exp(-(1.5 * x[:, 0] - 2.5)))
    up = draw.random(3000) < likely
    y = (np.where(up, 2.0, -2.0) + 0.5 * np.tanh(x[:, 1]) + 0.2 * draw.normal(size=3000)).astype(np.float32)
    params = mlp(354, [3, 48, 48, 6], 1.0)
    params["layer02"]["b"] = jnp.array([-2.0, 2.0, 0.0, 0.0, 0.0, 0.0])

    def parts(params, x, offsets):
        hidden = []
        found = embedded(params, x, hidden, offsets, "tanh")
        return found[:, :2], 3 * jnp.tanh(found[:, 2:4] / 3), found[:, 4:], tuple(hidden)

    def loss(params, batch, offsets):
        mean, deviation, scores, hidden = parts(params, batch[0], offsets)
        log = jax.nn.log_softmax(scores, axis=0 if broken else 1)
        likely = log - deviation - ROOT - 0.5 * ((batch[1][:, None] - mean) * jnp.exp(-deviation)) ** 2
        return -jax.nn.logsumexp(likely, axis=1).mean(), hidden

    def error(params):
        share = jax.nn.softmax(parts(params, x, None)[2], axis=1)[:, 1]
        return ((share - likely) ** 2).mean() / likely.var()

    return own(params, loss, (x, y), optax.adam(3e-3), error, steps=500, batch=64)
