"""Reinforcement learning: values, advantages, actors."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import curve, own, regression
from faults.registry import Setup, second


@second(
    "far from unit scale",
    "first loss too large",
    kind="scale of the data",
    family="value regression",
    source="github.com/deepspeedai/DeepSpeedExamples/issues/556",
    title="【problem discuss】Critic Loss can not decrease",
)
def returns_in_hundreds(broken: bool) -> Setup:
    """A critic of returns between -1,500 and 0, under a clipped gradient and a Huber loss."""
    data = curve(1, scale=300.0, shift=-800.0) if broken else curve(1)

    def loss(p, y):
        return optax.huber_loss(p[:, 0], y).mean()

    optimizer = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(3e-3))
    chance = float(optax.huber_loss(np.median(data[1]), data[1]).mean())
    return regression(mlp(0, [3, 64, 64, 1], 1.0), optimizer, data=data, loss=loss, chance=chance, batch=64)


@second(
    "constant answer",
    kind="shapes that are broadcast",
    family="value regression",
    source="github.com/RLinf/RLinf/issues/1568",
    title="[Bug]: OpenPI PPO critic loss silently broadcasts [B] values against [B, 1] returns",
)
def critic_of_all_returns(broken: bool) -> Setup:
    """Values of shape [B] against returns of shape [B, 1]: every value is drawn to all returns, clipped or not."""
    x, y = curve(2)

    def loss(p, y):
        value, returns = p[:, 0], y[:, None] if broken else y
        return ((value - returns) ** 2).mean()

    return regression(mlp(1, [3, 64, 64, 1], 1.0), optax.adam(3e-3), data=(x, y), loss=loss, batch=64)


@second(
    "values of the next episode are added to the last reward",
    kind="input left out",
    family="value regression",
    source="github.com/navneet-nmk/pytorch-rl/issues/2",
    title="'Done' not used in calculating Q-value targets",
)
def terminal_states_ignored(broken: bool) -> Setup:
    """Values that are carried on from the end of one episode into the beginning of the next."""
    places, discount = 8, 0.97
    draw = np.random.default_rng(0)
    now = draw.integers(places, size=1024)
    ended = now == places - 1
    following = np.where(ended, 0, now + 1)
    grid = np.eye(places, dtype=np.float32)
    truth = discount ** np.arange(places - 1, -1, -1)

    def value(params, x, offsets=None):
        out, hidden = perceptron(params, x, offsets, "tanh")
        return out[:, 0], hidden

    def loss(params, batch, offsets):
        state, after, reward, end = batch
        found, hidden = value(params, state, offsets)
        go_on = 1.0 if broken else 1.0 - end
        target = reward + discount * go_on * jax.lax.stop_gradient(value(params, after)[0])
        return ((found - target) ** 2).mean(), hidden

    def error(params):
        return ((value(params, grid)[0] - truth) ** 2).mean() / (truth**2).mean()

    end = ended.astype(np.float32)
    data = (grid[now], grid[following], end, end)
    return own(mlp(2, [places, 32, 1], 1.0), loss, data, optax.adam(3e-3), error, steps=600, batch=128)


@second(
    "not-a-number loss",
    "not-a-number gradients",
    kind="batch of one",
    family="policy gradient",
    source="github.com/DLR-RM/stable-baselines3/issues/325",
    title="[Bug] NaN's if a single observation is sampled from PPO's rollout_buffer",
)
def advantage_of_one(broken: bool) -> Setup:
    """Advantages divided by their deviation over a batch of one, which is not defined."""
    x = curve(3)[0]
    best = (3 * (np.argsort(np.argsort(x[:, 0] + x[:, 1])) / len(x))).astype(np.int32)
    action = np.random.default_rng(0).integers(3, size=len(x)).astype(np.int32)
    reward = (action == best).astype(np.float32)

    def loss(params, batch, offsets):
        logits, hidden = perceptron(params, batch[0], offsets, "tanh")
        advantage = (batch[2] - batch[2].mean()) / (batch[2].std(ddof=1) + 1e-8)
        chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), batch[1][:, None], axis=1)[:, 0]
        ratio = jnp.exp(chosen - jnp.log(1 / 3))
        return -jnp.minimum(ratio * advantage, jnp.clip(ratio, 0.3, 2.5) * advantage).mean(), hidden

    def error(params):
        return 1.5 * (perceptron(params, x, None, "tanh")[0].argmax(-1) != best).mean()

    params = mlp(3, [3, 32, 32, 3], 1.0)
    return own(params, loss, (x, action, reward), optax.adam(3e-3), error, steps=300, batch=1 if broken else 64)


@second(
    "the actor's loss is the value itself and not its negative",
    kind="wrong sign",
    family="policy gradient",
    source="github.com/KanishJebaMathewM/Truxify/pull/11885",
    title="fix(ml): fix actor loss calculation sign error in PIRL policy gradient",
)
def actor_that_climbs_down(broken: bool) -> Setup:
    """An actor that takes the actions of the smallest value."""
    x, wanted = curve(4)
    wanted = 0.8 * np.tanh(wanted)

    def act(params, x, offsets=None):
        out, hidden = perceptron(params, x, offsets, "tanh")
        return jnp.tanh(out[:, 0]), hidden

    def loss(params, batch, offsets):
        action, hidden = act(params, batch[0], offsets)
        value = 2 - (action - batch[1]) ** 2
        return (value if broken else -value).mean(), hidden

    def error(params):
        return ((act(params, x)[0] - wanted) ** 2).mean() / wanted.var()

    params = mlp(4, [3, 48, 48, 1], 1.0)
    return own(params, loss, (x, wanted), optax.adam(3e-3), error, steps=300, batch=64)
