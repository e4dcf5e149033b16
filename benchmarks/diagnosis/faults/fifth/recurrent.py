"""Recurrent networks: rectified readouts, rates of other cells, loops that grow or forget."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import ACTIVATIONS, Kind, dense, linear
from faults.problems import cross_entropy, own
from faults.registry import Setup, fifth
from faults.second.attention import normalised
from faults.second.recurrent import UNITS, cell, signs, states


@fifth(
    "units that died",
    "gradients exactly zero",
    "dead units",
    "learning rate too large",
    kind="momentum",
    family="recurrent",
    source="github.com/keras-team/keras/issues/3687",
    title="Predictions are all zero",
)
def rectified_readout_of_a_sequence(broken: bool) -> Setup:
    """An LSTM whose answer is rectified, under a momentum of 0.99 that carries all answers below zero for good.

    Seen: all predictions are zero after training. Answer: none in the thread; a momentum of 0.5 works.
    """
    x = np.random.default_rng(0).normal(size=(768, 16)).astype(np.float32)
    y = (8 + 2 * x[:, -3:].sum(1) / 3**0.5).astype(np.float32)

    def read(params, x, offsets):
        offset = jnp.zeros((x.shape[1], len(x), UNITS)) if offsets is None else offsets[0]
        shown, kept = states(params["cell"], x.T, offset)
        return jax.nn.relu(linear(params["readout"], shown[-1])[:, 0]), ((Kind("linear"), kept, kept),)

    def loss(params, batch, offsets):
        found, hidden = read(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((read(params, x, None)[0] - y) ** 2).mean() / y.var()

    more = {"chance": float(y.var()), "steps": 500, "batch": 64, "timed": True}
    optimizer = optax.sgd(0.2, 0.99 if broken else 0.5, nesterov=True)
    return own(cell(0, 1, 1.0), loss, (x, y), optimizer, error, **more)


def _gated(params, x, offset):
    """What a GRU holds at each step of x [steps, batch, features]."""

    def step(h, inputs):
        now, shift = inputs
        given, kept = now @ params["wx"] + params["b"], h @ params["wh"]
        reset, update = jnp.split(jax.nn.sigmoid((given + kept)[:, : 2 * UNITS]), 2, axis=1)
        new = jnp.tanh(given[:, 2 * UNITS :] + reset * kept[:, 2 * UNITS :])
        h = update * h + (1 - update) * new + shift
        return h, h

    return jax.lax.scan(step, jnp.zeros((x.shape[1], UNITS)), (x, offset))[1]


@fifth(
    "learning rate too large",
    kind="rate of another optimizer",
    family="recurrent",
    source="github.com/joeynmt/joeynmt/issues/61",
    title="Iwslt-envi-luong config fails to learn when using GRU instead of LSTM",
)
def rate_of_another_cell(broken: bool) -> Setup:
    """Words that follow from the last two, summed over a sentence, by a GRU under plain descent at a rate of 1.

    Seen: the configuration fails to learn with a GRU. Answer: it was tuned for an LSTM; take Adam and a small rate.
    """
    draw = np.random.default_rng(1)
    words = draw.integers(8, size=(768, 20)).astype(np.int32)
    answers = ((words + np.pad(words, ((0, 0), (1, 0)))[:, :-1]) % 8).astype(np.int32)
    keys = jax.random.split(jax.random.key(1), 4)
    params = {
        "embed": {"w": jax.random.normal(keys[0], (8, 16))},
        "cell": {
            "wx": jax.random.normal(keys[1], (16, 3 * UNITS)) / 4,
            "wh": jax.random.normal(keys[2], (UNITS, 3 * UNITS)) / UNITS**0.5,
            "b": jnp.zeros(3 * UNITS),
        },
        "readout": dense(keys[3], UNITS, 8, 1.0),
    }

    def scores(params, words, offsets):
        offset = jnp.zeros((words.shape[1], len(words), UNITS)) if offsets is None else offsets[0]
        kept = _gated(params["cell"], params["embed"]["w"][words.T], offset)
        return linear(params["readout"], kept).swapaxes(0, 1), ((Kind("linear"), kept, kept),)

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], offsets)
        return 20 * cross_entropy(found, batch[1]), hidden

    def error(params):
        return (scores(params, words, None)[0].argmax(-1) != answers).mean() * 8 / 7

    optimizer = optax.sgd(1.0) if broken else optax.adam(1e-2)
    more = {"chance": 20 * float(np.log(8)), "steps": 400, "batch": 64, "timed": True}
    return own(params, loss, (words, answers), optimizer, error, **more)


def _loop(params, x, offsets, kind, between=lambda z: z):
    """What a plain recurrent network shows at each step of x [examples, steps], and its states."""
    act = ACTIVATIONS[kind]

    def step(h, inputs):
        now, shift = inputs
        z = between(now[:, None] @ params["wx"] + h @ params["wh"] + params["b"])
        h = act(z) + shift
        return h, (z, h)

    offset = jnp.zeros((x.shape[1], len(x), UNITS)) if offsets is None else offsets[0]
    z, h = jax.lax.scan(step, jnp.zeros((len(x), UNITS)), (x.T, offset))[1]
    return h, ((Kind(kind), z, h),)


def _weights(seed: int, wh, outputs: int):
    keys = jax.random.split(jax.random.key(seed), 2)
    loop = {"wx": jax.random.normal(keys[0], (1, UNITS)), "wh": wh, "b": jnp.zeros(UNITS)}
    return loop | {"readout": dense(keys[1], UNITS, outputs, 1.0)}


@fifth(
    "exploding",
    "learning rate too large",
    "first loss too large",
    kind="norm that is left out",
    family="recurrent",
    source="github.com/richardassar/SampleRNN_torch/issues/1",
    title="Training on piano dataset, loss floats around 2.5",
)
def loop_without_a_norm(broken: bool) -> Setup:
    """Tones that are carried on by a loop of rectifiers, whose states grow from step to step.

    Seen: huge gradients, whatever the rate. Answer: a norm of weights or layers keeps the states of the loop stable.
    """
    draw = np.random.default_rng(2)
    pitch, phase = draw.uniform(0.2, 0.9, size=(2, 768, 1))
    tone = np.sin(pitch * np.arange(60) + 6 * phase).astype(np.float32)
    x, y = tone[:, :56], tone[:, 56]
    wh = jax.random.normal(jax.random.key(3), (UNITS, UNITS)) * (4.5 / UNITS) ** 0.5
    between = (lambda z: z) if broken else normalised

    def read(params, x, offsets):
        shown, hidden = _loop(params, x, offsets, "relu", between)
        return linear(params["readout"], shown[-1])[:, 0], hidden

    def loss(params, batch, offsets):
        found, hidden = read(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((read(params, x, None)[0] - y) ** 2).mean() / y.var()

    more = {"chance": float(y.var()), "steps": 400, "batch": 64, "timed": True}
    return own(_weights(4, wh, 1), loss, (x, y), optax.adam(5e-3), error, **more)


@fifth(
    "vanishing",
    kind="initialisation",
    family="recurrent",
    source="github.com/mratsim/Arraymancer/issues/339",
    title="Implement orthogonal weight initialisation",
)
def loop_of_small_random_weights(broken: bool) -> Setup:
    """A sign at the beginning of eighty steps, by a plain loop of small random weights, which forgets it.

    Seen: no orthogonal initialisation. Answer: it is what recurrent networks need to learn dependencies that are long.
    """
    x, y = signs(80)
    rotation = jax.nn.initializers.orthogonal()(jax.random.key(5), (UNITS, UNITS))
    noise = jax.random.normal(jax.random.key(6), (UNITS, UNITS)) * 0.5 / UNITS**0.5

    def scores(params, x, offsets):
        shown, hidden = _loop(params, x, offsets, "tanh")
        return linear(params["readout"], shown[-1]), hidden

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], offsets)
        return cross_entropy(found, batch[1]), hidden

    def error(params):
        return 2 * (scores(params, x, None)[0].argmax(-1) != y).mean()

    more = {"chance": float(np.log(2)), "steps": 200, "batch": 64, "timed": True}
    params = _weights(7, noise if broken else rotation, 2)
    return own(params, loss, (x, y), optax.adam(1e-3), error, **more)
