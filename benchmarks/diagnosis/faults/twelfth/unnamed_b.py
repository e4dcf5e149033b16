"""Faults whose cause no finding names."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, twelfth


@twelfth(
    "much of the noise is drawn where little was asked for, and little where much was, since the levels are mirrored",
    kind="levels that are mirrored",
    family="diffusion",
    source="github.com/Nerogar/OneTrainer/issues/561",
    title="[Bug]: Noise settings are mirrored",
)
def levels_that_are_mirrored(broken: bool) -> Setup:
    """The way from curves to noise, at levels that were meant to be much noise, and are little.

    Seen: settings that are to train the composition do the opposite; the levels that are drawn are the mirrored ones.
    Answer: fixed for models of this kind.
    """
    draw = np.random.default_rng(1237)
    rate, phase = draw.uniform(0.3, 0.9, size=(2, 6000, 1))
    clean = (np.sqrt(2) * np.sin(rate * np.arange(24) / 3 + 6 * phase)).astype(np.float32)
    noise = draw.normal(size=clean.shape).astype(np.float32)
    level = draw.uniform(0.6, 0.9, size=(6000, 1)).astype(np.float32)

    def way(params, batch, offsets):
        clean, noise, level = batch
        mixed = (1 - level) * clean + level * noise
        return perceptron(params, jnp.concatenate([mixed, level], axis=1), offsets, "relu")

    def loss(params, batch, offsets):
        found, hidden = way(params, batch, offsets)
        return ((found - (batch[1] - batch[0])) ** 2).mean(), hidden

    def error(params):
        return loss(params, (clean[:800], noise[:800], level[:800]), None)[0] / 2

    data = (clean, noise, 1 - level if broken else level)
    return own(mlp(1237, [25, 96, 96, 24]), loss, data, optax.adam(3e-3), error, chance=2.0, steps=500, batch=64)


@twelfth(
    "the loss of the policy moves the worth that it is compared with, since no gradient is stopped there",
    kind="slope by the worth",
    family="policy gradient",
    source="github.com/astariul/encode-attend-navigate-pytorch/pull/3",
    title="Fix gradients & reproduce results",
)
def worth_that_the_policy_moves(broken: bool) -> Setup:
    """Which of twelve things to do in a state, and what that is worth, by rewards minus the worth.

    Seen: the worth is not detached in the loss of the policy, so that the critic learns from both, and training is
    unstable. Answer: detach it; merged.
    """
    draw = np.random.default_rng(1239)
    state = draw.normal(size=(3000, 4)).astype(np.float32)
    deed = draw.integers(12, size=3000).astype(np.int32)
    clean = (np.sin(2 * state[:, 0]) + 0.5 * state[:, 1]).astype(np.float32)
    reward = (clean + 0.3 * draw.normal(size=3000)).astype(np.float32)
    params = {"policy": mlp(1239, [4, 32, 12], 1.0), "worth": mlp(1240, [4, 32, 32, 1], 1.0)}

    def loss(params, batch, offsets):
        half = None if offsets is None else offsets[:1], None if offsets is None else offsets[1:]
        scores, first = perceptron(params["policy"], batch[0], half[0], "tanh")
        worth, second = perceptron(params["worth"], batch[0], half[1], "tanh")
        worth = worth[:, 0]
        log = jnp.take_along_axis(jax.nn.log_softmax(3 * jnp.tanh(scores)), batch[1][:, None], 1)[:, 0]
        better = batch[2] - (worth if broken else jax.lax.stop_gradient(worth))
        return (-log * better + 0.5 * (worth - batch[2]) ** 2).mean(), (*first, *second)

    def error(params):
        return ((perceptron(params["worth"], state, None, "tanh")[0][:, 0] - clean) ** 2).mean() / clean.var()

    return own(params, loss, (state, deed, reward), optax.adam(3e-3), error, steps=500, batch=64)
