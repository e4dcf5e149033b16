"""Networks that know a law: powers of what is negative, long plates, forces."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, dense, linear, mlp, perceptron
from faults.problems import own
from faults.registry import Setup, fifth


def solved(params, t, truth, residual, optimizer, *, steps: int) -> Setup:
    """A function of one variable whose `residual` (its value, its derivatives and t) is zero, and known at its ends."""

    def value(params, t):
        return perceptron(params, t[None, None], None, "tanh")[0][0, 0]

    slopes = jax.vmap(jax.grad(value, 1), (None, 0))
    bends = jax.vmap(jax.grad(jax.grad(value, 1), 1), (None, 0))

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0][:, None], offsets, "tanh")
        law = residual(found[:, 0], slopes(params, batch[0]), bends(params, batch[0]), batch[0])
        ends = (found[0, 0] - truth[0]) ** 2 + (found[-1, 0] - truth[-1]) ** 2
        return (law**2).mean() + 10 * ends, hidden

    def error(params):
        return ((perceptron(params, t[:, None], None, "tanh")[0][:, 0] - truth) ** 2).mean() / truth.var()

    return own(params, loss, (t,), optimizer, error, steps=steps)


@fifth(
    "not-a-number loss",
    "not-a-number gradients",
    kind="value outside of the domain",
    family="physics-informed",
    source="github.com/prateekbhustali/Physics-Informed-Neural-Networks/issues/1",
    title="Solving non-linear diffusion equation",
)
def power_of_what_is_negative(broken: bool) -> Setup:
    """A decay by the power 1.2 of what is left, of a network whose answers begin below zero.

    Seen: NaN after the first iteration. Answer: the network may give negative values, which have no such power.
    """
    t = np.linspace(0, 1, 64, dtype=np.float32)
    truth = ((1 + 0.6 * t) ** -5).astype(np.float32)

    def residual(u, slope, bend, t):
        return slope + 3 * (u if broken else jnp.maximum(u, 1e-6)) ** 1.2

    params = mlp(0, [1, 24, 24, 1], 1.0)
    params["layer02"]["b"] = params["layer02"]["b"] - 0.2
    return solved(params, t, truth, residual, optax.adam(5e-3), steps=500)


@fifth(
    "far from unit scale",
    "saturation",
    kind="scale of the data",
    family="physics-informed",
    source="github.com/lululxvi/deepxde/issues/257",
    title="question about data and bc",
)
def plate_of_two_hundred_metres(broken: bool) -> Setup:
    """The bend of a plate over two hundred metres, each of which goes into a hyperbolic tangent as it is.

    Seen: unsatisfying results. Answer: the scaling is not good; rescale so that x is between 0 and 1.
    """
    length = 200.0 if broken else 1.0
    t = np.linspace(0, length, 64, dtype=np.float32)
    truth = np.sin(np.pi * t / length).astype(np.float32)

    def residual(u, slope, bend, t):
        return length**2 * bend / 10 + np.pi**2 / 10 * jnp.sin(np.pi * t / length)

    return solved(mlp(1, [1, 24, 24, 1], 1.0), t, truth, residual, optax.adam(3e-3), steps=800)


@jax.custom_jvp
def _length(v):
    """The length of vectors [..., 2]; where it is zero its slope is defined to be zero, too, and its second is not."""
    return jnp.sqrt((v**2).sum(-1))


@_length.defjvp
def _length_jvp(primals, tangents):
    (v,), (dv,) = primals, tangents
    size = _length(v)
    return size, jnp.where(size == 0, 0.0, (v * dv).sum(-1) / size)


@fifth(
    "not-a-number gradients",
    "not-a-number loss",
    kind="second slope",
    family="physics-informed",
    source="github.com/torchmd/torchmd-net/issues/77",
    title="NaN when fitting with derivative",
)
def forces_of_absent_atoms(broken: bool) -> Setup:
    """Energies and forces of four atoms, some of which are absent: the length of their vectors is zero.

    Seen: with derivatives in the fit the output is NaN after a few steps, even if forces do not count. Answer: the
    thread was closed without the cause; a length of zero, which has no second slope, is one that does this.
    """
    draw = np.random.default_rng(1)
    corner = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    places = (1.1 * corner + 0.25 * draw.normal(size=(1200, 4, 2))).astype(np.float32)
    present = np.ones((1200, 4), np.float32)
    present[np.arange(1200) % 80 == 0, 3] = 0.0
    pairs = present[:, :, None] * present[:, None] * (1 - np.eye(4, dtype=np.float32))

    def distances(places):
        apart = places[:, :, None] - places[:, None]
        square = (apart**2).sum(-1)
        return apart, jnp.sqrt(jnp.where(square == 0, 1.0, square))

    def exact(places, pairs):
        return (pairs * jnp.exp(-2 * distances(places)[1])).sum((1, 2)) * 5

    def energy(params, places, pairs, hidden, offsets):
        apart, r = distances(places)
        z = activated("tanh", linear(params["pair"], r[..., None]), hidden, offsets)
        pushed, near = jnp.split(linear(params["push"], z), 2, axis=-1)
        vector = ((pairs / r)[..., None] * pushed * apart).sum(2)
        size = _length(vector) if broken else jnp.sqrt((vector**2).sum(-1) + 1e-6)
        felt = jnp.stack([size, (pairs[..., None] * near).sum(2)[..., 0]], axis=-1)
        h = activated("tanh", linear(params["atom"], felt), hidden, offsets)
        return linear(params["out"], h)[..., 0].sum(1)

    def forces(params, places, pairs):
        return -jax.grad(lambda p: energy(params, p, pairs, [], None).sum())(places)

    truth = np.asarray(exact(places, pairs))
    pulls = np.asarray(-jax.grad(lambda p: exact(p, pairs).sum())(places))
    middle, spread = truth.mean(), truth.std()

    def loss(params, batch, offsets):
        places, pairs, truth, pulls = batch
        hidden = []
        found = energy(params, places, pairs, hidden, offsets)
        aim = ((found - (truth - middle) / spread) ** 2).mean()
        return aim + 0.1 * ((forces(params, places, pairs) - pulls / spread) ** 2).mean(), tuple(hidden)

    def error(params):
        return ((energy(params, places, pairs, [], None) - (truth - middle) / spread) ** 2)[1:80].mean()

    keys = jax.random.split(jax.random.key(2), 4)
    params = {
        "pair": dense(keys[0], 1, 24, 1.0),
        "push": dense(keys[1], 24, 2, 1.0),
        "atom": dense(keys[2], 2, 24, 1.0),
        "out": dense(keys[3], 24, 1, 1.0),
    }
    return own(params, loss, (places, pairs, truth, pulls), optax.adam(5e-3), error, steps=500, batch=32)
