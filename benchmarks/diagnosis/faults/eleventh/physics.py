"""Laws: a root at the start, a weight by a loss of nothing, and features that swing too fast."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, dense, linear, mlp, perceptron
from faults.problems import own
from faults.registry import Setup, eleventh


@eleventh(
    "not-a-number gradients",
    kind="root of nothing",
    family="physics-informed",
    source="github.com/SciML/ModelingToolkitNeuralNets.jl/issues/6",
    title="NaN in gradients",
)
def distance_at_the_known_start(broken: bool) -> Setup:
    """A law of change by a network, whose path is summed up from a known start, by its distance from what was measured.

    Seen: the gradient is always NaN. Answer: it comes from the root of the squared difference, which is nothing at the
    start; here, without the root.
    """
    t = np.linspace(0, 2, 41, dtype=np.float32)
    step = float(t[1])
    truth = (1 + np.sin(2.5 * t) * np.exp(-0.5 * t)).astype(np.float32)

    def path(params, t, offsets):
        change, hidden = perceptron(params, t[:, None], offsets, "tanh")
        change = step * change[:, 0]
        return truth[0] + jnp.cumsum(change) - change, hidden

    def loss(params, batch, offsets):
        found, hidden = path(params, batch[0], offsets)
        square = (found - batch[1]) ** 2
        return (jnp.sqrt(square) if broken else square).mean(), hidden

    def error(params):
        return ((path(params, t, None)[0] - truth) ** 2).mean() / truth.var()

    return own(mlp(1121, [1, 32, 32, 1], 1.0), loss, (t, truth), optax.adam(5e-3), error, steps=400)


@eleventh(
    "not-a-number loss",
    "not-a-number gradients",
    kind="division by zero",
    family="physics-informed",
    source="github.com/lululxvi/deepxde/issues/488",
    title="`0` and `Nan` values for `IC` defined as a `NeumannBC`",
)
def weights_by_first_losses(broken: bool) -> Setup:
    """A swing by its law, its start and its first speed, each weighted by the inverse of what it costs at the start.

    Seen: the loss of the first speed is always zero, and its weight makes it NaN, a division by zero. Answer: none in
    what can be read; here, the start is found among the points, as it was meant.
    """
    t = np.linspace(0, 1.5, 60, dtype=np.float32)
    truth = (np.cos(3 * t) + 0.5 * np.sin(3 * t)).astype(np.float32)
    first = np.isclose(t, 0 if not broken else -0.1).astype(np.float32)

    def value(params, t):
        return perceptron(params, t[None, None], None, "tanh")[0][0, 0]

    slopes = jax.vmap(jax.grad(value, 1), (None, 0))
    bends = jax.vmap(jax.grad(jax.grad(value, 1), 1), (None, 0))

    def costs(params, t, first, offsets):
        found, hidden = perceptron(params, t[:, None], offsets, "tanh")
        law = ((bends(params, t) + 9 * found[:, 0]) ** 2).mean()
        speed = (first * (slopes(params, t) - 1.5) ** 2).sum() / jnp.maximum(first.sum(), 1)
        return jnp.stack([law, (found[0, 0] - 1) ** 2, speed]), hidden

    params = mlp(1123, [1, 32, 32, 1], 1.0)
    weights = 1 / costs(params, jnp.asarray(t), jnp.asarray(first), None)[0]

    def loss(params, batch, offsets):
        each, hidden = costs(params, batch[0], batch[1], offsets)
        return (weights * each * jnp.array([0.1, 1.0, 1.0])).sum(), hidden

    def error(params):
        return ((perceptron(params, t[:, None], None, "tanh")[0][:, 0] - truth) ** 2).mean() / truth.var()

    return own(params, loss, (t, first), optax.adam(5e-3), error, steps=600)


@eleventh(
    "first loss too large",
    kind="scale of the features",
    family="physics-informed",
    source="github.com/lululxvi/deepxde/issues/492",
    title="`STMsFNN` performs poorly on the 2D wave equation",
)
def waves_by_fast_features(broken: bool) -> Setup:
    """A standing wave by its law, from sines and cosines of the place whose rates are drawn up to fifty, or up to two.

    Seen: the result is poor. Answer: the first loss is 1e16, so that the scales have an issue; with other ones the
    report does somewhat better.
    """
    t = np.linspace(0, 1, 64, dtype=np.float32)
    pace = 5.0
    truth = np.cos(pace * t).astype(np.float32)
    rates = np.random.default_rng(1125).normal(size=(1, 24)).astype(np.float32) * (50.0 if broken else 2.0)
    keys = jax.random.split(jax.random.key(1125), 3)
    params = {"in": dense(keys[0], 48, 32, 1.0), "mid": dense(keys[1], 32, 32, 1.0), "out": dense(keys[2], 32, 1, 1.0)}

    def value(params, t, offsets=None):
        hidden = []
        angle = 2 * np.pi * t[:, None] @ rates
        h = jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=1)
        for name in ("in", "mid"):
            h = activated("tanh", linear(params[name], h), hidden, offsets)
        return linear(params["out"], h)[:, 0], tuple(hidden)

    def single(params, t):
        return value(params, t[None])[0][0]

    bends = jax.vmap(jax.grad(jax.grad(single, 1), 1), (None, 0))

    def loss(params, batch, offsets):
        found, hidden = value(params, batch[0], offsets)
        law = bends(params, batch[0]) + pace**2 * found
        ends = (found[0] - truth[0]) ** 2 + (found[-1] - truth[-1]) ** 2
        return (law**2).mean() / pace**2 + 100 * ends, hidden

    def error(params):
        return ((value(params, t)[0] - truth) ** 2).mean() / truth.var()

    return own(params, loss, (t,), optax.adam(5e-3), error, steps=600)
