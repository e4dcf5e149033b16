"""Reinforcement learning: values, observations, deviations."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, mlp, perceptron
from faults.problems import curve, own, regression
from faults.registry import Setup, third


@third(
    "gradients exactly zero",
    kind="clipping with a flat part",
    family="value regression",
    source="github.com/devsisters/DQN-tensorflow/issues/16",
    title="A bug in the implementation",
)
def errors_clipped_to_one(broken: bool) -> Setup:
    """Errors of values that are clipped to one before they are squared, and all of which are larger.

    Seen: the gradient is exactly zero beyond the clip. Answer: clip the gradient, which is Huber's loss.
    """
    data = curve(1, shift=6.0)

    def loss(p, y):
        apart = p[:, 0] - y
        return (jnp.clip(apart, -1, 1) ** 2 if broken else optax.huber_loss(apart)).mean()

    middle = float(np.median(data[1]))
    chance = float(loss(np.full((len(data[1]), 1), middle), data[1]))
    params = mlp(0, [3, 64, 64, 1], 1.0)
    return regression(params, optax.adam(3e-3), data=data, loss=loss, chance=chance, steps=600, batch=64)


@third(
    "saturation",
    "far from unit scale",
    kind="scale of the data",
    family="policy gradient",
    source="github.com/ZhihanLee/DDPG_Learning/issues/2",
    title="DDPG action saturation",
)
def states_as_they_are(broken: bool) -> Setup:
    """An actor that reads states around a thousand: its units and its actions lie at one and minus one.

    Seen: actions that jump to their largest value. Answer: normalise the state to between -1 and 1.
    """
    x, wanted = curve(2)
    wanted = 0.8 * np.tanh(wanted)
    states = 1000 + 40 * x if broken else x

    def act(params, x, offsets=None):
        hidden = []
        h = activated("tanh", x @ params["layer00"]["w"] + params["layer00"]["b"], hidden, offsets)
        h = activated("tanh", h @ params["layer01"]["w"] + params["layer01"]["b"], hidden, offsets)
        return activated("tanh", (h @ params["layer02"]["w"] + params["layer02"]["b"])[:, 0], hidden, offsets), hidden

    def loss(params, batch, offsets):
        action, hidden = act(params, batch[0], offsets)
        return ((action - batch[1]) ** 2).mean() - 2, tuple(hidden)

    def error(params):
        return ((act(params, states)[0] - wanted) ** 2).mean() / wanted.var()

    chance = float(wanted.var()) - 2
    params = mlp(1, [3, 48, 48, 1], 1.0)
    return own(params, loss, (states, wanted), optax.adam(2e-3), error, chance=chance, steps=500, batch=64)


@third(
    "not-a-number loss",
    "not-a-number gradients",
    kind="value outside of the domain",
    family="policy gradient",
    source="github.com/sweetice/Deep-reinforcement-learning-with-pytorch/issues/35",
    title="Big bug in PPO2",
)
def deviation_below_zero(broken: bool) -> Setup:
    """A normal distribution of actions, whose deviation is an output that may be negative.

    Seen: logarithms of probabilities that are NaN. Answer: a softplus, or a square, makes the deviation positive.
    """
    x, best = curve(3)
    best = 0.8 * np.tanh(best)
    draw = np.random.default_rng(0)
    action = draw.normal(size=len(x)).astype(np.float32)
    reward = np.exp(-4 * (action - best) ** 2).astype(np.float32)

    def loss(params, batch, offsets):
        out, hidden = perceptron(params, batch[0], offsets, "tanh")
        mean, deviation = out[:, 0], out[:, 1]
        deviation = deviation if broken else jax.nn.softplus(deviation) + 1e-2
        log = -0.5 * ((batch[1] - mean) / deviation) ** 2 - jnp.log(deviation)
        return -(batch[2] * log).mean(), hidden

    def error(params):
        return ((perceptron(params, x, None, "tanh")[0][:, 0] - best) ** 2).mean() / best.var()

    params = mlp(2, [3, 48, 48, 2], 1.0)
    return own(params, loss, (x, action, reward), optax.adam(3e-3), error, steps=500, batch=64)
