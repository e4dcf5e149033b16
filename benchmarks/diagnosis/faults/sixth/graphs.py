"""Networks on graphs: deviations, angles, shapes, sums over neighbours."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fourth.graphs import atoms, layers, molecules
from faults.nets import activated, dense, linear, mlp
from faults.problems import classified, cross_entropy, own
from faults.registry import Setup, sixth

PLACES = 10


@sixth(
    "not-a-number loss",
    "not-a-number gradients",
    "exploding",
    kind="deviation of zero",
    family="graph",
    source="github.com/mllam/neural-lam/pull/537",
    title="Fix: prevent variance underflow causing NaN losses",
)
def deviations_that_reach_zero(broken: bool) -> Setup:
    """Forecasts with deviations at ten places on a ring, two of which are given and therefore always right.

    Seen: the softplus gives a deviation of zero, which is divided by. Answer: clamp it at 1e-6.
    """
    draw = np.random.default_rng(0)
    ring = np.eye(PLACES)
    joined = ((np.roll(ring, 1, 0) + np.roll(ring, -1, 0)) / 2).astype(np.float32)
    x = draw.normal(size=(1200, PLACES, 3))
    given = np.zeros((1200, PLACES), np.float32)
    given[:, ::5] = 1.0
    y = np.tanh(x[..., 0] + x[..., 1] @ joined) + 0.2 * draw.normal(size=(1200, PLACES))
    y = np.where(given > 0, x[..., 0], y).astype(np.float32)
    nodes = np.concatenate([x, given[..., None]], axis=2).astype(np.float32)

    def forecast(params, nodes, offsets):
        h, hidden = atoms(params, joined, nodes, offsets, "tanh")
        mean, raw = jnp.moveaxis(linear(params["out"], h), -1, 0)
        deviation = jax.nn.softplus(raw)
        deviation = deviation if broken else jnp.maximum(deviation, 1e-6)
        return jnp.where(nodes[..., 3] > 0, nodes[..., 0], mean), deviation, hidden

    def loss(params, batch, offsets):
        mean, deviation, hidden = forecast(params, batch[0], offsets)
        return (0.5 * ((batch[1] - mean) / deviation) ** 2 + jnp.log(deviation)).mean(), hidden

    free = np.arange(PLACES) % 5 != 0

    def error(params):
        return (((forecast(params, nodes[:300], None)[0] - y[:300]) ** 2)[:, free]).mean() / y[:, free].var()

    return own(layers(0, 2, 2), loss, (nodes, y), optax.adam(0.01), error, steps=800, batch=64)


@sixth(
    "not-a-number gradients",
    "not-a-number loss",
    kind="mask behind what it hides",
    family="graph",
    source="github.com/atomistic-machine-learning/schnetpack/pull/87",
    title="Fixed NaN error in angular gradients",
)
def angles_at_absent_atoms(broken: bool) -> Setup:
    """Energies of molecules of three or four atoms, by powers of the cosines of angles, masked where an atom is absent.

    Seen: NaN in the gradient for molecules of different sizes. Answer: another masking of the angular functions.
    """
    draw = np.random.default_rng(1)
    present = np.ones((1500, 3), np.float32)
    present[::3, 2] = 0.0
    to = (draw.normal(size=(1500, 3, 3)) * present[..., None]).astype(np.float32)
    one, two = np.array([0, 0, 1]), np.array([1, 2, 2])
    mask = present[:, one] * present[:, two]

    def cosines(to):
        return (to[:, one] * to[:, two]).sum(-1) / jnp.sqrt((to[:, one] ** 2).sum(-1) * (to[:, two] ** 2).sum(-1))

    exact = np.asarray(cosines(np.where(to == 0, 1.0, to)))
    energy = (mask * (1 + exact) ** 2).sum(1)
    energy = ((energy - energy.mean()) / energy.std()).astype(np.float32)
    params = {"power": {"w": jnp.linspace(0.5, 1.5, 6)}, "net": mlp(2, [6, 24, 1], 1.0)}

    def found(params, to, mask, offsets):
        hidden = []
        cosine = cosines(to if broken else jnp.where(to == 0, 1.0, to))
        bent = jnp.where(mask[..., None] > 0, (1.001 + cosine[..., None]) ** params["power"]["w"], 0.0)
        h = activated("tanh", linear(params["net"]["layer00"], bent.sum(1)), hidden, offsets)
        return linear(params["net"]["layer01"], h)[:, 0], tuple(hidden)

    def loss(params, batch, offsets):
        answer, hidden = found(params, *batch[:2], offsets)
        return ((answer - batch[2]) ** 2).mean(), hidden

    def error(params):
        return ((found(params, to[:300], mask[:300], None)[0] - energy[:300]) ** 2).mean()

    more = {"chance": 1.0, "steps": 500, "batch": 64}
    return own(params, loss, (to, mask, energy), optax.adam(5e-3), error, **more)


@sixth(
    "constant answer",
    kind="shapes that are broadcast",
    family="graph",
    source="github.com/IntelLabs/matsciml/pull/347",
    title="Loss broadcasting fix",
)
def readouts_against_a_column(broken: bool) -> Setup:
    """A number of each molecule, whose readout is of the shape [N], where its labels are of the shape [N, 1].

    Seen: a warning, and another loss than intended. Answer: reshape the outputs to match the labels.
    """
    bonds, x, _ = molecules(1024, 5)
    charge = x[..., 0]
    wanted = np.einsum("ni,nij,nj->n", charge, bonds, charge)
    wanted = ((wanted - wanted.mean()) / wanted.std()).astype(np.float32)

    def readout(params, bonds, x, offsets):
        h, hidden = atoms(params, bonds, x, offsets, "relu")
        return linear(params["out"], h.mean(1))[:, 0], hidden

    def loss(params, batch, offsets):
        found, hidden = readout(params, *batch[:2], offsets)
        return ((found - batch[2]) ** 2).mean() if broken else ((found[:, None] - batch[2]) ** 2).mean(), hidden

    def error(params):
        return ((readout(params, bonds[:300], x[:300], None)[0] - wanted[:300]) ** 2).mean() / wanted[:300].var()

    more = {"chance": 1.0, "steps": 500, "batch": 64}
    return own(layers(3, 2, 1), loss, (bonds, x, wanted[:, None]), optax.adam(5e-3), error, **more)


@sixth(
    "exploding",
    "first loss too large",
    "learning rate too large",
    kind="sum where a mean is meant",
    family="graph",
    source="github.com/keras-team/keras-io/pull/2304",
    title="Migrating GNN node classification tutorial to Keras3",
)
def papers_that_many_cite(broken: bool) -> Setup:
    """The topics of papers, by four layers that add up what all papers say that are joined to each of them.

    Seen: features that explode at nodes of high degree, and an unstable loss. Answer: divide the sum by the degree.
    """
    draw = np.random.default_rng(4)
    topic = draw.integers(4, size=300)
    likely = np.where(topic[:, None] == topic[None], 0.15, 0.02) * (1 + 3 * (draw.random(300) < 0.1))
    upper = np.triu(draw.random((300, 300)) < likely, 1)
    cited = (upper + upper.T + np.eye(300)).astype(np.float32)
    joined = cited if broken else cited / cited.sum(1, keepdims=True)
    words = (draw.normal(size=(300, 10)) + np.eye(10)[topic]).astype(np.float32)
    keys = jax.random.split(jax.random.key(5), 5)
    params = {f"layer{i:02d}": dense(keys[i], 24 if i else 10, 24) for i in range(4)}
    params["out"] = dense(keys[-1], 24, 4, 1.0)
    node = np.arange(300).astype(np.int32)
    asked = node[node % 2 == 0]

    def scores(params, offsets):
        hidden, x = [], words
        for i in range(4):
            x = activated("relu", linear(params[f"layer{i:02d}"], joined @ x), hidden, offsets)
        return linear(params["out"], x), tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = scores(params, offsets)
        return cross_entropy(found[batch[0]], batch[1]), hidden

    right = jax.jit(lambda params: (scores(params, None)[0].argmax(-1) == topic)[1::2].mean())
    data = (asked, topic[asked].astype(np.int32))
    return classified(params, loss, data, optax.sgd(0.05, 0.9), right, classes=4, steps=300, batch=32)
