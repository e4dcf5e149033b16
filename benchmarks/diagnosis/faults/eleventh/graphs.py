"""Networks on graphs: numbers as they are, norms of nothing, too much that is frozen, depth."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, dense, linear
from faults.problems import own, recognised
from faults.registry import Setup, eleventh
from faults.seventh.graphs import asked


@eleventh(
    "far from unit scale",
    "saturation",
    kind="scale of the inputs",
    family="graph",
    source="github.com/NNReasoning/What-Can-Neural-Networks-Reason-About/issues/1",
    title="Are you normalizing input data before passing to the model?",
)
def treasures_as_they_are(broken: bool) -> Setup:
    """How far the values of six things are apart at most, by messages between all pairs, from numbers up to a hundred.

    Seen: a network on graphs does not even converge with numbers as they are. Answer: the report's own: with places
    divided by 20, values by 100 and colours by 255 it is right after one epoch.
    """
    draw = np.random.default_rng(1051)
    place, value, colour = (draw.uniform(0, top, size=(1500, 6, 1)) for top in (20, 100, 255))
    x = np.concatenate([place, value, colour], axis=2)
    x = (x if broken else x / np.array([20, 100, 255]) - 0.5).astype(np.float32)
    y = np.ptp(value[..., 0], axis=1)
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    keys = jax.random.split(jax.random.key(1051), 3)
    params = {"one": dense(keys[0], 6, 32, 1.0), "two": dense(keys[1], 32, 32, 1.0), "out": dense(keys[2], 32, 1, 1.0)}

    def found(params, x, offsets):
        hidden = []
        pairs = jnp.concatenate(jnp.broadcast_arrays(x[:, :, None], x[:, None]), axis=-1)
        h = activated("tanh", linear(params["one"], pairs), hidden, offsets)
        h = activated("tanh", linear(params["two"], h).max((1, 2)), hidden, offsets)
        return linear(params["out"], h)[:, 0], tuple(hidden)

    def loss(params, batch, offsets):
        answer, hidden = found(params, batch[0], offsets)
        return ((answer - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((found(params, x[1200:], None)[0] - y[1200:]) ** 2).mean() / y[1200:].var()

    optimizer = optax.sgd(0.05, 0.9)
    return own(params, loss, (x[:1200], y[:1200]), optimizer, error, chance=1.0, steps=300, batch=32)


@eleventh(
    "not-a-number gradients",
    "not-a-number loss",
    kind="norm of nothing",
    family="graph",
    source="github.com/e3nn/e3nn/pull/258",
    title="Fix `NormActivation` NaN gradients; `squared` for `Norm`",
)
def arrows_of_no_length(broken: bool) -> Setup:
    """What atoms in a plane feel, by arrows to their neighbours whose length is gated; some atoms have no neighbours.

    Seen: the gate's gradient is NaN where a norm is zero. Answer: a small number that belongs below the root; merged.
    """
    draw = np.random.default_rng(1053)
    count, atoms = 1000, 6
    at = draw.normal(size=(count, atoms, 2))
    at[::10, 0] += 20.0
    apart = at[:, None] - at[:, :, None]
    near = ((apart**2).sum(-1) < 4) & ~np.eye(atoms, dtype=bool)
    arrows = (apart * near[..., None]).astype(np.float32)
    pull = (arrows * np.exp(-(arrows**2).sum(-1, keepdims=True))).sum(2)
    y = (pull / pull.std()).astype(np.float32)
    keys = jax.random.split(jax.random.key(1053), 3)
    params = {"weigh": dense(keys[0], 1, 16, 2.0), "mix": dense(keys[1], 16, 8, 1.0)}
    params |= {"gate": {"b": jnp.zeros(8), "w": jnp.ones(8)}, "out": dense(keys[2], 8, 1, 1.0)}

    def found(params, arrows, offsets):
        hidden = []
        far = (arrows**2).sum(-1, keepdims=True)
        weight = activated("tanh", linear(params["weigh"], far), hidden, offsets) @ params["mix"]["w"]
        h = jnp.einsum("nijc,nijk->nick", arrows, weight)
        squares = (h**2).sum(2, keepdims=True)
        norm = jnp.sqrt(squares if broken else squares + 1e-8)
        h = h * jax.nn.sigmoid(params["gate"]["w"] * norm + params["gate"]["b"])
        return (h @ params["out"]["w"])[..., 0], tuple(hidden)

    def loss(params, batch, offsets):
        force, hidden = found(params, batch[0], offsets)
        return ((force - batch[1]) ** 2).mean(), hidden

    def error(params):
        wrong = ((found(params, arrows[800:], None)[0] - y[800:]) ** 2).mean() / y[800:].var()
        return jnp.nan_to_num(wrong, nan=1.0)

    return own(params, loss, (arrows[:800], y[:800]), optax.adam(1e-2), error, chance=1.0, steps=300, batch=32)


def related(seed: int, nodes: int = 12, count: int = 1500, dense_share: float = 0.3):
    """Graphs, as shares of neighbours and of the node itself."""
    draw = np.random.default_rng(seed)
    upper = np.triu(draw.random((count, nodes, nodes)) < dense_share, 1)
    joined = (upper | upper.swapaxes(1, 2)) + np.eye(nodes)
    return draw, (joined / joined.sum(2, keepdims=True)).astype(np.float32)


@eleventh(
    "frozen",
    kind="freezing that reaches too far",
    family="graph",
    source="github.com/INK-USC/MHGRN/pull/14",
    title="Fix a bug in freezing the concept embeddings",
)
def concepts_frozen_with_their_map(broken: bool) -> Setup:
    """Which of four answers a graph of concepts gives, whose given embeddings are mapped to two numbers.

    Seen: embeddings are frozen already, and freezing all of their layer freezes the map behind them, too, which is not
    desired. Answer: leave it out.
    """
    draw, share = related(1055)
    table = draw.normal(size=(60, 24)).astype(np.float32)
    concept = draw.integers(60, size=(1500, 12)).astype(np.int32)
    worth = table @ draw.normal(size=(24, 2))
    felt = (share @ worth[concept]).mean(1)
    felt = felt - np.median(felt, axis=0)
    answer = ((felt[:, 0] > 0) * 2 + (felt[:, 1] > 0)).astype(np.int32)
    keys = jax.random.split(jax.random.key(1055), 3)
    params = {"map": dense(keys[0], 24, 2, 1.0), "one": dense(keys[1], 2, 32), "out": dense(keys[2], 32, 4, 1.0)}

    def scores(params, x, offsets):
        hidden = []
        concepts, share = x[..., 0].astype(int), x[..., 1:]
        mapped = activated("linear", linear(params["map"], jnp.asarray(table)[concepts]), hidden, offsets)
        h = activated("relu", linear(params["one"], 3 * (share @ mapped).mean(1)), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    x = np.concatenate([concept[..., None], share], axis=2).astype(np.float32)
    rates = {"trained": optax.adam(5e-3), "frozen": optax.set_to_zero()}
    labels = {"map": "frozen" if broken else "trained", "one": "trained", "out": "trained"}
    optimizer = optax.multi_transform({**rates}, labels)
    data, others = (x[:1200], answer[:1200]), (x[1200:], answer[1200:])
    return recognised(params, scores, data, others, optimizer, classes=4, batch=32, steps=400)


@eleventh(
    "collapse",
    kind="depth",
    family="graph",
    source="github.com/RS-KR/GNN-RS-Beginner/issues/12",
    title="Oversmoothing이 발생하는 원인과 해결책에 대해서 얘기해보자.",
)
def layers_that_only_smooth(broken: bool) -> Setup:
    """Which of four kinds people are of, by eight means over them and their friends, with or without sums around them.

    Seen: the more layers there are, the more alike embeddings of nodes become, since each is a local mean. Answer:
    among others, a connection around each layer.
    """
    draw = np.random.default_rng(1057)
    count = 400
    kind = draw.integers(4, size=count).astype(np.int32)
    upper = np.triu(draw.random((count, count)) < 0.03, 1)
    joined = upper + upper.T + np.eye(count)
    share = (joined / joined.sum(1, keepdims=True)).astype(np.float32)
    x = (np.eye(4)[kind] + 0.4 * draw.normal(size=(count, 4))).astype(np.float32)
    keys = jax.random.split(jax.random.key(1057), 10)
    params = {"in": dense(keys[-1], 4, 16, 1.0), "out": dense(keys[-2], 16, 4, 1.0)}
    params |= {f"layer{i}": dense(keys[i], 16, 16, 1.0) for i in range(8)}

    def scores(params, offsets):
        hidden, h = [], linear(params["in"], x)
        for i in range(8):
            new = activated("tanh", linear(params[f"layer{i}"], share @ h), hidden, offsets)
            h = new if broken else h + new
        return linear(params["out"], h), tuple(hidden)

    return asked(params, kind, scores, optax.adam(2e-3), steps=250)
