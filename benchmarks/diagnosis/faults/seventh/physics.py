"""Networks that know a law: solutions of tens, and planets in metres and seconds."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.physics import solved
from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, seventh


@seventh(
    "far from unit scale",
    "first loss too large",
    kind="scale of the solution",
    family="physics-informed",
    source="github.com/lululxvi/deepxde/issues/33",
    title="1D Helmholtz equation with NBC and RBC",
)
def waves_of_two_hundred(broken: bool) -> Setup:
    """A standing wave that is driven, and two hundred high, or one in units of its height.

    Seen: the loss of the equation does not go down. Answer: the solution is not of the scale of one; scale the
    equation, or the output of the network.
    """
    x = np.linspace(0, 1, 64, dtype=np.float32)
    height, pitch, number = (200.0 if broken else 1.0), 2 * np.pi, 1.0
    wave = (height * np.cos(pitch * x)).astype(np.float32)

    def law(u, slope, bend, x):
        force = height * (number**2 - pitch**2) * jnp.cos(pitch * x)
        return (bend + number**2 * u - force) / pitch**2

    return solved(mlp(151, [1, 24, 24, 1], 1.0), x, wave, law, optax.adam(3e-3), steps=1500)


@seventh(
    "far from unit scale",
    "saturation",
    kind="unit of time",
    family="physics-informed",
    source="github.com/NeuroDiffGym/neurodiffeq/issues/143",
    title="Failed to train a neural network to fit the euqation of motion for celectial objects",
)
def planet_in_metres_and_seconds(broken: bool) -> Setup:
    """A quarter of a planet's way around its star, from where it is and how fast, in units or without any.

    Seen: the training failed. Answer: take the units out of the equations; scales that are too big or too small are a
    known problem. It trains then.
    """
    length, time = (900.0, 2500.0) if broken else (1.0, 1.0)
    t = (time * np.linspace(0, np.pi / 2, 48)).astype(np.float32)
    truth = (length * np.stack([np.cos(t / time), np.sin(t / time)], axis=1)).astype(np.float32)
    pull = length**3 / time**2

    def place(params, t):
        return perceptron(params, t[None, None], None, "tanh")[0][0]

    speed = jax.jacfwd(place, 1)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0][:, None], offsets, "tanh")
        bend = jax.vmap(jax.jacfwd(speed, 1), (None, 0))(params, batch[0])
        law = bend + pull * found * (1.01 / ((found**2).sum(1, keepdims=True) / length**2 + 0.01)) ** 1.5 / length**3
        start = ((found[0] - truth[0]) ** 2).sum()
        pace = ((speed(params, batch[0][0]) - jnp.array([0.0, length / time])) ** 2).sum()
        return (law**2).mean() + 10 * (start + pace), hidden

    def error(params):
        return ((perceptron(params, t[:, None], None, "tanh")[0] - truth) ** 2).mean() / truth.var(0).mean()

    return own(mlp(152, [1, 32, 32, 2], 1.0), loss, (t,), optax.adam(5e-3), error, steps=1500)
