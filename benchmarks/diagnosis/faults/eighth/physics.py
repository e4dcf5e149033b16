"""Networks that know a law: long lines, solutions of a hundred, and roots of what is negative."""

import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.physics import solved
from faults.nets import mlp
from faults.registry import Setup, eighth


@eighth(
    "far from unit scale",
    "saturation",
    kind="length of the domain",
    family="physics-informed",
    source="github.com/lululxvi/deepxde/issues/794",
    title="Is the DeepXDE scale-dependent?",
)
def line_of_a_hundred(broken: bool) -> Setup:
    """A line between two ends, whose curvature is zero, over a domain that is a hundred or one long.

    Seen: from 0 to 1 the results are good; from 0 to 5, to 10 or to 100 they are not, even with data inside. Answer:
    elsewhere in the project, that the domain is to be scaled to one.
    """
    long = 100.0 if broken else 1.0
    x = np.linspace(0, long, 64, dtype=np.float32)
    truth = (2 * x / long - 1).astype(np.float32)

    def law(u, slope, bend, x):
        return bend

    return solved(mlp(361, [1, 32, 32, 1], 1.0), x, truth, law, optax.adam(3e-3), steps=800)


@eighth(
    "far from unit scale",
    kind="scale of the solution",
    family="physics-informed",
    source="github.com/lululxvi/deepxde/issues/22",
    title="how to implement different boundary condition on different geometry part",
)
def heat_of_a_hundred(broken: bool) -> Setup:
    """The heat of a rod that is warmed along its length, of about a hundred, by a network whose answers are of one.

    Seen: the network does not reach the solution of another solver. Answer: the scale of the solution is a hundred, so
    multiply what the network gives by it; the two match then.
    """
    x = np.linspace(0, 1, 64, dtype=np.float32)
    scale = 100.0
    truth = (scale * (np.sin(np.pi * x) + 0.5 * np.sin(2 * np.pi * x)) + 20).astype(np.float32)
    source = scale * np.pi**2 * (jnp.sin(np.pi * x) + 2 * jnp.sin(2 * np.pi * x))
    unit = 1.0 if broken else scale

    def law(u, slope, bend, x):
        return (unit * bend + source) / unit / np.pi**2

    return solved(mlp(362, [1, 32, 32, 1], 1.0), x, truth / unit, law, optax.adam(3e-3), steps=1000)


@eighth(
    "not-a-number loss",
    "not-a-number gradients",
    kind="value outside of the domain",
    family="physics-informed",
    source="github.com/lululxvi/deepxde/issues/428",
    title="I'm not sure if tf.sqrt caused the loss to be nan",
)
def root_of_a_level(broken: bool) -> Setup:
    """The level of a tank that runs out by the root of what is left, of a network that may answer below zero.

    Seen: the loss is NaN. Answer: none is known; the report itself suspects the root. It is kept above zero here.
    """
    t = np.linspace(0, 1, 64, dtype=np.float32)
    truth = ((1 - 0.5 * t) ** 2).astype(np.float32)

    def law(u, slope, bend, t):
        return slope + jnp.sqrt(u if broken else jnp.maximum(u, 1e-4))

    return solved(mlp(363, [1, 24, 24, 1], 1.0), t, truth, law, optax.adam(5e-3), steps=500)
