"""Networks that know a law: a solution in hundreds, and sigmoids."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.physics import solved
from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, ninth


@ninth(
    "far from unit scale",
    kind="scale of the solution",
    family="physics-informed",
    source="github.com/benmoseley/FBPINNs/issues/2",
    title="some confusion about unormalization",
)
def solution_by_the_square_of_a_frequency(broken: bool) -> Setup:
    """A curve whose curvature is a slow wave, so that it goes up to one over the square of a small frequency.

    Seen: what the network gives is multiplied by a large constant, and it is asked why. Answer: the solution lies
    between plus and minus one over the square; without the constant the network's answers would not lie around one.
    """
    t = np.linspace(0, 1, 64, dtype=np.float32)
    scale = 400.0
    truth = (scale * np.sin(2 * np.pi * t)).astype(np.float32)
    unit = 1.0 if broken else scale

    def law(u, slope, bend, t):
        return (unit * bend + scale * 4 * np.pi**2 * jnp.sin(2 * np.pi * t)) / unit / 40

    return solved(mlp(651, [1, 32, 32, 1], 1.0), t, truth / unit, law, optax.adam(3e-3), steps=1000)


@ninth(
    "vanishing",
    "collapse",
    kind="activation",
    family="physics-informed",
    source="github.com/SciML/SciMLBenchmarks.jl/pull/473",
    title="change sigmoid to tanh in PINNs' benchmarks",
)
def law_behind_six_sigmoids(broken: bool) -> Setup:
    """An oscillation, by a network of six hidden layers of sigmoids, or of hyperbolic tangents.

    Seen: the sigmoid is suboptimal, and the more so with positive inputs. Answer: hyperbolic tangents, with which
    losses should drop; merged.
    """
    t = np.linspace(0, 1, 64, dtype=np.float32)
    truth = np.cos(5 * t).astype(np.float32)
    kind = "sigmoid" if broken else "tanh"

    def value(params, t):
        return perceptron(params, t[None, None], None, kind)[0][0, 0]

    bends = jax.vmap(jax.grad(jax.grad(value, 1), 1), (None, 0))

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0][:, None], offsets, kind)
        law = (bends(params, batch[0]) + 25 * found[:, 0]) / 25
        ends = (found[0, 0] - truth[0]) ** 2 + (found[-1, 0] - truth[-1]) ** 2
        return (law**2).mean() + 10 * ends, hidden

    def error(params):
        return ((perceptron(params, t[:, None], None, kind)[0][:, 0] - truth) ** 2).mean() / truth.var()

    params = mlp(652, [1, *(24,) * 6, 1], 1.0)
    return own(params, loss, (t,), optax.adam(2e-3), error, steps=600)
