"""Recurrent networks: stacks without a norm, a series as it is, large weights, a rate of twenty."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import Kind, activated, dense, linear
from faults.problems import recognised
from faults.registry import Setup, tenth
from faults.second.convolutional import normalised
from faults.sixth.recurrent import carried, forecast, leaky, windows


@tenth(
    "vanishing",
    kind="norm that is left out",
    family="recurrent",
    source="github.com/Sunnydreamrain/IndRNN_Theano_Lasagne/issues/1",
    title="Dropping batch_norm layer seems to deteriorate the performance a lot.",
)
def stack_without_a_norm(broken: bool) -> Setup:
    """Which of four sounds was heard, by nine layers of units that only recur on themselves, with or without a norm.

    Seen: without batch normalization the performance deteriorates a lot. Answer: yes; without it, a network of more
    than three layers will not work.
    """
    draw = np.random.default_rng(751)
    sound = draw.integers(4, size=1600).astype(np.int32)
    shape = draw.normal(size=(4, 12, 6))
    x = (0.8 * shape[sound] + draw.normal(size=(1600, 12, 6))).astype(np.float32)
    depth, units = 9, 16
    keys = jax.random.split(jax.random.key(751), depth + 1)
    params = {}
    for i in range(depth):
        params[f"layer{i}"] = dense(keys[i], units if i else 6, units, 0.03)
        params[f"layer{i}"]["u"] = jnp.linspace(0.0, 0.9, units)
    params["out"] = dense(keys[-1], units, 4, 1.0)

    def scores(params, x, offsets):
        hidden, h = [], x
        for i in range(depth):
            layer = params[f"layer{i}"]
            z = linear(layer, h)
            z = z if broken else normalised(z, (0, 1))

            def step(state, now, layer=layer):
                state = jnp.tanh(now + layer["u"] * state)
                return state, state

            states = jax.lax.scan(step, jnp.zeros((len(x), units)), z.swapaxes(0, 1))[1]
            h = activated("linear", states.swapaxes(0, 1), hidden, offsets)
        return linear(params["out"], h[:, -1]), tuple(hidden)

    data, others = (x[:1200], sound[:1200]), (x[1200:], sound[1200:])
    return recognised(params, scores, data, others, optax.sgd(0.05, 0.9), classes=4, batch=32, steps=300)


@tenth(
    "far from unit scale",
    "saturation",
    kind="scale of the series",
    family="recurrent",
    source="github.com/unit8co/darts/issues/779",
    title="Forecast issue",
)
def passengers_as_they_are(broken: bool) -> Setup:
    """What a series of some hundreds is next, from its last twenty values, by a recurrent network.

    Seen: forecasts that have nothing to do with the series. Answer: scale the series before fitting, and scale the
    forecasts back.
    """
    x, y = windows(1024, 20, 753)
    if broken:
        x, y = (400 + 150 * each for each in (x, y))
    x, y = x.astype(np.float32), y.astype(np.float32)

    def squared(found, wanted):
        return (found[:, 0] - wanted) ** 2

    return forecast(x, y, optax.adam(5e-3), squared, seed=753, steps=400)


@tenth(
    "saturation",
    "vanishing",
    kind="initialisation",
    family="recurrent",
    source="github.com/speechbrain/speechbrain/issues/104",
    title="Proper CUDNN RNN initialisation",
)
def states_of_large_weights(broken: bool) -> Setup:
    """Which of six words was said in the first twelve of sixteen frames, by many units of hyperbolic tangents.

    Seen: a problem of convergence is probably due to the initialisation; units of hyperbolic tangents might saturate
    the more of them there are. Answer: Glorot's weights; proposed in the report itself, and closed.
    """
    draw = np.random.default_rng(755)
    word = draw.integers(6, size=1600).astype(np.int32)
    shape = draw.normal(size=(6, 16, 8))
    shape[:, 12:] = 0.0
    x = (0.8 * shape[word] + draw.normal(size=(1600, 16, 8))).astype(np.float32)
    units = 48
    keys = jax.random.split(jax.random.key(755), 2)
    gain = 25.0 if broken else 0.9
    params = {"cell": dense(keys[0], 8 + units, units, gain), "readout": dense(keys[1], units, 6, 1.0)}

    def scores(params, x, offsets):
        def step(h, inputs):
            now, shift = inputs
            z = linear(params["cell"], jnp.concatenate([now, h], axis=1))
            h = jnp.tanh(z) + shift
            return h, (z, h)

        shift = jnp.zeros((16, len(x), units)) if offsets is None else offsets[0]
        h, (z, states) = jax.lax.scan(step, jnp.zeros((len(x), units)), (x.swapaxes(0, 1), shift))
        return linear(params["readout"], h), ((Kind("tanh"), z, states),)

    more = {"classes": 6, "batch": 32, "steps": 300, "timed": True}
    return recognised(params, scores, (x[:1200], word[:1200]), (x[1200:], word[1200:]), optax.adam(2e-3), **more)


@tenth(
    "learning rate too large",
    kind="default",
    family="recurrent",
    source="github.com/pytorch/examples/pull/223",
    title="[BUG] potential typo in default learning rate",
)
def default_of_twenty(broken: bool) -> Setup:
    """The next of twenty characters, by a recurrent network of hyperbolic tangents, at the default rate of twenty.

    Seen: with the default of 20 the loss explodes, or there is no learning at all; with 1 or 2 the models learn.
    Answer: it is about the fastest rate one can use; a smaller one and clipping are suggested.
    """
    draw = np.random.default_rng(757)
    rule = draw.integers(20, size=(20, 3))
    text = draw.integers(20, size=(2000, 9))
    for t in range(2, 9):
        sure = draw.random(2000) < 0.9
        text[:, t] = np.where(sure, rule[text[:, t - 1], text[:, t - 2] % 3], text[:, t])
    x = np.eye(20, dtype=np.float32)[text[:, :8]]
    y = text[:, 8].astype(np.int32)
    more = {"classes": 20, "batch": 64, "steps": 400, "timed": True}
    data, others = (x[:1600], y[:1600]), (x[1600:], y[1600:])
    optimizer = optax.sgd(20.0 if broken else 1.0)
    return recognised(leaky(757, 20, 20), carried, data, others, optimizer, **more)
