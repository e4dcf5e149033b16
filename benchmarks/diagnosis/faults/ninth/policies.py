"""Policies and values: rewards that are all the same, and values of another scale."""

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
    kind="division by zero",
    family="policy gradient",
    source="github.com/pytorch/rl/pull/574",
    title="[BugFix] Add eps to reward normalization",
)
def rewards_without_a_deviation(broken: bool) -> Setup:
    """A policy by rewards that are normalised over each batch, in some of which nobody is rewarded.

    Seen: values explode where rewards are divided by their deviation. Answer: an epsilon is added to it; merged.
    """
    draw = np.random.default_rng(661)
    x = draw.normal(size=(3000, 4)).astype(np.float32)
    best = (x @ draw.normal(size=(4, 6))).argmax(1)
    tried = draw.integers(6, size=3000).astype(np.int32)
    reward = ((tried == best) & (draw.random(3000) < 0.8)).astype(np.float32)

    def loss(params, batch, offsets):
        scores, hidden = perceptron(params, batch[0], offsets, "tanh")
        deviation = batch[2].std() + (0.0 if broken else 1e-5)
        better = (batch[2] - batch[2].mean()) / deviation
        share = jnp.take_along_axis(jax.nn.softmax(scores), batch[1][:, None], 1)[:, 0]
        return (-6 * share * better).mean(), hidden

    def error(params):
        found = perceptron(params, x, None, "tanh")[0]
        return jnp.where(jnp.isfinite(found).all(), (found.argmax(1) != best).mean() / (1 - 1 / 6), 1.0)

    data = (x, tried, reward)
    return own(mlp(661, [4, 32, 32, 6], 1.0), loss, data, optax.adam(3e-3), error, steps=500, batch=32)


@ninth(
    "targets are made of the normalised value of the next state, and normalised once more",
    kind="value that is not scaled back",
    family="value regression",
    source="github.com/marl-book/codebase/issues/12",
    title="DQN return normalization",
)
def next_value_in_another_scale(broken: bool) -> Setup:
    """What states are worth, by normalised returns, whose next value is not brought back to the scale of returns.

    Seen: the next values are not de-normalised. Answer: none; the formula asks for it.
    """
    draw = np.random.default_rng(662)
    x = draw.normal(size=(2000, 4)).astype(np.float32)
    reward = (1.0 + np.tanh(x[:, 0] + x[:, 1] * x[:, 2])).astype(np.float32)
    keep, decay = 0.8, 0.9
    after = (keep * x + (1 - keep**2) ** 0.5 * draw.normal(size=x.shape)).astype(np.float32)
    worth, now = np.zeros(2000), x
    for _ in range(64):
        path = np.zeros(2000)
        now, share = x, 1.0
        for _ in range(40):
            path += share * (1.0 + np.tanh(now[:, 0] + now[:, 1] * now[:, 2]))
            now, share = keep * now + (1 - keep**2) ** 0.5 * draw.normal(size=x.shape), share * decay
        worth += path / 64
    mean, spread = float(worth.mean()), float(worth.std())

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "tanh")
        following = jax.lax.stop_gradient(perceptron(params, batch[1], None, "tanh")[0][:, 0])
        if not broken:
            following = following * spread + mean
        target = (batch[2] + decay * following - mean) / spread
        return ((found[:, 0] - target) ** 2).mean(), hidden

    def error(params):
        found = perceptron(params, x[:500], None, "tanh")[0][:, 0] * spread + mean
        return ((found - worth[:500]) ** 2).mean() / worth.var()

    data = (x, after, reward)
    return own(mlp(662, [4, 48, 48, 1], 1.0), loss, data, optax.adam(3e-3), error, steps=600, batch=64)
