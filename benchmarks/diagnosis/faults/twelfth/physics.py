"""Laws: all points against all values, and a boundary that is kept."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, twelfth


@twelfth(
    "constant answer",
    kind="shapes that are broadcast",
    family="physics-informed",
    source="github.com/lululxvi/deepxde/issues/2100",
    title="PointSetBC accepts a 1-D `values` array and silently broadcasts the error to (N, N)",
)
def all_points_against_all_values(broken: bool) -> Setup:
    """A wave that was measured at some points, by a weak law and the distance from values of shape [n], or [n, 1].

    Seen: the loss of the data does not drop below the variance of the values; their shape is flat, so that the errors
    are of shape [n, n]. Answer: the report's own: values in a column; closed.
    """
    pace = 2 * np.pi
    x = np.linspace(0, 1, 64, dtype=np.float32)
    truth = (np.sin(pace * x) + 0.5 * np.cos(pace * x)).astype(np.float32)

    def value(params, x):
        return perceptron(params, x[None, None], None, "tanh")[0][0, 0]

    bends = jax.vmap(jax.grad(jax.grad(value, 1), 1), (None, 0))

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0][:, None], offsets, "tanh")
        away = found - (batch[1] if broken else batch[1][:, None])
        law = bends(params, batch[0]) / pace**2 + found[:, 0]
        return (away**2).mean() + 0.01 * (law**2).mean(), hidden

    def error(params):
        return ((perceptron(params, x[:, None], None, "tanh")[0][:, 0] - truth) ** 2).mean() / truth.var()

    more = {"chance": float(truth.var()), "steps": 600}
    return own(mlp(1215, [1, 32, 32, 1], 1.0), loss, (x, truth), optax.adam(5e-3), error, **more)


@twelfth(
    "frozen",
    "gradients exactly zero",
    kind="value that is kept",
    family="physics-informed",
    source="github.com/lululxvi/deepxde/pull/2077",
    title="Make basic BC/IC classes correctly trainable",
)
def boundary_that_is_kept(broken: bool) -> Setup:
    """How warm the end of a rod is, from its warmth elsewhere by a law; the value at the end is to be found, too.

    Seen: values at boundaries are kept when they have been computed once, even if they depend on what is trained, whose
    gradients are then wrong. Answer: they have to say whether they do, and are not kept then; open.
    """
    x = np.linspace(0, 2, 48, dtype=np.float32)
    start, warmth = 0.2, 1.7
    truth = (warmth * np.exp(-1.5 * x)).astype(np.float32)
    seen = (x > 1).astype(np.float32)

    def value(params, x):
        return perceptron(params, x[None, None], None, "tanh")[0][0, 0]

    slopes = jax.vmap(jax.grad(value, 1), (None, 0))

    def loss(params, batch, offsets):
        x, truth, seen = batch
        found, hidden = perceptron(params["rod"], x[:, None], offsets, "tanh")
        found = found[:, 0]
        law = slopes(params["rod"], x) + 1.5 * found
        end = start if broken else params["end"]["b"]
        away = value(params["rod"], jnp.zeros(())) - end
        return (law**2).mean() + 20 * (seen * (found - truth) ** 2).mean() + away**2, hidden

    def error(params):
        return ((params["end"]["b"] - warmth) / (start - warmth)) ** 2

    params = {"rod": mlp(1217, [1, 32, 32, 1], 1.0), "end": {"b": jnp.asarray(start)}}
    return own(params, loss, (x, truth, seen), optax.adam(5e-3), error, steps=800)
