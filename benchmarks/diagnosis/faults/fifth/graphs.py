"""Networks on graphs: edges that are learned, snapshots, matchings, tastes."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fourth.graphs import atoms, layers
from faults.nets import activated, dense, linear, mlp
from faults.problems import cross_entropy, own
from faults.registry import Setup, fifth

NODES = 8


@fifth(
    "frozen",
    "gradients exactly zero",
    kind="gradient that is cut off",
    family="graph",
    source="github.com/queenie88/A-GCN/issues/4",
    title="Question about gradient flow",
)
def edges_held_still(broken: bool) -> Setup:
    """What each node asks of the node that has its key, over edges that are learned, and handed on as constants.

    Seen: the adjacency matrix is detached, so that its weights cannot be updated. Answer: the detach has to go.
    """
    draw = np.random.default_rng(0)
    key = draw.normal(size=(1500, NODES, 4))
    asked = np.stack([draw.permutation(NODES) for _ in key])
    value = draw.normal(size=(1500, NODES))
    question = np.take_along_axis(key, asked[..., None], 1)
    nodes = np.concatenate([key, question, value[..., None]], axis=2).astype(np.float32)
    answer = np.take_along_axis(value, asked, 1).astype(np.float32)
    keys = jax.random.split(jax.random.key(0), 4)
    params = {
        "phi": dense(keys[0], 9, 16, 1.0),
        "theta": dense(keys[1], 9, 16, 1.0),
        "layer": dense(keys[2], 9, 24, 1.0),
        "out": dense(keys[3], 24, 1, 1.0),
    }

    def answered(params, nodes, offsets):
        hidden = []
        score = jnp.einsum("nid,njd->nij", linear(params["phi"], nodes), linear(params["theta"], nodes))
        joined = jax.nn.softmax(score)
        joined = jax.lax.stop_gradient(joined) if broken else joined
        h = activated("tanh", linear(params["layer"], joined @ nodes), hidden, offsets)
        return linear(params["out"], h)[..., 0], tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = answered(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((answered(params, nodes[:300], None)[0] - answer[:300]) ** 2).mean() / answer.var()

    more = {"chance": float(answer.var()), "steps": 600, "batch": 64}
    return own(params, loss, (nodes, answer), optax.adam(1e-2), error, **more)


@fifth(
    "constant answer",
    kind="shapes that are broadcast",
    family="graph",
    source="github.com/benedekrozemberczki/pytorch_geometric_temporal/pull/233",
    title="Fix numerical bug in introduction.rst examples",
)
def nodes_of_a_snapshot(broken: bool) -> Setup:
    """Cases in forty counties, whose forecasts of shape [N, 1] are compared with counts of shape [N].

    Seen: the difference is broadcast to [N, N]. Answer: squeeze the forecasts.
    """
    draw = np.random.default_rng(1)
    upper = np.triu(draw.random((40, 40)) < 0.05, 1)
    joined = upper + upper.T + np.eye(40)
    joined = (joined / joined.sum(1, keepdims=True)).astype(np.float32)
    series = [draw.normal(size=40)]
    for _ in range(803):
        series.append(0.5 * np.tanh(joined @ series[-1]) + draw.normal(size=40))
    series = np.stack(series).astype(np.float32)
    x = np.stack([series[i : i + 800] for i in range(4)], axis=2)
    y = np.tanh(1.5 * series[3:803] @ joined.T).astype(np.float32)

    def forecast(params, x, offsets):
        h, hidden = atoms(params, joined, x, offsets, "tanh")
        return linear(params["out"], h), hidden

    def loss(params, batch, offsets):
        found, hidden = forecast(params, batch[0], offsets)
        counts = batch[1][:, None] if broken else batch[1][..., None]
        return ((found - counts) ** 2).mean(), hidden

    def error(params):
        return ((forecast(params, x[:300], None)[0][..., 0] - y[:300]) ** 2).mean() / y.var()

    more = {"chance": float(y.var()), "steps": 400, "batch": 32}
    return own(layers(1, 1, 1), loss, (x, y), optax.adam(5e-3), error, **more)


@fifth(
    "softmax applied twice",
    kind="softmax before a softmax",
    family="graph",
    source="github.com/mlelarge/graph_neural_net/pull/37",
    title="Fix bug softmax",
)
def matching_of_two_graphs(broken: bool) -> Setup:
    """Which node of one graph is which of another, by a softmax of likenesses before a loss that has one.

    Seen: a softmax before the cross-entropy. Answer: remove it.
    """
    draw = np.random.default_rng(2)
    upper = np.triu(draw.random((600, 16, 16)) < 0.3, 1)
    one = (upper + upper.swapaxes(1, 2)).astype(np.float32)
    order = np.stack([draw.permutation(16) for _ in one])
    two = np.take_along_axis(np.take_along_axis(one, order[:, :, None], 1), order[:, None], 2)
    marks = draw.normal(size=(600, 16, 4))
    x = (marks + 0.1 * draw.normal(size=marks.shape)).astype(np.float32)
    moved = np.take_along_axis(marks, order[..., None], 1)
    z = (moved + 0.1 * draw.normal(size=marks.shape)).astype(np.float32)
    label = np.argsort(order, axis=1).astype(np.int32)

    def loss(params, batch, offsets):
        left, right = (atoms(params, 0.3 * g, nodes, None, "tanh")[0] for g, nodes in (batch[:2], batch[2:4]))
        hidden = []
        left = activated("linear", linear(params["out"], left), hidden, offsets)
        scores = jnp.einsum("nid,njd->nij", left, linear(params["out"], right))
        return cross_entropy(jax.nn.softmax(scores) if broken else scores, batch[4]), tuple(hidden)

    data = (one, x, two, z, label)
    chance = float(np.log(16))

    def error(params):
        return loss(params, tuple(each[:200] for each in data), None)[0] / chance

    return own(layers(2, 1, 16), loss, data, optax.adam(5e-3), error, chance=chance, steps=400, batch=32)


@fifth(
    "not-a-number loss",
    "not-a-number gradients",
    kind="logarithm of zero",
    family="graph",
    source="github.com/xiangwang1223/neural_graph_collaborative_filtering/issues/17",
    title="How to solve loss is NAN?",
)
def tastes_by_their_neighbours(broken: bool) -> Setup:
    """Who likes what, by embeddings that are summed over neighbours; the loss is the logarithm of a logistic function.

    Seen: the loss is NaN. Answer: a smaller rate, or a softplus of minus the difference.
    """
    draw = np.random.default_rng(3)
    people, things = draw.normal(size=(60, 2)), draw.normal(size=(80, 2))
    likes = people @ things.T + 0.5 * draw.normal(size=(60, 80))
    known = (likes > 1).astype(np.float32)
    who = draw.integers(60, size=4000)
    better, worse = draw.integers(80, size=(2, 4000))
    better, worse = (
        np.where(likes[who, better] > likes[who, worse], *pair) for pair in ((better, worse), (worse, better))
    )
    data = tuple(each.astype(np.int32) for each in (who, better, worse))
    keys = jax.random.split(jax.random.key(3), 2)
    params = {
        "person": {"w": 0.7 * jax.random.normal(keys[0], (60, 16))},
        "thing": {"w": 0.7 * jax.random.normal(keys[1], (80, 16))},
    }

    def apart(params, batch, offsets):
        hidden = []
        p, t = params["person"]["w"], params["thing"]["w"]
        p, t = p + known @ t, t + known.T @ p
        chosen = activated("linear", p[batch[0]], hidden, offsets)
        return (chosen * (t[batch[1]] - t[batch[2]])).sum(1), tuple(hidden)

    def loss(params, batch, offsets):
        more, hidden = apart(params, batch, offsets)
        each = -jnp.log(jax.nn.sigmoid(more)) if broken else jax.nn.softplus(-more)
        return each.mean(), hidden

    def error(params):
        more = apart(params, data, None)[0]
        return jnp.where(jnp.isnan(more), 1.0, more <= 0).mean() * 2

    chance = float(np.log(2))
    return own(params, loss, data, optax.adam(0.05), error, chance=chance, steps=400, batch=256)


@fifth(
    "frozen",
    kind="optimizer of nothing",
    family="graph",
    source="github.com/ACEsuit/mace/pull/1529",
    title="Register all parameters in optimizer groups explicitly",
)
def modules_without_a_group(broken: bool) -> Setup:
    """Energies of molecules, whose embedding of distances is in no group of the optimizer and stays as it began.

    Seen: modules that the list of groups does not know are silently left out. Answer: register all of them by name.
    """
    draw = np.random.default_rng(4)
    places = draw.uniform(-1.5, 1.5, size=(1500, 5, 2))
    apart = np.linalg.norm(places[:, :, None] - places[:, None], axis=-1)
    r = apart[:, *np.triu_indices(5, 1)].astype(np.float32)
    truth = np.sin(4 * r).sum(1)
    truth = ((truth - truth.mean()) / truth.std()).astype(np.float32)
    params = {"radial": mlp(5, [1, 32, 1], 1.0), "readout": mlp(6, [1, 16, 1], 1.0)}

    def energy(params, r, offsets):
        hidden = []
        h = activated("tanh", linear(params["radial"]["layer00"], 2 * r[..., None] - 3), hidden, offsets)
        felt = linear(params["radial"]["layer01"], h).sum(1)
        h = activated("tanh", linear(params["readout"]["layer00"], felt), hidden, offsets)
        return linear(params["readout"]["layer01"], h)[:, 0], tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = energy(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((energy(params, r[:300], None)[0] - truth[:300]) ** 2).mean()

    groups = {"radial": "unknown" if broken else "known", "readout": "known"}
    optimizer = optax.multi_transform({"known": optax.adam(1e-2), "unknown": optax.set_to_zero()}, groups)
    return own(params, loss, (r, truth), optimizer, error, chance=1.0, steps=800, batch=64)
