"""Reinforcement learning: scales, clipped errors, ranges of answers, signs."""

import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp, perceptron
from faults.problems import curve, own, regression
from faults.registry import Setup, fifth


@fifth(
    "far from unit scale",
    "not-a-number loss",
    "first loss too large",
    kind="scale of the data",
    family="policy gradient",
    source="github.com/tensorflow/agents/issues/622",
    title="SAC example in custom environment: Critic Loss is NaN",
)
def observations_in_thousands(broken: bool) -> Setup:
    """Actions of unknown spread, by a network that sees observations in thousands: its deviations overflow.

    Seen: a loss of NaN, since the exponential of a deviation is infinite. Answer: an observation normalizer.
    """
    x, best = curve(1)
    action = (best + 0.1 * np.random.default_rng(0).normal(size=best.shape)).astype(np.float32)
    seen = 3000 * x if broken else x

    def policy(params, x, offsets):
        out, hidden = perceptron(params, x, offsets, "relu")
        return out[:, 0], out[:, 1], hidden

    def loss(params, batch, offsets):
        mean, log, hidden = policy(params, batch[0], offsets)
        deviation = jnp.exp(log)
        return (0.5 * ((batch[1] - mean) / deviation) ** 2 + jnp.log(deviation)).mean(), hidden

    def error(params):
        return ((policy(params, seen, None)[0] - best) ** 2).mean() / best.var()

    chance = 0.5 + float(np.log(action.std()))
    params = mlp(0, [3, 48, 48, 2])
    return own(params, loss, (seen, action), optax.adam(3e-3), error, chance=chance, steps=500, batch=64)


@fifth(
    "gradients exactly zero",
    kind="error that is clipped",
    family="value regression",
    source="github.com/spragunr/deep_q_rl/issues/46",
    title="Gradient zero when diff is clipped",
)
def differences_that_are_clipped(broken: bool) -> Setup:
    """Values of games, whose error is cut at one before it is squared: all of them are further away at the start.

    Seen: the gradient is zero where the difference is clipped. Answer: a loss that is linear beyond one.
    """
    x, y = curve(2, scale=4.0, shift=25.0)

    def loss(found, y):
        apart = found[:, 0] - y
        return (jnp.clip(apart, -1, 1) ** 2).mean() if broken else optax.huber_loss(apart).mean()

    guesses = np.linspace(y.min(), y.max(), 101)
    chance = min(float(loss(np.full((len(y), 1), guess), y)) for guess in guesses)
    params = mlp(3, [3, 48, 48, 1], 1.0)
    return regression(params, optax.adam(0.02), data=(x, y), loss=loss, chance=chance, batch=64, steps=800)


@fifth(
    "saturation",
    "far from unit scale",
    kind="range of the answers",
    family="value regression",
    source="github.com/LuEE-C/PPO-Keras/issues/13",
    title="critic activation function may be wrong",
)
def critic_between_minus_one_and_one(broken: bool) -> Setup:
    """A critic behind a hyperbolic tangent, of returns that add up to ten.

    Seen: answers between -1 and 1, where returns easily exceed 1. Answer: none there; a plain answer works.
    """
    data = curve(4, scale=3.0, shift=10.0)

    def net(params, x, offsets):
        hidden = []
        h = activated("tanh", linear(params["layer00"], x), hidden, offsets)
        h = activated("tanh", linear(params["layer01"], h), hidden, offsets)
        z = linear(params["layer02"], h)
        return (activated("tanh", z, hidden, offsets) if broken else z), tuple(hidden)

    params = mlp(5, [3, 48, 48, 1], 1.0)
    return regression(params, optax.adam(0.01), data=data, net=net, batch=64, steps=800)


@fifth(
    "updates point uphill",
    kind="wrong sign",
    family="value regression",
    source="github.com/ufal/npfl122/pull/16",
    title="Fix SGD update rules",
)
def rule_without_its_minus(broken: bool) -> Setup:
    """Values that are learned by a rule written by hand, in which one of two signs is missing.

    Seen: the gradient of minus the value is minus that of the value, which the rule lacks. Answer: it is so.
    """
    x, y = curve(6)
    rate = 2e-4 if broken else -0.1

    def error_of(found, y):
        return 0.5 * ((found[:, 0] - y) ** 2).mean()

    params = mlp(7, [3, 48, 48, 1], 1.0)
    chance = 0.5 * float(jnp.var(y))
    more = {"loss": error_of, "chance": chance, "batch": 64, "steps": 600}
    return regression(params, optax.scale(rate), data=(x, y), **more)
