"""What to do, and what it is worth: shapes, a stopped gradient, two softmaxes, a hasty target, a rectified answer."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp, perceptron
from faults.problems import digits, own, recognised
from faults.registry import Setup, eleventh


@eleventh(
    "constant answer",
    kind="shapes that are broadcast",
    family="policy gradient",
    source="github.com/RITCHIEHuang/DeepRL_Algorithms/issues/13",
    title="shape of PPO advantages",
)
def all_ratios_times_all_advantages(broken: bool) -> Setup:
    """Which of ten things to do at the sight of a picture, by ratios of shape [n] times advantages of shape [n, 1].

    Seen: the product is of shape [n, n], and training is slow. Answer: the report's own: a flat shape, with which
    rewards rise much faster.
    """
    x, y = digits()[:2]
    draw = np.random.default_rng(1161)
    tried = np.where(draw.random(len(x)) < 0.3, y, draw.integers(10, size=len(x))).astype(np.int32)
    reward = (tried == y).astype(np.float32)
    better = ((reward - reward.mean()) / reward.std()).astype(np.float32)[:, None]

    def loss(params, batch, offsets):
        scores, hidden = perceptron(params, batch[0], offsets, "relu")
        log = jnp.take_along_axis(jax.nn.log_softmax(scores), batch[1][:, None], 1)[:, 0]
        ratio = jnp.exp(log - np.log(0.1))
        return -(ratio * (batch[2] if broken else batch[2][:, 0])).mean(), hidden

    def error(params):
        return (perceptron(params, x, None, "relu")[0].argmax(1) != y).mean() / 0.9

    data = (x, tried, better)
    return own(mlp(1161, [64, 48, 10]), loss, data, optax.sgd(0.01, 0.9), error, steps=400, batch=64)


@eleventh(
    "gradients exactly zero",
    "frozen",
    kind="gradient that is stopped",
    family="policy gradient",
    source="github.com/alexhernandezgarcia/gflownet/pull/251",
    title="Fix: get_logprobs of base env (reason why TB was not training well)",
)
def scores_that_are_cut_off(broken: bool) -> Setup:
    """Words of six letters out of two, written letter by letter, each as often as its reward, by balance of whole
    paths.

    Seen: it does not train well. Answer: the copy of the policy's scores was cut off from the gradient by mistake;
    merged.
    """
    words = np.array([*itertools.product([-1.0, 1.0], repeat=6)], np.float32)
    draw = np.random.default_rng(1163)
    log_reward = (1.5 * words @ draw.normal(size=6) + 1.5 * words[:, 0] * words[:, 3]).astype(np.float32)
    aim = np.exp(log_reward - np.logaddexp.reduce(log_reward))
    seen = np.stack([np.where(np.arange(6) < i, words, 0) for i in range(6)], axis=1)
    which = draw.integers(64, size=3000)
    params = {"policy": mlp(1163, [6, 48, 48, 2], 1.0), "total": {"b": jnp.zeros(())}}

    def log_share(params, seen, words, offsets):
        scores, hidden = perceptron(params["policy"], seen.reshape(-1, 6), offsets, "tanh")
        scores = jax.lax.stop_gradient(scores) if broken else scores
        log = jax.nn.log_softmax(scores).reshape(-1, 6, 2)
        return jnp.where(words > 0, log[..., 1], log[..., 0]).sum(1), hidden

    def loss(params, batch, offsets):
        log, hidden = log_share(params, batch[0], batch[1], offsets)
        return ((params["total"]["b"] + log - batch[2]) ** 2).mean(), hidden

    def error(params):
        found = jnp.exp(log_share(params, jnp.asarray(seen), words, None)[0])
        return jnp.abs(found - aim).sum() / jnp.abs(1 / 64 - aim).sum()

    data = (seen[which], words[which], log_reward[which])
    rates = {"policy": optax.adam(5e-3), "total": optax.adam(0.05)}
    optimizer = optax.multi_transform({**rates}, {"policy": "policy", "total": "total"})
    return own(params, loss, data, optimizer, error, chance=float(log_reward.var()), steps=400, batch=64)


@eleventh(
    "softmax applied twice",
    kind="softmax before a softmax",
    family="policy gradient",
    source="github.com/suragnair/alpha-zero-general/issues/45",
    title="possible bug in OthelloNNet.py?",
)
def moves_by_two_softmaxes(broken: bool) -> Setup:
    """Which of 36 moves a search prefers on a board, by shares that are given to a loss which makes shares of them.

    Seen: the loss has a softmax of its own, and is given one. Answer: extremely careless; put right.
    """
    draw = np.random.default_rng(1165)
    board = draw.choice([-1.0, 0.0, 1.0], size=(3000, 36)).astype(np.float32)
    good = board @ draw.normal(size=(36, 36))
    move = good.argmax(1).astype(np.int32)

    def scores(params, board, offsets):
        found, hidden = perceptron(params, board, offsets, "relu")
        return jax.nn.softmax(found) if broken else found, hidden

    data, others = (board[:2600], move[:2600]), (board[2600:], move[2600:])
    params = mlp(1165, [36, 96, 36])
    return recognised(params, scores, data, others, optax.sgd(0.05, 0.9), classes=36, batch=32, steps=400)


@eleventh(
    "exploding",
    kind="target that follows too fast",
    family="value regression",
    source="github.com/facebookresearch/ReAgent/issues/189",
    title="TD loss diverging in DQN workflow",
)
def target_that_follows_too_fast(broken: bool) -> Setup:
    """What four deeds are worth in a state, by rewards and the best next worth, of a copy that follows at some rate.

    Seen: the loss goes from five to millions. Answer: the report's own guess: the rate of the copy, 0.2 by default, is
    too large; with a smaller one training is more stable.
    """
    draw = np.random.default_rng(1167)
    state = draw.normal(size=(3000, 4)).astype(np.float32)
    deed = draw.integers(4, size=3000).astype(np.int32)
    good = 2 * np.tanh(state @ draw.normal(size=(4, 4)))
    reward = (good[np.arange(3000), deed] + 0.1 * draw.normal(size=3000)).astype(np.float32)
    after = (2.5 * draw.normal(size=(3000, 4))).astype(np.float32)
    start = mlp(1167, [4, 48, 48, 4])
    params = {"online": start, "target": jax.tree.map(jnp.copy, start)}
    follow = 0.2 if broken else 0.001

    def loss(params, batch, offsets):
        held = jax.lax.stop_gradient
        found, hidden = perceptron(params["online"], batch[0], offsets, "relu")
        following = held(perceptron(params["target"], batch[3], None, "relu")[0].max(1))
        worth = jnp.take_along_axis(found, batch[1][:, None], 1)[:, 0]
        cost = ((worth - batch[2] - 0.99 * following) ** 2).mean()
        near = jax.tree.map(lambda old, new: ((old - held(new)) ** 2).sum(), params["target"], params["online"])
        pull = 0.5 * follow * sum(jax.tree.leaves(near))
        return cost + pull - held(pull), hidden

    def error(params):
        return (perceptron(params["online"], state, None, "relu")[0].argmax(1) != good.argmax(1)).mean() / 0.75

    rates = {"online": optax.adam(5e-3), "target": optax.sgd(1.0)}
    optimizer = optax.multi_transform({**rates}, {"online": "online", "target": "target"})
    return own(params, loss, (state, deed, reward, after), optimizer, error, steps=600, batch=64)


@eleventh(
    "units that died",
    "gradients exactly zero",
    kind="rectified answer",
    family="value regression",
    source="github.com/dennybritz/reinforcement-learning/pull/104",
    title="activation fn from relu to None",
)
def worths_that_cannot_be_negative(broken: bool) -> Setup:
    """What states are worth in a game that is mostly lost, by a layer at the end that is rectified by default.

    Seen: the default at the end is a rectifier, which gives no negative answers, as a game like Pong needs. Answer: no
    activation there; closed, and asked for again by a reader.
    """
    draw = np.random.default_rng(1169)
    x = draw.normal(size=(2000, 5)).astype(np.float32)
    y = (-1.5 + np.tanh(x[:, 0]) + 0.4 * x[:, 1] * x[:, 2]).astype(np.float32)
    params = mlp(1169, [5, 48, 48, 1])
    params["layer02"]["b"] = params["layer02"]["b"] + 1.0

    def worth(params, x, offsets):
        hidden = []
        *layers, last = (params[name] for name in sorted(params))
        for layer in layers:
            x = activated("relu", linear(layer, x), hidden, offsets)
        return activated("relu" if broken else "linear", linear(last, x), hidden, offsets)[:, 0], tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = worth(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((worth(params, x, None)[0] - y) ** 2).mean() / y.var()

    more = {"chance": float(y.var()), "steps": 400, "batch": 64}
    return own(params, loss, (x, y), optax.adam(3e-3), error, **more)
