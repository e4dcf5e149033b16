"""Networks on graphs."""

import jax
import numpy as np
import optax

from faults.nets import activated, dense, linear
from faults.problems import classified
from faults.registry import Setup, second

NODES, GROUPS, FEATURES, WIDTH = 200, 4, 12, 24


def _communities():
    """Nodes of four groups, mostly joined to their own, with features that hint at the group."""
    draw = np.random.default_rng(0)
    group = draw.integers(GROUPS, size=NODES)
    likely = np.where(group[:, None] == group[None], 0.2, 0.05)
    upper = np.triu(draw.random((NODES, NODES)) < likely, 1)
    joined = (upper + upper.T + np.eye(NODES)).astype(np.float32)
    features = draw.normal(size=(NODES, FEATURES)) + 1.0 * np.eye(FEATURES)[group]
    return joined, features.astype(np.float32), group.astype(np.int32)


def _run(joined, depth: int, skip: bool, optimizer) -> Setup:
    """A stack of graph convolutions over all nodes; half of the nodes are asked for, and the others judged."""
    _, x, group = _communities()
    keys = jax.random.split(jax.random.key(1), depth + 1)
    params = {f"layer{i:02d}": dense(keys[i], WIDTH if i else FEATURES, WIDTH) for i in range(depth)}
    params["out"] = dense(keys[-1], WIDTH, GROUPS, 1.0)
    asked = np.arange(NODES) % 2 == 0

    def forward(params, x, offsets):
        hidden = []
        for i in range(depth):
            h = activated("relu", linear(params[f"layer{i:02d}"], joined @ x), hidden, offsets)
            x = x + h / depth**0.5 if skip and i else h
        return linear(params["out"], x), tuple(hidden)

    def loss(params, batch, offsets):
        logits, hidden = forward(params, batch[0], offsets)
        each = optax.softmax_cross_entropy_with_integer_labels(logits, batch[1])
        return (each * asked).sum() / asked.sum(), hidden

    right = jax.jit(lambda params: ((forward(params, x, None)[0].argmax(-1) == group) * ~asked).sum() / (~asked).sum())
    return classified(
        params,
        loss,
        (x, group),
        optimizer,
        right,
        classes=GROUPS,
        steps=200,
    )


@second(
    "exploding",
    "first loss too large",
    kind="norm that is left out",
    family="graph",
    source="github.com/alibaba/graph-learn/issues/153",
    title="GCN实现有误",
)
def sum_over_neighbours(broken: bool) -> Setup:
    """Graph convolutions that add up some twenty neighbours without a norm, six times over."""
    joined = _communities()[0]
    degree = joined.sum(1)
    return _run(joined if broken else joined / np.sqrt(degree[:, None] * degree), 6, True, optax.sgd(0.05, 0.9))


@second(
    "collapse",
    kind="too many averages",
    family="graph",
    source="github.com/DropEdge/DropEdge/issues/8",
    title="Performance of 8-layer GCN",
)
def averaged_to_sameness(broken: bool) -> Setup:
    """So many averages over neighbours that all nodes look alike."""
    joined = _communities()[0]
    return _run(joined / joined.sum(1, keepdims=True), 16, not broken, optax.adam(1e-3))
