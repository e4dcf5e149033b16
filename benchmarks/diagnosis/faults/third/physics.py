"""Networks that solve equations."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, third


def solved(rate: float, source, ends, *, unit: float = 1.0, scale: float = 1.0, edges: float = 1.0, truth) -> Setup:
    """u'' = rate u + source(x) on [0, 1] with given values at both ends.

    The network's output is multiplied by `scale`, residuals are divided by `unit`, and the ends count `edges` times.
    """
    x = np.linspace(0, 1, 64, dtype=np.float32)

    def solution(params, x):
        return scale * perceptron(params, x[None, None], None, "tanh")[0][0, 0]

    def loss(params, batch, offsets):
        bent = jax.vmap(jax.grad(jax.grad(solution, 1), 1), (None, 0))(params, batch[0])
        found = jax.vmap(solution, (None, 0))(params, batch[0])
        at_ends = sum((solution(params, jnp.float32(i)) - end) ** 2 for i, end in enumerate(ends))
        _, hidden = perceptron(params, batch[0][:, None], offsets, "tanh")
        seen = sum(h.sum() for _, _, h in hidden) * 0.0
        residual = bent - rate * found - source(batch[0])
        return (residual**2).mean() / unit**2 + edges * at_ends / unit**2 + seen, hidden

    def error(params):
        return ((jax.vmap(solution, (None, 0))(params, x) - truth(x)) ** 2).mean() / truth(x).var()

    return own(mlp(0, [1, 32, 32, 1], 1.0), loss, (x,), optax.adam(5e-3), error, steps=800)


@third(
    "far from unit scale",
    "first loss too large",
    kind="scale of the data",
    family="physics-informed",
    source="github.com/lululxvi/deepxde/issues/481",
    title="Boundary Condition that seems troublesome",
)
def pressure_of_a_thousand(broken: bool) -> Setup:
    """A pressure of 1,000 at one end, from a network whose output is of the order of one.

    Seen: this condition is not trained, and its loss does not change. Answer: an output times 1,000 makes it learn.
    """

    def truth(x):
        return 1000 * np.sinh(2 * (1 - x)) / np.sinh(2)

    unit = 1.0 if broken else 1000.0
    return solved(4.0, jnp.zeros_like, (1000.0, 0.0), unit=unit, scale=unit, truth=truth)


@third(
    "the ends count too little beside the equation",
    kind="weight of a loss",
    family="physics-informed",
    source="github.com/lululxvi/deepxde/issues/141",
    title="Question about different outputs from slightly different shapes",
)
def electrodes_that_hardly_count(broken: bool) -> Setup:
    """Conditions at the ends that weigh so little that the network solves the equation for other ends.

    Seen: wrong fields for slightly other shapes. Answer: larger weights for the boundaries.
    """

    def truth(x):
        return 3 * x - 1 + 0.2 * np.sin(np.pi * x)

    def source(x):
        return -0.2 * jnp.pi**2 * jnp.sin(jnp.pi * x)

    return solved(0.0, source, (-1.0, 2.0), edges=1e-4 if broken else 1.0, truth=truth)
