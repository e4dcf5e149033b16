"""Networks on graphs: nodes in another order than their edges, nodes without edges, tables that nobody
trains, counts."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.eleventh.graphs import related
from faults.nets import activated, dense, linear
from faults.problems import own, recognised
from faults.registry import Setup, twelfth
from faults.seventh.graphs import asked


@twelfth(
    "constant answer",
    kind="order of the nodes",
    family="graph",
    source="github.com/qitianwu/NodeFormer/issues/7",
    title="BUG: x_i doesn't match edge_index_i in main-batch.py",
)
def edges_of_other_nodes(broken: bool) -> Setup:
    """What the neighbours of each node amount to, where nodes were shuffled, and their edges were or were not.

    Seen: nodes of a batch are in random order, while its edges keep the old one, so that they do not match. Answer:
    relabel edges by the same order, as the report does.
    """
    draw, share = related(1231)
    x = draw.normal(size=(1500, 12, 3))
    near = (share - np.eye(12) * share.diagonal(0, 1, 2)[:, :, None]) / share.max(2, keepdims=True)
    felt = np.tanh(near @ x @ draw.normal(size=3))
    felt = (felt - felt.mean()) / felt.std()
    order = np.argsort(draw.random((1500, 12)), axis=1)
    row = np.arange(1500)[:, None]
    x, felt = x[row, order].astype(np.float32), felt[row, order].astype(np.float32)
    if not broken:
        near = near[row[:, :, None], order[:, :, None], order[:, None]]
    keys = jax.random.split(jax.random.key(1231), 2)
    params = {"one": dense(keys[0], 6, 32), "out": dense(keys[1], 32, 1, 1.0)}
    near = near.astype(np.float32)

    def found(params, x, near, offsets):
        hidden = []
        h = activated("relu", linear(params["one"], jnp.concatenate([x, near @ x], axis=2)), hidden, offsets)
        return linear(params["out"], h)[..., 0], tuple(hidden)

    def loss(params, batch, offsets):
        answer, hidden = found(params, batch[0], batch[1], offsets)
        return ((answer - batch[2]) ** 2).mean(), hidden

    def error(params):
        return ((found(params, x[1200:], near[1200:], None)[0] - felt[1200:]) ** 2).mean() / felt[1200:].var()

    data = (x[:1200], near[:1200], felt[:1200])
    return own(params, loss, data, optax.adam(5e-3), error, chance=1.0, steps=300, batch=32)


@twelfth(
    "not-a-number loss",
    "not-a-number gradients",
    kind="nodes without edges",
    family="graph",
    source="github.com/mlx-graphs/mlx-graphs/pull/18",
    title="Add suport for inf values in GCN",
)
def degrees_of_zero(broken: bool) -> Setup:
    """Which of four kinds nodes are of, by two sums over neighbours that are divided by roots of degrees.

    Seen: nodes without edges have an infinite weight. Answer: a small number in the degree; merged.
    """
    draw = np.random.default_rng(1233)
    count = 300
    kind = draw.integers(4, size=count).astype(np.int32)
    alike = kind[:, None] == kind
    upper = np.triu(draw.random((count, count)) < np.where(alike, 0.05, 0.005), 1)
    joined = (upper + upper.T).astype(np.float32)
    alone = draw.choice(count, 12, replace=False)
    joined[alone], joined[:, alone] = 0, 0
    x = (np.eye(4)[kind] + 0.8 * draw.normal(size=(count, 4))).astype(np.float32)
    keys = jax.random.split(jax.random.key(1233), 3)
    params = {"one": dense(keys[0], 4, 16), "two": dense(keys[1], 16, 16), "out": dense(keys[2], 16, 4, 1.0)}

    def scores(params, offsets):
        degree = jnp.asarray(joined.sum(1))
        root = (degree if broken else degree + 1e-6) ** -0.5
        share = root[:, None] * joined * root
        hidden, h = [], x
        for name in ("one", "two"):
            h = activated("relu", linear(params[name], h + share @ h), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    return asked(params, kind, scores, optax.adam(1e-2), steps=200)


@twelfth(
    "frozen",
    kind="tables in a dictionary",
    family="graph",
    source="github.com/pyg-team/pytorch_geometric/issues/3604",
    title="Issue with GNN using own heterogeneous dataset",
)
def tables_in_a_dictionary(broken: bool) -> Setup:
    """How a reader likes a shelf, by a mean over two numbers that a table has for each book, and a layer behind it.

    Seen: tables for nodes without features are kept in a plain dictionary, and seem not to be updated at all. Answer:
    the report's own suspicion; such tables belong to the model only in a dictionary of its modules.
    """
    draw = np.random.default_rng(1235)
    count, books, held = 3000, 40, 4
    shelf = draw.integers(books, size=(count, held)).astype(np.int32)
    taste = draw.normal(size=(books, 2))
    felt = taste[shelf].sum(1)
    kind = ((felt[:, 0] > np.median(felt[:, 0])) * 2 + (felt[:, 1] > np.median(felt[:, 1]))).astype(np.int32)
    keys = jax.random.split(jax.random.key(1235), 3)
    params = {"books": {"w": jax.random.normal(keys[0], (books, 2))}}
    params |= {"one": dense(keys[1], 2, 32), "out": dense(keys[2], 32, 4, 1.0)}

    def scores(params, shelf, offsets):
        hidden = []
        h = activated("linear", params["books"]["w"][shelf].sum(1), hidden, offsets)
        h = activated("relu", linear(params["one"], h), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    rates = {"model": optax.adam(1e-2), "dictionary": optax.set_to_zero() if broken else optax.adam(2e-2)}
    optimizer = optax.multi_transform({**rates}, {"books": "dictionary", "one": "model", "out": "model"})
    data, others = (shelf[:2500], kind[:2500]), (shelf[2500:], kind[2500:])
    return recognised(params, scores, data, others, optimizer, classes=4, batch=64, steps=500)


@twelfth(
    "far from unit scale",
    kind="counts as they are",
    family="graph",
    source="github.com/benedekrozemberczki/AttentionWalk/pull/10",
    title="modified normalized_adjacency_matrix calculation",
)
def walks_that_are_only_counted(broken: bool) -> Setup:
    """How often walks of up to three steps join two nodes, from the numbers of both, as counts or normalised.

    Seen: the loss on the matrix is extremely large where there are many nodes. Answer: normalise it; merged.
    """
    draw = np.random.default_rng(1237)
    count = 120
    at = draw.uniform(-1, 1, size=(count, 2))
    joined = (np.abs(at[:, None] - at).max(2) < 0.5) & ~np.eye(count, dtype=bool)
    once = joined.astype(float)
    walks = once + once @ once + once @ once @ once
    one, two = (draw.integers(count, size=3000) for _ in range(2))
    x = np.concatenate([at[one], at[two], at[one] - at[two]], axis=1).astype(np.float32)
    y = walks[one, two]
    y = (y if broken else (y - y.mean()) / y.std()).astype(np.float32)
    keys = jax.random.split(jax.random.key(1237), 3)
    params = {"one": dense(keys[0], 6, 32, 1.0), "two": dense(keys[1], 32, 32, 1.0), "out": dense(keys[2], 32, 1, 1.0)}

    def found(params, x, offsets):
        hidden = []
        for name in ("one", "two"):
            x = activated("tanh", linear(params[name], x), hidden, offsets)
        return linear(params["out"], x)[:, 0], tuple(hidden)

    def loss(params, batch, offsets):
        answer, hidden = found(params, batch[0], offsets)
        return ((answer - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((found(params, x[2500:], None)[0] - y[2500:]) ** 2).mean() / y[2500:].var()

    data, chance = (x[:2500], y[:2500]), float(y.var())
    return own(params, loss, data, optax.adam(1e-2), error, chance=chance, steps=300, batch=64)
