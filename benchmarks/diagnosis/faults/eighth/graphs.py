"""Networks on graphs: one softmax too many, and embeddings that end in nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, dense, linear
from faults.problems import cross_entropy, own
from faults.registry import Setup, eighth
from faults.seventh.graphs import WIDTH


def _averages(joined):
    whole = joined + np.eye(joined.shape[-1], dtype=np.float32)
    return (whole / whole.sum(-1, keepdims=True)).astype(np.float32)


def _drawn(draw, count: int, nodes: int, likely: float):
    """Which nodes of some graphs are joined [count, nodes, nodes]."""
    upper = np.triu(draw.random((count, nodes, nodes)) < likely, 1)
    return (upper + upper.swapaxes(1, 2)).astype(np.float32)


@eighth(
    "softmax applied twice",
    kind="softmax before a softmax",
    family="graph",
    source="github.com/bowang-lab/Transformer-GCN-QA/pull/32",
    title="Removes erroneous extra softmax",
)
def candidates_of_an_answer(broken: bool) -> Setup:
    """Which of ten candidates in a graph is the answer, by scores that go through a softmax before the loss has one.

    Seen: a second, erroneous softmax at the output, which likely weakens the gradient. Answer: no softmax; the output
    is linear, and merged.
    """
    draw = np.random.default_rng(441)
    mean = _averages(_drawn(draw, 2000, 10, 0.25))
    x = draw.normal(size=(2000, 10, 6)).astype(np.float32)
    around = mean @ x
    answer = (around[..., 0] + x[..., 1] + 0.5 * around[..., 2]).argmax(1).astype(np.int32)
    keys = jax.random.split(jax.random.key(441), 3)
    params = {"layer00": dense(keys[0], 6, WIDTH), "layer01": dense(keys[1], WIDTH, WIDTH)}
    params["out"] = dense(keys[2], WIDTH, 1, 1.0)

    def scores(params, x, mean, offsets):
        hidden = []
        h = activated("relu", mean @ linear(params["layer00"], x) + linear(params["layer00"], x), hidden, offsets)
        h = activated("relu", linear(params["layer01"], h), hidden, offsets)
        return linear(params["out"], h)[..., 0], tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = scores(params, *batch[:2], offsets)
        return cross_entropy(jax.nn.softmax(found) if broken else found, batch[2]), hidden

    chance = float(np.log(10))

    def error(params):
        return loss(params, (x[1500:], mean[1500:], answer[1500:]), None)[0] / chance

    data = (x[:1500], mean[:1500], answer[:1500])
    return own(params, loss, data, optax.adam(3e-3), error, chance=chance, steps=400, batch=32)


@eighth(
    "units that died",
    "dead units",
    "gradients exactly zero",
    "learning rate too large",
    kind="rectified answer",
    family="graph",
    source="github.com/mlelarge/graph_neural_net/pull/9",
    title="Modif architecture RegularBlock",
)
def nodes_that_are_all_nothing(broken: bool) -> Setup:
    """Which nodes of two graphs are the same, by embeddings that end with a rectifier, and with a linear layer else.

    Seen: the network is trapped in a bad minimum, and its embedding of all nodes is zero. Answer: a last layer without
    a rectifier behind it works quite well; merged.
    """
    draw = np.random.default_rng(442)
    nodes = 10
    mean = _averages(_drawn(draw, 1200, nodes, 0.25))
    x = draw.normal(size=(1200, nodes, 4)).astype(np.float32)
    again = (x + 0.3 * draw.normal(size=x.shape)).astype(np.float32)
    keys = jax.random.split(jax.random.key(442), 3)
    params = {"layer00": dense(keys[0], 4, WIDTH), "layer01": dense(keys[1], WIDTH, WIDTH)}
    params["layer02"] = dense(keys[2], WIDTH, 12, 1.0)

    def embedding(params, x, mean, hidden, offsets):
        h = activated("relu", linear(params["layer00"], x) + mean @ linear(params["layer00"], x), hidden, offsets)
        h = activated("relu", linear(params["layer01"], h), hidden, offsets)
        z = linear(params["layer02"], h)
        return activated("relu", z, hidden, offsets) if broken else z

    def likeness(params, x, again, mean, offsets):
        hidden = []
        one = embedding(params, x, mean, hidden, offsets)
        two = embedding(params, again, mean, hidden, offsets)
        return jnp.einsum("nid,njd->nij", one, two), tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = likeness(params, *batch, offsets)
        return cross_entropy(found, jnp.broadcast_to(jnp.arange(nodes), found.shape[:2])), hidden

    def error(params):
        found = likeness(params, x[:300], again[:300], mean[:300], None)[0]
        return (found.argmax(-1) != jnp.arange(nodes)).mean() / (1 - 1 / nodes)

    chance = float(np.log(nodes))
    return own(params, loss, (x, again, mean), optax.adam(0.12), error, chance=chance, steps=500, batch=16)
