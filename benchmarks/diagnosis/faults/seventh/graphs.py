"""Networks on graphs: nodes that nobody is joined to, weights in a dictionary, many averages."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, dense, linear
from faults.problems import classified, cross_entropy, recognised
from faults.registry import Setup, seventh

GROUPS, WIDTH = 4, 24


def groups(count: int, seed: int, inside: float, outside: float):
    """Which nodes of four groups are joined [count, count], eight features of each, and its group."""
    draw = np.random.default_rng(seed)
    group = draw.integers(GROUPS, size=count)
    likely = np.where(group[:, None] == group[None], inside, outside)
    upper = np.triu(draw.random((count, count)) < likely, 1)
    features = draw.normal(size=(count, 8)) + 1.5 * np.eye(8)[group]
    return (upper + upper.T).astype(np.float32), features.astype(np.float32), group.astype(np.int32)


def asked(params, group, scores, optimizer, *, classes: int = GROUPS, batch: int = 32, **more) -> Setup:
    """The groups of half of all nodes are learned, and those of the others are judged."""
    node = np.arange(len(group), dtype=np.int32)

    def loss(params, batch, offsets):
        found, hidden = scores(params, offsets)
        return cross_entropy(found[batch[0]], batch[1]), hidden

    right = jax.jit(lambda params: (scores(params, None)[0].argmax(-1) == group)[1::2].mean())
    return classified(params, loss, (node[::2], group[::2]), optimizer, right, classes=classes, batch=batch, **more)


@seventh(
    "not-a-number loss",
    "not-a-number gradients",
    kind="division by zero",
    family="graph",
    source="github.com/MrLeeeee/GCN-GAT-and-Graphsage/issues/3",
    title="zero division in Graphsage",
)
def papers_that_nobody_cites(broken: bool) -> Setup:
    """The topics of papers, by what they say beside the mean of those that cite them, which some papers lack.

    Seen: the degree of some nodes might be zero, which makes the loss NaN. Answer: none; the report itself says to add
    a small number to the degree.
    """
    joined, x, group = groups(300, 121, 0.05, 0.005)
    joined[::25] = 0.0
    degree = joined.sum(1, keepdims=True)
    mean = jnp.asarray(joined) / (degree if broken else degree + 1e-5)
    keys = jax.random.split(jax.random.key(121), 3)
    params = {"layer00": dense(keys[0], 16, WIDTH), "layer01": dense(keys[1], 2 * WIDTH, WIDTH)}
    params["out"] = dense(keys[2], WIDTH, GROUPS, 1.0)

    def scores(params, offsets):
        hidden, h = [], x
        for name in ("layer00", "layer01"):
            h = activated("relu", linear(params[name], jnp.concatenate([h, mean @ h], axis=1)), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    return asked(params, group, scores, optax.adam(5e-3), steps=300)


@seventh(
    "frozen",
    "updates not applied",
    kind="layers that are not registered",
    family="graph",
    source="github.com/xiaxin1998/COTREC/issues/15",
    title="About Itemconv and Sessconv",
)
def convolutions_in_a_dictionary(broken: bool) -> Setup:
    """What is bought after a session of other things, by convolutions whose weights are kept in a plain dictionary.

    Seen: the weights are in a dictionary, so that they cannot be found, and would not be trained. Answer: the code was
    updated, and the results are better.
    """
    draw = np.random.default_rng(122)
    subject = draw.normal(size=(60, 12)).astype(np.float32)
    sessions = draw.integers(60, size=(2000, 5)).astype(np.int32)
    liked = np.tanh(subject @ draw.normal(size=(12, 5)))
    bought = liked[sessions].sum(1).argmax(1).astype(np.int32)
    near = np.exp(-((subject[:, None] - subject) ** 2).sum(-1) / 6)
    joined = (near / near.sum(1, keepdims=True)).astype(np.float32)
    keys = jax.random.split(jax.random.key(122), 3)
    params = {"item": dense(keys[0], 12, 32, 1.0), "session": dense(keys[1], 32, 3, 1.0)}
    params["out"] = dense(keys[2], 3, 5, 1.0)

    def scores(params, sessions, offsets):
        hidden = []
        h = activated("tanh", linear(params["item"], joined @ subject + subject), hidden, offsets)
        h = activated("tanh", linear(params["session"], h[sessions].sum(1)), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    known = {name: "known" if name == "out" or not broken else "unknown" for name in params}
    optimizer = optax.multi_transform({"known": optax.adam(1e-2), "unknown": optax.set_to_zero()}, known)
    data = (sessions[:1500], bought[:1500])
    return recognised(params, scores, data, (sessions[1500:], bought[1500:]), optimizer, classes=5, steps=600, batch=64)


@seventh(
    "collapse",
    "vanishing",
    kind="too many averages",
    family="graph",
    source="github.com/yl-1993/learn-to-cluster/issues/23",
    title="为什么不用更深的gcn?",
)
def clusters_by_a_deep_network(broken: bool) -> Setup:
    """Clusters of faces by eighteen layers, each of which is an average over a face and those that are like it.

    Seen: two layers are used, and the question is why no more. Answer: a layer averages over neighbours; deeper ones
    make all nodes alike, and the performance drops.
    """
    joined, x, group = groups(240, 123, 0.2, 0.06)
    whole = joined + np.eye(len(joined), dtype=np.float32)
    mean = jnp.asarray(whole / whole.sum(1, keepdims=True))
    depth = 18 if broken else 2
    keys = jax.random.split(jax.random.key(123), depth + 1)
    params = {f"layer{i:02d}": dense(keys[i], WIDTH if i else 8, WIDTH) for i in range(depth)}
    params["out"] = dense(keys[-1], WIDTH, GROUPS, 1.0)

    def scores(params, offsets):
        hidden, h = [], x
        for i in range(depth):
            h = activated("relu", linear(params[f"layer{i:02d}"], mean @ h), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    return asked(params, group, scores, optax.sgd(0.05, 0.9), steps=200)
