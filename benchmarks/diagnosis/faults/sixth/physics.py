"""Networks that know a law: units of length, inputs that nobody normalised."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.physics import solved
from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, sixth


@sixth(
    "far from unit scale",
    "saturation",
    "first loss too large",
    kind="unit of length",
    family="physics-informed",
    source="github.com/SciML/NeuralPDE.jl/issues/582",
    title="Second order ODE, simple supported beam problem",
)
def beam_in_millimetres(broken: bool) -> Setup:
    """The moments of a beam under a load of one, which is six metres long, or six thousand millimetres.

    Seen: it works in metres; in millimetres the losses are too large and it does not converge. Answer: none.
    """
    length = 6000.0 if broken else 6.0
    x = np.linspace(0, length, 64, dtype=np.float32)
    moment = (x * (length - x) / 2).astype(np.float32)
    params = mlp(0, [1, 24, 24, 1], 1.0)
    return solved(params, x, moment, lambda u, slope, bend, x: bend + 1, optax.adam(0.01), steps=1000)


@sixth(
    "saturation",
    "far from unit scale",
    kind="scale of the data",
    family="physics-informed",
    source="github.com/pierremtb/PINNs-TF2.0/issues/1",
    title="1dcomplex-schrodinger does not converge",
)
def oscillation_without_a_lambda_layer(broken: bool) -> Setup:
    """A damped oscillation that is measured, and its law; the time up to 900 goes into hyperbolic tangents as it is.

    Seen: it does not converge. Answer: the inputs of layers are not regularised as in the paper, and the tangent is
    good in a small range alone; a layer that does it fixed it.
    """
    t = np.linspace(0, 900, 96, dtype=np.float32)
    decay, swing = 0.002, 0.015
    u = (np.exp(-decay * t) * np.cos(swing * t)).astype(np.float32)
    stiff = decay**2 + swing**2

    def value(params, t):
        inside = t if broken else t / 450 - 1
        return perceptron(params, inside[None, None], None, "tanh")[0][0, 0]

    slope = jax.vmap(jax.grad(value, 1), (None, 0))
    bend = jax.vmap(jax.grad(jax.grad(value, 1), 1), (None, 0))

    def loss(params, batch, offsets):
        inside = batch[0] if broken else batch[0] / 450 - 1
        found, hidden = perceptron(params, inside[:, None], offsets, "tanh")
        law = bend(params, batch[0]) + 2 * decay * slope(params, batch[0]) + stiff * found[:, 0]
        return ((found[:, 0] - batch[1]) ** 2).mean() + 1e6 * (law**2).mean(), hidden

    def error(params):
        return ((jax.vmap(value, (None, 0))(params, t) - u) ** 2).mean() / u.var()

    params = mlp(1, [1, 32, 32, 1], 1.0)
    params["layer00"]["w"] = 3 * params["layer00"]["w"]
    return own(params, loss, (t, u), optax.adam(5e-3), error, chance=float(jnp.var(u)), steps=1500)
