"""Networks that solve equations, or seem to."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, second


def _value(params, x):
    return perceptron(params, x[None, None], None, "tanh")[0][0, 0]


def _points(params, x, offsets):
    """The hidden points, and a zero that depends on them."""
    _, hidden = perceptron(params, x[:, None], offsets, "tanh")
    return hidden, sum(h.sum() for _, _, h in hidden) * 0.0


@second(
    "zero solves the equation and all of its conditions",
    kind="trivial answer",
    family="physics-informed",
    source="github.com/lululxvi/deepxde/issues/356",
    title="How to avoid learning a trivial solution?",
)
def nothing_in_the_well(broken: bool) -> Setup:
    """A wave in a well, which may be zero everywhere unless its norm is asked for."""
    x = np.linspace(0, 1, 64, dtype=np.float32)

    def loss(params, batch, offsets):
        bent = jax.vmap(jax.grad(jax.grad(_value, 1), 1), (None, 0))(params, batch[0])
        wave = jax.vmap(_value, (None, 0))(params, batch[0])
        edges = _value(params, jnp.float32(0)) ** 2 + _value(params, jnp.float32(1)) ** 2
        norm = 0.0 if broken else ((wave**2).mean() - 1) ** 2
        hidden, zero = _points(params, batch[0], offsets)
        return ((bent / np.pi**2 + wave) ** 2).mean() + edges + norm + zero, hidden

    def error(params):
        wave = jax.vmap(_value, (None, 0))(params, x)
        found = jnp.sign(wave.sum()) * wave
        return ((found - np.sqrt(2) * np.sin(np.pi * x)) ** 2).mean()

    return own(mlp(0, [1, 32, 32, 1], 1.0), loss, (x,), optax.adam(5e-3), error, steps=600)


@second(
    "far from unit scale",
    "saturation",
    kind="scale of the data",
    family="physics-informed",
    source="github.com/Photon-AI-Research/NeuralSolvers/pull/50",
    title="Fix dynamic finger net",
)
def domain_of_thousands(broken: bool) -> Setup:
    """A wave over 2,048 seconds, by its slope, which the network is given in seconds."""
    length, turns = 2048.0, 3 * np.pi
    x = np.linspace(0, length, 96, dtype=np.float32) if broken else np.linspace(-1, 1, 96, dtype=np.float32)
    rate = turns / (x[-1] - x[0])
    phase = turns * np.linspace(0, 1, 96, dtype=np.float32)
    begin = jnp.float32(x[0])

    def loss(params, batch, offsets):
        slope = jax.vmap(jax.grad(_value, 1), (None, 0))(params, batch[0])
        hidden, zero = _points(params, batch[0], offsets)
        return ((slope / rate - batch[1]) ** 2).mean() + _value(params, begin) ** 2 + zero, hidden

    def error(params):
        truth = np.sin(phase)
        return ((jax.vmap(_value, (None, 0))(params, x) - truth) ** 2).mean() / truth.var()

    params = mlp(1, [1, 32, 32, 1], 1.0)
    return own(params, loss, (x, np.cos(phase)), optax.adam(5e-3), error, steps=600)
