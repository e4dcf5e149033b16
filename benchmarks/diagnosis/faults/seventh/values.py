"""Reinforcement learning: rewards of hundreds, and a rate at which actions jump from end to end."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import activated, linear, mlp
from faults.problems import own
from faults.registry import Setup, seventh


@seventh(
    "far from unit scale",
    "first loss too large",
    kind="scale of the rewards",
    family="value regression",
    source="github.com/awjuliani/DeepRL-Agents/issues/18",
    title="A3C Doom: Gather Health",
)
def health_in_thousands(broken: bool) -> Setup:
    """An actor and a critic of one trunk, whose gradients are clipped, and whose rewards add up to a thousand.

    Seen: gradients explode with a larger reward. Answer: divide rewards by the largest sum of an episode; the original
    divides by 100.
    """
    draw = np.random.default_rng(191)
    x = draw.normal(size=(3000, 5)).astype(np.float32)
    worth = np.sin(2 * x[:, 0]) + x[:, 1] * np.tanh(x[:, 2])
    action = draw.integers(3, size=3000).astype(np.int32)
    gain = x @ draw.normal(size=(5, 3))
    reward = worth / worth.std() + 0.3 * gain[np.arange(3000), action]
    scale = 1000.0 if broken else 1.0
    returns, target = ((scale * part).astype(np.float32) for part in (reward, worth / worth.std()))
    params = {"trunk": mlp(191, [5, 64, 48], 1.0), "actor": mlp(192, [48, 3], 1.0), "critic": mlp(193, [48, 1], 1.0)}

    def both(params, x, hidden, offsets):
        h = activated("tanh", linear(params["trunk"]["layer00"], x), hidden, offsets)
        h = activated("tanh", linear(params["trunk"]["layer01"], h), hidden, offsets)
        return linear(params["actor"]["layer00"], h), linear(params["critic"]["layer00"], h)[:, 0]

    def loss(params, batch, offsets):
        hidden = []
        scores, value = both(params, batch[0], hidden, offsets)
        log = jnp.take_along_axis(jax.nn.log_softmax(scores), batch[1][:, None], 1)[:, 0]
        apart = batch[2] - value
        policy = -(3 * jnp.exp(log) * jax.lax.stop_gradient(apart)).mean()
        return 0.5 * (apart**2).mean() + 0.1 * policy, tuple(hidden)

    def error(params):
        return ((both(params, x, [], None)[1] - target) ** 2).mean() / target.var()

    optimizer = optax.chain(optax.clip_by_global_norm(40.0), optax.adam(3e-3))
    return own(params, loss, (x, action, returns), optimizer, error, steps=800, batch=64)


@seventh(
    "learning rate too large",
    "saturation",
    kind="rate",
    family="policy gradient",
    source="github.com/MorvanZhou/Reinforcement-learning-with-tensorflow/issues/34",
    title="Avoid high frequent changes in DPPO",
)
def actions_from_end_to_end(broken: bool) -> Setup:
    """A policy whose mean action is squashed, learned from weighted actions, at a rate that throws it to both ends.

    Seen: actions change quickly between the smallest and the largest one. Answer: a lower rate first; indeed.
    """
    draw = np.random.default_rng(194)
    x = draw.normal(size=(3000, 4)).astype(np.float32)
    best = 0.6 * np.sin(x[:, 0] + x[:, 1])
    action = draw.uniform(-1, 1, size=3000).astype(np.float32)
    reward = -((action - best) ** 2)
    advantage = ((reward - reward.mean()) / reward.std()).astype(np.float32)
    params = mlp(194, [4, 48, 48, 1], 1.0)

    def mean(params, x, hidden, offsets):
        return activated("tanh", embedded(params, x, hidden, offsets, "relu"), hidden, offsets)[:, 0]

    def loss(params, batch, offsets):
        hidden = []
        far = (batch[1] - mean(params, batch[0], hidden, offsets)) / 0.4
        ratio = 1.2 * jnp.exp(-0.5 * far**2)
        return -(ratio * batch[2]).mean(), tuple(hidden)

    def error(params):
        return ((mean(params, x, [], None) - best) ** 2).mean() / best.var()

    return own(params, loss, (x, action, advantage), optax.adam(0.2 if broken else 3e-3), error, steps=500, batch=64)
