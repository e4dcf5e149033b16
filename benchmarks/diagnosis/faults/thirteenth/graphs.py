"""Networks on graphs: arrows of no direction, layers in a list, a large decay, many averages, many numbers a node."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.eleventh.graphs import related
from faults.nets import activated, dense, linear
from faults.problems import classified, cross_entropy, own
from faults.registry import Setup, thirteenth
from faults.seventh.graphs import asked


def communities(seed: int, count: int = 300, kinds: int = 4, inside: float = 0.08, outside: float = 0.008):
    """Nodes of some kinds that know each other's kind more often: kinds, features, and who is joined to whom."""
    draw = np.random.default_rng(seed)
    kind = draw.integers(kinds, size=count).astype(np.int32)
    upper = np.triu(draw.random((count, count)) < np.where(kind[:, None] == kind, inside, outside), 1)
    joined = (upper + upper.T + np.eye(count)).astype(np.float32)
    x = (np.eye(kinds)[kind] + 0.8 * draw.normal(size=(count, kinds))).astype(np.float32)
    return kind, x, joined


@thirteenth(
    "not-a-number gradients",
    "not-a-number loss",
    kind="direction of nothing",
    family="graph",
    source="github.com/FlyingGiraffe/vnn/pull/4",
    title="avoiding nan",
)
def arrows_of_no_direction(broken: bool) -> Setup:
    """How a point is drawn by its neighbours in space, by arrows that are divided by their root of squares.

    Seen: where an arrow is zero, the layer gives NaN. Answer: a small number in it, and a norm in the place of the
    root, which protects the gradient; merged.
    """
    draw = np.random.default_rng(1331)
    count, points = 900, 6
    at = draw.normal(size=(count, points, 3))
    at[::15, 1:] = at[::15, :1]
    arrows = (at - at[:, :1])[:, 1:].astype(np.float32)
    pull = (arrows * np.exp(-(arrows**2).sum(-1, keepdims=True) / 4)).sum(1)
    y = (pull / pull.std()).astype(np.float32)
    keys = jax.random.split(jax.random.key(1331), 3)
    params = {"mix": dense(keys[0], 5, 16, 1.0), "gate": dense(keys[1], 16, 16, 1.0), "out": dense(keys[2], 16, 1, 1.0)}

    def found(params, arrows, offsets):
        hidden = []
        near = arrows * jnp.exp(-(arrows**2).sum(-1, keepdims=True) / 4)
        mixed = jnp.einsum("npd,pc->ncd", near, params["mix"]["w"])
        squares = (mixed**2).sum(-1)
        length = jnp.sqrt(squares) + 1e-6 if broken else jnp.sqrt(squares + 1e-6)
        new = activated("tanh", linear(params["gate"], length), hidden, offsets) + length
        turned = mixed / length[..., None] * new[..., None]
        return jnp.einsum("ncd,co->nd", turned, params["out"]["w"]), tuple(hidden)

    def loss(params, batch, offsets):
        answer, hidden = found(params, batch[0], offsets)
        return ((answer - batch[1]) ** 2).mean(), hidden

    def error(params):
        wrong = ((found(params, arrows[600:], None)[0] - y[600:]) ** 2).mean() / y[600:].var()
        return jnp.nan_to_num(wrong, nan=1.0)

    return own(params, loss, (arrows[:600], y[:600]), optax.adam(1e-2), error, chance=1.0, steps=250, batch=32)


@thirteenth(
    "frozen",
    kind="layers in a list",
    family="graph",
    source="github.com/qbxlvnf11/graph-neural-networks-for-graph-classification/pull/3",
    title="Modifying way of store layers",
)
def graph_layers_in_a_list(broken: bool) -> Setup:
    """Which of four kinds a graph is of, by two layers over its neighbours, kept in a list, and a linear one behind.

    Seen: layers of a list are not counted among the parameters, and their weights do not change; the model is a linear
    one. Answer: the report's own: a list of modules; open.
    """
    draw, share = related(1333)
    x = draw.normal(size=(1500, 12, 8)).astype(np.float32)
    felt = np.tanh(1.5 * share @ (x @ draw.normal(size=(8, 2)) / 2)).mean(1)
    high = felt > np.median(felt, axis=0)
    kind = (2 * high[:, 0] + high[:, 1]).astype(np.int32)
    keys = jax.random.split(jax.random.key(1334), 3)
    params = {"one": dense(keys[0], 8, 2, 1.0), "two": dense(keys[1], 2, 4, 1.0), "out": dense(keys[2], 4, 4, 1.0)}

    def scores(params, x, share, offsets):
        hidden = []
        h = activated("tanh", share @ linear(params["one"], x), hidden, offsets)
        h = activated("tanh", linear(params["two"], h), hidden, offsets)
        return linear(params["out"], h.mean(1)), tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], batch[1], offsets)
        return cross_entropy(found, batch[2]), hidden

    right = jax.jit(lambda params: (scores(params, x[1200:], share[1200:], None)[0].argmax(-1) == kind[1200:]).mean())
    rates = {"list": optax.set_to_zero() if broken else optax.adam(2e-2), "model": optax.adam(2e-2)}
    optimizer = optax.multi_transform({**rates}, {"one": "list", "two": "list", "out": "model"})
    data = (x[:1200], share[:1200], kind[:1200])
    return classified(params, loss, data, optimizer, right, classes=4, batch=64, steps=300)


