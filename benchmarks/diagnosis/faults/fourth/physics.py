"""A network that knows a law of cooling."""

import jax
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, fourth


@fourth(
    "far from unit scale",
    "saturation",
    "first loss too large",
    kind="scale of the data",
    family="physics-informed",
    source="github.com/TheodoreWolf/pinns/pull/3",
    title="Input scaling, optimiser choise and other changes",
)
def cooling_in_seconds_and_degrees(broken: bool) -> Setup:
    """A cup that cools, over a thousand seconds and from 95 degrees, by its law and by a few temperatures.

    Seen: the tutorial's network is large and slow. Answer: time and temperature are scaled to between 0 and 1.
    """
    rate, around = 0.005, 25.0
    seconds = np.linspace(0, 1000, 128, dtype=np.float32)
    degrees = (around + 70 * np.exp(-rate * seconds)).astype(np.float32)
    time, warmth = (1.0, 1.0) if broken else (1000.0, 100.0)
    t, target = seconds[:, None] / time, degrees / warmth
    known = np.arange(128) % 12 == 0

    def value(params, t):
        return perceptron(params, t[None], None, "tanh")[0][0, 0]

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "tanh")
        slope = jax.vmap(jax.grad(value, 1), (None, 0))(params, batch[0])[:, 0]
        law = slope / time + rate * (found[:, 0] - around / warmth)
        data = (batch[2] * (found[:, 0] - batch[1]) ** 2).sum() / batch[2].sum()
        return data + (time**2) * (law**2).mean() / 100, hidden

    def error(params):
        return ((perceptron(params, t, None, "tanh")[0][:, 0] - target) ** 2).mean() / target.var()

    data = (t, target, known.astype(np.float32))
    return own(mlp(0, [1, 32, 32, 1], 1.0), loss, data, optax.adam(3e-3), error, steps=1500)
