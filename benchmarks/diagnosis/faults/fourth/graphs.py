"""Networks on graphs: molecules of nine atoms that bear charges, and groups."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, dense, linear
from faults.problems import classified, cross_entropy, own
from faults.registry import Setup, fourth

ATOMS, WIDTH = 9, 24


def molecules(count: int, seed: int):
    """Bonds [count, atoms, atoms], features of the atoms, and whether more bonds than usual join like charges."""
    draw = np.random.default_rng(seed)
    upper = np.triu(draw.random((count, ATOMS, ATOMS)) < 0.3, 1)
    bonds_of = (upper + upper.swapaxes(1, 2)).astype(np.float32)
    charge = np.where(draw.random((count, ATOMS)) < draw.random((count, 1)), 1.0, -1.0)
    alike = np.einsum("ni,nij,nj->n", charge, bonds_of, charge) > 6
    noise = 0.3 * draw.normal(size=(count, ATOMS, 3))
    features = np.concatenate([charge[..., None], noise], axis=2)
    return bonds_of, features.astype(np.float32), alike.astype(np.int32)


def layers(seed: int, depth: int, outputs: int):
    """The weights of a stack of layers, each of which reads an atom and its neighbours, and the output layer."""
    keys = jax.random.split(jax.random.key(seed), 2 * depth + 1)
    params = {}
    for i in range(depth):
        before = WIDTH if i else 4
        params[f"layer{i:02d}"] = {
            "own": dense(keys[2 * i], before, WIDTH, 1.0),
            "near": dense(keys[2 * i + 1], before, WIDTH, 1.0),
        }
    return params | {"out": dense(keys[-1], WIDTH, outputs, 1.0)}


def atoms(params, joined, x, offsets, kind, between=lambda h: h):
    """What the layers make of the atoms, `between` them too, and the hidden points."""
    hidden = []
    for name in sorted(name for name in params if name.startswith("layer")):
        layer = params[name]
        z = linear(layer["own"], x) + linear(layer["near"], joined @ x)
        x = activated(kind, between(z), hidden, offsets)
    return x, tuple(hidden)


def judged(params, optimizer, prepare, *, kind: str, between=lambda h: h) -> Setup:
    """Whether more bonds than usual join like charges; `prepare` makes of bonds what the layers multiply by."""
    bonds, x, alike = molecules(1024, 0)
    other_bonds, other, wanted = molecules(512, 1)

    def forward(params, bonds, x, offsets):
        h, hidden = atoms(params, prepare(bonds), x, offsets, kind, between)
        return linear(params["out"], h.mean(1)), hidden

    def loss(params, batch, offsets):
        scores, hidden = forward(params, *batch[:2], offsets)
        return cross_entropy(scores, batch[2]), hidden

    right = jax.jit(lambda params: (forward(params, other_bonds, other, None)[0].argmax(-1) == wanted).mean())
    return classified(params, loss, (bonds, x, alike), optimizer, right, classes=2, steps=400, batch=64)


@fourth(
    "exploding",
    "learning rate too large",
    "first loss too large",
    kind="depth without a norm",
    family="graph",
    source="github.com/cvignac/SMP/issues/3",
    title="Nan loss",
)
def messages_that_add_up(broken: bool) -> Setup:
    """Ten layers that add up the messages of all neighbours, with no norm after them.

    Seen: a loss of NaN. Answer: too many layers and no normalization; normalise after each layer, or clip.
    """

    def norm(z):
        return (z - z.mean((0, 1))) * jax.lax.rsqrt(z.var((0, 1)) + 1e-5)

    between = {} if broken else {"between": norm}
    return judged(layers(0, 10, 2), optax.sgd(0.02, 0.9), lambda bonds: bonds, kind="relu", **between)


@fourth(
    "not-a-number loss",
    "not-a-number gradients",
    kind="division by zero",
    family="graph",
    source="github.com/aimat-lab/gcnn_keras/issues/42",
    title="NaN in loss maybe due to ...",
)
def atoms_without_a_bond(broken: bool) -> Setup:
    """Bonds that are divided by the roots of the degrees, which are zero for atoms that have no bond.

    Seen: a division by zero in the power -0.5 of the degrees, and NaN. Answer: no NaN or infinity in the weights.
    """

    def prepare(bonds):
        bonds = jnp.asarray(bonds)
        degree = bonds.sum(-1)
        root = degree**-0.5 if broken else jnp.where(degree > 0, jnp.maximum(degree, 1) ** -0.5, 0.0)
        return root[..., None] * bonds * root[..., None, :]

    return judged(layers(1, 2, 2), optax.adam(1e-2), prepare, kind="tanh")


@fourth(
    "collapse",
    "vanishing",
    "constant answer",
    kind="too many averages",
    family="graph",
    source="github.com/pyg-team/pytorch_geometric/issues/5056",
    title='Addition of Mean Substraction Operator from "Revisiting “Over-smoothing” in Deep GCNs"',
)
def members_that_become_alike(broken: bool) -> Setup:
    """Members of two groups, by noisy features that are averaged over neighbours sixteen times, until all are alike.

    Seen: an autoencoder of graphs with oversmoothing. Answer: subtract the mean over the nodes in each layer.
    """
    draw = np.random.default_rng(2)
    group = np.where(draw.permuted(np.tile(np.arange(12) < 6, (1024, 1)), axis=1), 1.0, -1.0)
    likely = np.where(group[:, :, None] == group[:, None], 0.8, 0.1)
    upper = np.triu(draw.random((1024, 12, 12)) < likely, 1)
    joined = upper + upper.swapaxes(1, 2) + 2 * np.eye(12)
    joined = (joined / joined.sum(-1, keepdims=True)).astype(np.float32)
    common = draw.normal(size=(1024, 1, 4))
    x = (group[..., None] * [1, 0.5, 0, 0] + common + 0.8 * draw.normal(size=(1024, 12, 4))).astype(np.float32)
    target = group.astype(np.float32)
    keys = jax.random.split(jax.random.key(2), 17)
    params = {f"layer{i:02d}": dense(keys[i], WIDTH if i else 4, WIDTH, 1.0) for i in range(16)}
    params["out"] = dense(keys[-1], WIDTH, 1, 1.0)

    def members(params, joined, x, offsets):
        hidden = []
        for i in range(16):
            z = linear(params[f"layer{i:02d}"], joined @ x)
            apart = z - z.mean(1, keepdims=True)
            scaled = apart * jax.lax.rsqrt((apart**2).mean((1, 2), keepdims=True) + 1e-6)
            x = activated("tanh", z if broken else scaled, hidden, offsets)
        return linear(params["out"], x)[..., 0], tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = members(params, *batch[:2], offsets)
        return ((found - batch[2]) ** 2).mean(), hidden

    def error(params):
        return ((members(params, joined[:300], x[:300], None)[0] - target[:300]) ** 2).mean()

    more = {"chance": 1.0, "steps": 140, "batch": 64}
    return own(params, loss, (joined, x, target), optax.adam(1e-3), error, **more)
