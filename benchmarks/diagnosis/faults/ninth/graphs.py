"""Networks on graphs: coordinates that are added up, and a rate."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, dense, linear
from faults.problems import own
from faults.registry import Setup, ninth
from faults.seventh.graphs import GROUPS, WIDTH, asked, groups


@ninth(
    "exploding",
    "first loss too large",
    kind="sum where a mean is meant",
    family="graph",
    source="github.com/lucidrains/egnn-pytorch/issues/7",
    title="EGNN explodes for larger problems",
)
def coordinates_that_are_added_up(broken: bool) -> Setup:
    """Where twenty points go, by four layers that add to each the weighted differences from all others.

    Seen: it is almost impossible to keep it from exploding; weights for a hundred nodes are never comparable to those
    for ten. Answer: normalise the differences, and their weights.
    """
    draw = np.random.default_rng(621)
    nodes, depth = 20, 4
    x = draw.normal(size=(800, nodes, 3)).astype(np.float32)
    y = x - 0.6 * (x - x.mean(1, keepdims=True)) + 0.3 * np.roll(x, 1, 2)
    move = (y - x).astype(np.float32)
    keys = jax.random.split(jax.random.key(621), 2 * depth)
    params = {
        f"layer{i}": {"one": dense(keys[2 * i], 1, 16), "two": dense(keys[2 * i + 1], 16, 1, 1.0)} for i in range(depth)
    }
    params["turn"] = dense(jax.random.key(622), 3, 3, 0.1)

    def moved(params, x, offsets):
        hidden, at = [], x
        for i in range(depth):
            layer = params[f"layer{i}"]
            apart = at[:, :, None] - at[:, None]
            far = (apart**2).sum(-1, keepdims=True)
            weight = linear(layer["two"], jax.nn.silu(linear(layer["one"], jnp.log1p(far))))
            unit = apart / (jnp.sqrt(far + 1e-6) + 1)
            step = (apart * weight).sum(2) if broken else (unit * weight).mean(2)
            at = activated("linear", at + step, hidden, offsets)
        return at - x + linear(params["turn"], x), tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = moved(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((moved(params, x[600:], None)[0] - move[600:]) ** 2).mean() / move.var()

    data = (x[:600], move[:600])
    return own(params, loss, data, optax.adam(3e-3), error, chance=float(move.var()), steps=200, batch=16)


@ninth(
    "learning rate too large",
    kind="rate",
    family="graph",
    source="github.com/pyg-team/pytorch_geometric/issues/791",
    title="Sudden drop in test accuracy",
)
def accuracy_that_drops(broken: bool) -> Setup:
    """The groups of nodes by three averages over neighbours, at a rate ten times as large as one that works.

    Seen: the accuracy suddenly drops, and the loss explodes. Answer: of readers, a smaller rate, with which it works
    for all epochs.
    """
    joined, x, group = groups(300, 624, 0.08, 0.01)
    x = (0.6 * x).astype(np.float32)
    whole = joined + np.eye(len(joined), dtype=np.float32)
    mean = (whole / whole.sum(1, keepdims=True)).astype(np.float32)
    keys = jax.random.split(jax.random.key(624), 4)
    params = {f"layer{i:02d}": dense(keys[i], WIDTH if i else 8, WIDTH) for i in range(3)}
    params["out"] = dense(keys[3], WIDTH, GROUPS, 1.0)

    def scores(params, offsets):
        hidden, h = [], x
        for name in ("layer00", "layer01", "layer02"):
            h = activated("leaky_relu", linear(params[name], mean @ h), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    return asked(params, group, scores, optax.sgd(1.0 if broken else 0.1, 0.9), steps=200)
