"""Recurrent networks: weights that are drawn too small or too large, a default rate, few sentences."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import Kind, activated, dense, linear
from faults.problems import recognised
from faults.registry import Setup, eighth
from faults.second.recurrent import UNITS
from faults.sixth.recurrent import carried, forecast, leaky, windows


def _voices(count: int, seed: int, noise: float = 0.8):
    """Which of four sounds is made, in twelve frames of sixteen numbers, under noise of some deviation."""
    draw = np.random.default_rng(seed)
    label = draw.integers(4, size=count).astype(np.int32)
    shape = np.random.default_rng(0).normal(size=(4, 12, 16))
    x = 0.5 * shape[label] + noise * draw.normal(size=(count, 12, 16))
    return x.astype(np.float32), label


@eighth(
    "vanishing",
    kind="initialisation",
    family="recurrent",
    source="github.com/mozilla/DeepSpeech/issues/138",
    title="Initializing weights and biases with stddev=0.1 seems to ease convergence",
)
def sounds_by_small_weights(broken: bool) -> Setup:
    """Three rectified layers, a loop and another layer, whose weights have the deviation of a far wider network.

    Seen: the model never improves. Answer: a deviation of 0.1 for weights eases the convergence; no other can be used
    to learn the data by heart.
    """
    x, label = _voices(1600, 341)
    width, deviation = 64, 0.03 if broken else 0.17
    keys = jax.random.split(jax.random.key(341), 6)
    sizes = {"one": (16, width), "two": (width, width), "three": (width, width), "loop": (2 * width, width)}
    sizes |= {"five": (width, width), "out": (width, 4)}
    params = {
        name: {"w": deviation * jax.random.normal(key, size), "b": jnp.zeros(size[1])}
        for key, (name, size) in zip(keys, sizes.items(), strict=True)
    }

    def scores(params, x, offsets):
        hidden, h = [], x
        for name in ("one", "two", "three"):
            h = activated("relu", linear(params[name], h), hidden, offsets)

        def step(state, now):
            state = jnp.tanh(linear(params["loop"], jnp.concatenate([now, state], axis=1)))
            return state, None

        state = jax.lax.scan(step, jnp.zeros((len(x), width)), h.swapaxes(0, 1))[0]
        h = activated("relu", linear(params["five"], state), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    data = (x[:1200], label[:1200])
    return recognised(
        params, scores, data, (x[1200:], label[1200:]), optax.sgd(0.03, 0.9), classes=4, batch=32, steps=400
    )


@eighth(
    "saturation",
    "vanishing",
    kind="weights of the gates",
    family="recurrent",
    source="github.com/mukul-rathi/deep-learning-tutorials/issues/2",
    title="LSTM Sigmoid and Tanh gradients saturated",
)
def gates_that_are_open_or_shut(broken: bool) -> Setup:
    """An LSTM whose weights are drawn from a standard normal distribution, whatever the number of its inputs.

    Seen: the gradients of the sigmoids and tangents are saturated. Answer: look at how weights are initialised.
    """
    x, label = _voices(4000, 342, 1.6)
    scale = 1.0 if broken else 0.12
    keys = jax.random.split(jax.random.key(342), 2)
    params = {
        "cell": {"w": scale * jax.random.normal(keys[0], (16 + UNITS, 4 * UNITS)), "b": jnp.zeros(4 * UNITS)},
        "readout": dense(keys[1], UNITS, 4, 1.0),
    }

    def scores(params, x, offsets):
        steps = x.shape[1]

        def step(carry, inputs):
            h, c = carry
            now, gate_shift, input_shift = inputs
            z = linear(params["cell"], jnp.concatenate([now, h], axis=1))
            gates = jax.nn.sigmoid(z[:, : 3 * UNITS]) + gate_shift
            new = jnp.tanh(z[:, 3 * UNITS :]) + input_shift
            i, f, o = jnp.split(gates, 3, axis=1)
            c = f * c + i * new
            h = o * jnp.tanh(c)
            return (h, c), (z, gates, new)

        zeros = jnp.zeros((len(x), UNITS))
        shift = [jnp.zeros((steps, len(x), 3 * UNITS)), jnp.zeros((steps, len(x), UNITS))]
        shift = shift if offsets is None else offsets
        (h, _), (z, gates, new) = jax.lax.scan(step, (zeros, zeros), (x.swapaxes(0, 1), *shift))
        points = (Kind("sigmoid"), z[..., : 3 * UNITS], gates), (Kind("tanh"), z[..., 3 * UNITS :], new)
        return linear(params["readout"], h), points

    more = {"classes": 4, "batch": 32, "steps": 300, "timed": True}
    return recognised(params, scores, (x[:3600], label[:3600]), (x[3600:], label[3600:]), optax.sgd(0.03, 0.9), **more)


@eighth(
    "learning rate too small",
    kind="default",
    family="recurrent",
    source="github.com/kermitt2/delft/pull/161",
    title="add learning rate visualisation and manual parameter",
)
def default_with_one_zero_more(broken: bool) -> Setup:
    """What a series is next, by a recurrent network at a default rate that got a zero too many.

    Seen: the default is changed from 0.001 to 0.0001, which is very low for a recurrent network. Answer: a mistake,
    all these zeroes were confusing; it was put right.
    """
    x, y = windows(2000, 16, 343)

    def squared(found, wanted):
        return (found[:, 0] - wanted) ** 2

    return forecast(x, y, optax.adam(1e-4 if broken else 1e-3), squared, seed=343, steps=200)


@eighth(
    "learned by heart",
    kind="too few examples",
    family="recurrent",
    source="github.com/Franck-Dernoncourt/NeuroNER/issues/85",
    title="Generalization With Neuro-NER and overfiting disease",
)
def names_of_few_texts(broken: bool) -> Setup:
    """The kind of name that a noisy text holds, by a recurrent network that has seen forty texts.

    Seen: 99.85 of 100 on what it was trained with, and 82.73 on other texts. Answer: gather more data, or regularise.
    """
    count = 40 if broken else 3000
    x, label = _voices(count, 344, 2.0)
    others, wanted = _voices(600, 345, 2.0)

    more = {"classes": 4, "batch": 20, "steps": 500, "timed": True}
    return recognised(leaky(344, 16, 4), carried, (x, label), (others, wanted), optax.adam(5e-3), **more)
