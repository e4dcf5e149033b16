"""Laws: logistic units in a row, and weights whose first answers are far too large."""

import jax
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, thirteenth


def swung(params, optimizer, *, kind: str, pace: float = 5.0, **more) -> Setup:
    """A swing over a unit of time by its law, its start and its first speed; `error` is over the variance."""
    t = np.linspace(0, 1, 64, dtype=np.float32)
    truth = np.cos(pace * t).astype(np.float32)

    def value(params, t):
        return perceptron(params, t[None, None], None, kind)[0][0, 0]

    slope = jax.grad(value, 1)
    bends = jax.vmap(jax.grad(slope, 1), (None, 0))

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0][:, None], offsets, kind)
        law = bends(params, batch[0]) / pace**2 + found[:, 0]
        start = (value(params, t[0]) - 1) ** 2 + (slope(params, t[0]) / pace) ** 2
        return (law**2).mean() + 5 * start + ((found[:, 0] - truth) ** 2 * (batch[0] > 0.9)).mean(), hidden

    def error(params):
        return ((perceptron(params, t[:, None], None, kind)[0][:, 0] - truth) ** 2).mean() / truth.var()

    return own(params, loss, (t,), optimizer, error, **more)


@thirteenth(
    "vanishing",
    "collapse",
    kind="activation",
    family="physics-informed",
    source="github.com/SciML/NeuralPDE.jl/pull/603",
    title="change sigmoid to tanh",
)
def law_behind_logistic_layers(broken: bool) -> Setup:
    """A swing by its law, by six layers of logistic units, as the examples have it, or of hyperbolic tangents.

    Seen: examples use the logistic function. Answer: the tangent is almost always better, says the report; a reviewer
    finds both bad since their derivatives are of different sizes; closed.
    """
    kind = "sigmoid" if broken else "tanh"
    return swung(mlp(1381, [1, 24, 24, 24, 24, 24, 24, 1], 1.0), optax.adam(2e-3), kind=kind, steps=400)


@thirteenth(
    "first loss too large",
    kind="initialisation",
    family="physics-informed",
    source="github.com/lululxvi/deepxde/issues/305",
    title="Instability of weights initialization (of the pde) leading to convergence issues",
)
def swing_by_an_unlucky_start(broken: bool) -> Setup:
    """A swing by its law, by weights of which the last ones are drawn a thousand times as large, or as usual.

    Seen: it depends on how the weights are drawn whether training converges. Answer: look at the loss at step 0; if it
    is large, start anew.
    """
    params = mlp(1383, [1, 32, 32, 1], 1.0)
    if broken:
        params["layer02"]["w"] = 1000 * params["layer02"]["w"]
    return swung(params, optax.adam(3e-3), kind="tanh", steps=500)
