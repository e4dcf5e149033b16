"""Likelihoods: densities that round to zero, hazards without a bound, and a minus that belongs there."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, ninth


@ninth(
    "not-a-number loss",
    "not-a-number gradients",
    kind="logarithm of a density that rounds to zero",
    family="likelihood",
    source="github.com/motokimura/PyTorch_Gaussian_YOLOv3/issues/23",
    title="Got NaN loss when use the Gaussian idea to regression TASK.",
)
def densities_of_a_narrow_box(broken: bool) -> Setup:
    """Where something is, with how sure the network is of it, by the logarithm of a density of small deviations.

    Seen: the loss is NaN, and clipping and a small rate delay it only. Answer: a constant of 0.3 that is added to the
    deviations, which made it stable.
    """
    draw = np.random.default_rng(601)
    x = draw.normal(size=(1500, 4)).astype(np.float32)
    spread = 0.02 + 0.4 * (x[:, 3] > 0.5)
    y = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + spread * draw.normal(size=1500)
    y = (y / y.std()).astype(np.float32)

    def parts(params, x, offsets):
        found, hidden = perceptron(params, x, offsets, "relu")
        return found[:, 0], jax.nn.sigmoid(found[:, 1]) + (1e-4 if broken else 0.3), hidden

    def loss(params, batch, offsets):
        mean, deviation, hidden = parts(params, batch[0], offsets)
        density = jnp.exp(-0.5 * ((batch[1] - mean) / deviation) ** 2) / deviation / (2 * np.pi) ** 0.5
        return -jnp.log(density).mean(), hidden

    def error(params):
        return ((parts(params, x[:500], None)[0] - y[:500]) ** 2).mean() / y.var()

    optimizer = optax.chain(optax.clip_by_global_norm(5.0), optax.adam(3e-3))
    params = mlp(601, [4, 48, 48, 2])
    params["layer02"]["w"] = 0.2 * params["layer02"]["w"]
    return own(params, loss, (x, y), optimizer, error, steps=500, batch=32)


@ninth(
    "exploding",
    "first loss too large",
    kind="clipping that is left out",
    family="likelihood",
    source="github.com/square/pysurvival/pull/11",
    title="added clip_grad_norm",
)
def hazards_of_linear_units(broken: bool) -> Setup:
    """When something ends, by the exponential of what a network of units without a bound gives.

    Seen: gradients can explode very easily with rectifiers, with the identity and the like. Answer: their norm is
    clipped; proposed.
    """
    draw = np.random.default_rng(603)
    x = draw.normal(size=(1500, 6)).astype(np.float32)
    hazard = np.tanh(x[:, 0] + 0.5 * x[:, 1]) + 0.5 * x[:, 2]
    time = draw.exponential(size=1500) * np.exp(-hazard)
    ended = (time < 3).astype(np.float32)
    time = np.minimum(time, 3).astype(np.float32)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "relu")
        return (jnp.exp(found[:, 0]) * batch[1] - batch[2] * found[:, 0]).mean(), hidden

    def error(params):
        found = perceptron(params, x[:500], None, "relu")[0][:, 0]
        return ((found - hazard[:500]) ** 2).mean() / hazard.var()

    step = optax.sgd(0.02, 0.9)
    optimizer = step if broken else optax.chain(optax.clip_by_global_norm(1.0), step)
    return own(mlp(603, [6, 32, 32, 32, 1], 5.0), loss, (x, time, ended), optimizer, error, steps=400, batch=32)


@ninth(
    "nothing wrong",
    kind="minus before a likelihood",
    family="likelihood",
    source="github.com/google/lifetime_value/issues/15",
    title="Why there is a - in front of the regression_loss?",
    sound=True,
)
def values_of_customers(broken: bool) -> Setup:
    """What a customer is worth, who often buys nothing, by a share of buyers and minus the likelihood of their values.

    Seen: the paper adds two losses, and the code has a minus in front of the second. Answer: it is for the negative
    logarithm of a likelihood, as the squared error is one.
    """
    draw = np.random.default_rng(604)
    x = draw.normal(size=(1500, 5)).astype(np.float32)
    buys = draw.random(1500) < 1 / (1 + np.exp(-2 * x[:, 0]))
    level = 0.5 * np.tanh(x[:, 1] * x[:, 2]) + 0.4 * x[:, 3] - 1.5
    log = np.where(buys, level + 0.2 * draw.normal(size=1500), 0.0).astype(np.float32)
    bought = buys.astype(np.float32)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "tanh")
        deviation = jax.nn.softplus(found[:, 2]) + 1e-3
        likely = -batch[1] - jnp.log(deviation) - 0.5 * ((batch[1] - found[:, 1]) / deviation) ** 2
        share = optax.sigmoid_binary_cross_entropy(found[:, 0], batch[2])
        return (share - batch[2] * likely).mean(), hidden

    def error(params):
        found = perceptron(params, x[:500], None, "tanh")[0][:, 1]
        return ((found - level[:500]) ** 2).mean() / level.var()

    steps = 400 if broken else 800
    data = (x, log, bought)
    return own(mlp(604, [5, 32, 32, 3], 1.0), loss, data, optax.adam(3e-3), error, steps=steps, batch=64)
