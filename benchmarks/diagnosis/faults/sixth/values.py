"""Reinforcement learning: observations and rewards out of scale."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp
from faults.problems import own
from faults.registry import Setup, sixth


def two_heads(params, actor_sees, critic_sees, hidden, offsets):
    """What a policy and a critic give, each of one hidden layer, which share a list of hidden points."""
    h = activated("tanh", linear(params["policy"]["layer00"], actor_sees), hidden, offsets)
    v = activated("tanh", linear(params["critic"]["layer00"], critic_sees), hidden, offsets)
    v = activated("tanh", linear(params["critic"]["layer01"], v), hidden, offsets)
    return linear(params["policy"]["layer01"], h), linear(params["critic"]["layer02"], v)[:, 0]


@sixth(
    "far from unit scale",
    "saturation",
    kind="scale of the data",
    family="value regression",
    source="github.com/Unity-Technologies/ml-agents/issues/5583",
    title="Possible normalization issue with optimizer.critic in commit d0d9d14",
)
def critic_that_sees_metres(broken: bool) -> Setup:
    """An actor that sees normalised metres and radians, and a critic that sees them as they are.

    Seen: since the critic was moved, only the actor is normalised, and nothing is learned. Answer: normalise both.
    """
    draw = np.random.default_rng(0)
    x = draw.normal(size=(3000, 3)).astype(np.float32)
    raw = (x * np.array([1000.0, 800.0, 1.0]) + np.array([500.0, 0.0, 0.0])).astype(np.float32)
    worth = np.sin(3 * x[:, 0]) + np.cos(2 * x[:, 1]) * np.sin(x[:, 2])
    gain = draw.normal(size=(3, 4))
    action = draw.integers(4, size=3000).astype(np.int32)
    better = x @ gain - (x @ gain).mean(1, keepdims=True)
    returns = (worth / worth.std() + 0.3 * better[np.arange(3000), action]).astype(np.float32)
    target = (worth / worth.std()).astype(np.float32)
    params = {"policy": mlp(0, [3, 32, 4], 1.0), "critic": mlp(1, [3, 48, 48, 1], 1.0)}

    def loss(params, batch, offsets):
        hidden = []
        scores, value = two_heads(params, batch[0], batch[1] if broken else batch[0], hidden, offsets)
        ratio = 4 * jnp.take_along_axis(jax.nn.softmax(scores), batch[2][:, None], 1)[:, 0]
        apart = batch[3] - value
        policy = -(ratio * jax.lax.stop_gradient(apart)).mean()
        return (apart**2).mean() + 0.2 * policy, tuple(hidden)

    def error(params):
        value = two_heads(params, x, raw if broken else x, [], None)[1]
        return ((value - target) ** 2).mean() / target.var()

    return own(params, loss, (x, raw, action, returns), optax.adam(5e-3), error, steps=800, batch=128)


@sixth(
    "far from unit scale",
    kind="scale of the rewards",
    family="policy gradient",
    source="github.com/lcswillems/rl-starter-files/issues/30",
    title="Possible bug of the calculation precision",
)
def rewards_of_a_thousandth(broken: bool) -> Setup:
    """A policy with a bonus for entropy, whose rewards are thousandths: the bonus is all that it follows.

    Seen: with rewards between 0.001 and 0.02 nothing converges; with ten times as much it does. Answer: none.
    """
    draw = np.random.default_rng(1)
    x = draw.normal(size=(3000, 4)).astype(np.float32)
    best = (x @ draw.normal(size=(4, 6))).argmax(1)
    action = draw.integers(6, size=3000).astype(np.int32)
    reward = ((0.003 if broken else 0.03) * (action == best)).astype(np.float32)
    params = {"policy": mlp(2, [4, 48, 6], 1.0), "critic": mlp(3, [4, 32, 32, 1], 1.0)}

    def loss(params, batch, offsets):
        hidden = []
        scores, value = two_heads(params, batch[0], batch[0], hidden, offsets)
        log = jax.nn.log_softmax(scores)
        ratio = 6 * jnp.exp(jnp.take_along_axis(log, batch[1][:, None], 1)[:, 0])
        apart = batch[2] - value
        bonus = -(jnp.exp(log) * log).sum(1).mean()
        policy = -(ratio * jax.lax.stop_gradient(apart)).mean()
        return policy + 0.5 * (apart**2).mean() - 0.01 * bonus, tuple(hidden)

    def error(params):
        scores = two_heads(params, x, x, [], None)[0]
        right = jnp.take_along_axis(jax.nn.softmax(scores), best[:, None], 1).mean()
        return (1 - right) / (1 - 1 / 6)

    return own(params, loss, (x, action, reward), optax.adam(5e-3), error, steps=800, batch=256)