@thirteenth(
    "vanishing in training",
    "collapse",
    kind="decay of the weights",
    family="graph",
    source="github.com/OpenXAIProject/GNNExplainer-Tutorial/issues/1",
    title="Small typo on optimizer",
)
def decay_copied_ten_times_too_large(broken: bool) -> Setup:
    """Which of four kinds nodes are of, by three layers over their neighbours, with a decay, or one a tenth as large.

    Seen: the decay was copied wrongly, and is very big. Answer: the report's own: a tenth of it doubles the accuracy.
    """
    kind, x, joined = communities(1335)
    share = joined / joined.sum(1, keepdims=True)
    keys = jax.random.split(jax.random.key(1335), 4)
    params = {"one": dense(keys[0], 4, 16, 2.0), "two": dense(keys[1], 16, 16, 2.0)}
    params |= {"three": dense(keys[2], 16, 16, 2.0), "out": dense(keys[3], 16, 4, 1.0)}

    def scores(params, offsets):
        hidden, h = [], x
        for name in ("one", "two", "three"):
            h = activated("tanh", linear(params[name], share @ h), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    optimizer = optax.chain(optax.add_decayed_weights(0.5 if broken else 0.05), optax.adam(1e-2))
    return asked(params, kind, scores, optimizer, batch=64, steps=300)


@thirteenth(
    "collapse",
    kind="averages of averages",
    family="graph",
    source="github.com/kenziyuliu/MS-G3D/issues/53",
    title="About over-smoothing",
)
def averages_of_averages(broken: bool) -> Setup:
    """Which of four kinds nodes are of, by twelve layers over their neighbours, or by two that see three reaches.

    Seen: whether deep graph convolutions smooth too much. Answer: that occurs where many layers are stacked, since
    features of neighbours become too similar; branches of several scales lie side by side here, and others between.
    """
    kind, x, joined = communities(1337, inside=0.15, outside=0.05)
    share = joined / joined.sum(1, keepdims=True)
    deep = 12
    keys = jax.random.split(jax.random.key(1337), deep + 1)
    params = {f"layer{i:02d}": dense(keys[i], 16 if i else 4, 16, 1.0) for i in range(deep)}
    if not broken:
        params = {f"layer{i:02d}": dense(keys[i], 16 if i else 12, 16, 1.0) for i in range(2)}
    params["out"] = dense(keys[-1], 16, 4, 1.0)
    reaches = np.concatenate([x, share @ x, share @ (share @ x)], axis=1)

    def scores(params, offsets):
        hidden, h = [], x if broken else reaches
        for name in sorted(name for name in params if name != "out"):
            h = activated("tanh", linear(params[name], share @ h if broken else h), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    return asked(params, kind, scores, optax.sgd(0.05, 0.9), batch=64, steps=200)


@thirteenth(
    "learned by heart",
    kind="many numbers a node",
    family="graph",
    source="github.com/tkipf/gae/issues/3",
    title="epochs to train:200 vs.1000",
)
def many_numbers_a_node(broken: bool) -> Setup:
    """Which nodes are joined, by an inner product of what two layers give for each of them, with a decay or without.

    Seen: after a thousand epochs links of the training are found more often than after two hundred, and others less
    often. Answer: there is some overfitting; stop early, or regularise.
    """
    draw = np.random.default_rng(1339)
    count = 90
    at = draw.normal(size=(count, 2))
    near = at @ at.T + 0.3 * draw.normal(size=(count, count))
    one, two = np.triu_indices(count, 1)
    order = draw.permutation(len(one))
    one, two = one[order].astype(np.int32), two[order].astype(np.int32)
    y = (near[one, two] > 0).astype(np.float32)
    seen = 500
    keys = jax.random.split(jax.random.key(1339), 2)
    params = {"node": {"w": jax.random.normal(keys[0], (count, 24))}, "mix": dense(keys[1], 24, 24, 1.0)}

    def found(params, one, two, offsets):
        hidden = []
        first = activated("tanh", linear(params["mix"], params["node"]["w"][one]), hidden, offsets)
        second = activated("tanh", linear(params["mix"], params["node"]["w"][two]), hidden, offsets)
        return (first * second).sum(-1), tuple(hidden)

    def loss(params, batch, offsets):
        score, hidden = found(params, batch[0], batch[1], offsets)
        return optax.sigmoid_binary_cross_entropy(score, batch[2]).mean(), hidden

    right = jax.jit(lambda params: ((found(params, one[seen:], two[seen:], None)[0] > 0) == (y[seen:] > 0)).mean())
    decay = optax.identity() if broken else optax.add_decayed_weights(6e-3)
    optimizer = optax.chain(decay, optax.adam(1e-2))
    data = (one[:seen], two[:seen], y[:seen])
    return classified(params, loss, data, optimizer, right, classes=2, batch=64, steps=400)
