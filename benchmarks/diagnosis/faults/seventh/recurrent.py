"""Recurrent networks: rows of padding, weights of the loop, rectifiers in gates, clipping without an effect."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import ACTIVATIONS, Kind, dense, linear
from faults.problems import classified, cross_entropy, own
from faults.registry import Setup, seventh
from faults.second.recurrent import UNITS, cell
from faults.sixth.recurrent import carried, forecast, leaky, windows


@seventh(
    "not-a-number loss",
    "not-a-number gradients",
    kind="mask that hides everything",
    family="recurrent",
    source="github.com/alexTsaptsinos/lyricsHAN/issues/3",
    title="NaN Loss Despite Clip Norm",
)
def lines_of_padding_alone(broken: bool) -> Setup:
    """The kind of a song, line by line, each of which is an average of its words by attention; some lines are empty.

    Seen: the loss is NaN although the norm of gradients is clipped. Answer: rows that are padding alone.
    """
    draw = np.random.default_rng(161)
    kind = draw.integers(3, size=1500).astype(np.int32)
    words = draw.normal(size=(1500, 6, 5, 4)) + 0.7 * np.eye(4)[kind][:, None, None]
    real = (draw.random((1500, 6, 5)) < 0.8).astype(np.float32)
    real[::10, 5] = 0.0
    real[1::10, 4] = 0.0
    real[:, 0, 0] = 1.0
    words = (words * real[..., None]).astype(np.float32)
    params = leaky(161, 4, 3) | {"attention": dense(jax.random.key(162), 4, 1, 1.0)}

    def scores(params, words, real, offsets):
        weight = real * jnp.exp(linear(params["attention"], words)[..., 0])
        total = weight.sum(2, keepdims=True)
        lines = jnp.einsum("nlw,nlwd->nld", weight / (total if broken else total + 1e-6), words)
        return carried(params, lines, offsets)

    def loss(params, batch, offsets):
        found, hidden = scores(params, *batch[:2], offsets)
        return cross_entropy(found, batch[2]), hidden

    def right(params):
        return (scores(params, words[1200:], real[1200:], None)[0].argmax(-1) == kind[1200:]).mean()

    data = (words[:1200], real[:1200], kind[:1200])
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(5e-3))
    more = {"classes": 3, "steps": 300, "batch": 64, "timed": True}
    return classified(params, loss, data, optimizer, jax.jit(right), **more)


@seventh(
    "vanishing",
    kind="initialisation",
    family="recurrent",
    source="github.com/batzner/indrnn/issues/9",
    title="Initialization of recurrent weight for the adding problem or similar problems",
)
def units_of_their_own_memory(broken: bool) -> Setup:
    """The sum of two numbers at the beginning of ninety steps, by units that are fed back to themselves alone.

    Seen: it does not work for long sequences. Answer: weights that are drawn evenly leave few units that remember for
    long; the last layer's should begin at one.
    """
    draw = np.random.default_rng(163)
    steps = 90
    number = draw.uniform(size=(2000, 2))
    x = 0.01 * draw.normal(size=(2000, steps))
    x[np.arange(2000), draw.integers(20, size=2000)] += number[:, 0]
    x[np.arange(2000), draw.integers(20, 40, size=2000)] += number[:, 1]
    x = x[..., None].astype(np.float32)
    y = (number.sum(1) - 1).astype(np.float32)
    keys = jax.random.split(jax.random.key(163), 3)
    kept = jax.random.uniform(keys[0], (UNITS,)) * 0.8 if broken else jnp.ones(UNITS)
    params = {"in": dense(keys[1], 1, UNITS, 0.5), "kept": {"w": kept}, "out": dense(keys[2], UNITS, 1, 1.0)}

    def read(params, x, offsets):
        def step(h, inputs):
            now, shift = inputs
            z = linear(params["in"], now) + params["kept"]["w"] * h
            h = jax.nn.relu(z) + shift
            return h, (z, h)

        offset = jnp.zeros((steps, len(x), UNITS)) if offsets is None else offsets[0]
        z, h = jax.lax.scan(step, jnp.zeros((len(x), UNITS)), (x.swapaxes(0, 1), offset))[1]
        return linear(params["out"], h[-1])[:, 0], ((Kind("relu"), z, h),)

    def loss(params, batch, offsets):
        found, hidden = read(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((read(params, x[:400], None)[0] - y[:400]) ** 2).mean() / y.var()

    more = {"chance": float(y.var()), "steps": 700, "batch": 64, "timed": True}
    return own(params, loss, (x, y), optax.adam(3e-3), error, **more)


@seventh(
    "exploding",
    "learning rate too large",
    "not-a-number loss",
    kind="activation",
    family="recurrent",
    source="github.com/AlexanderVNikitin/tsgm/issues/59",
    title="Loss explosion issue in ConvnLSTMnArchitecture",
)
def rectifiers_in_a_gated_cell(broken: bool) -> Setup:
    """The kind of a series by an LSTM that rectifies what it keeps and shows, where it is usually squashed.

    Seen: sometimes the loss explodes suddenly to very high numbers. Answer: a recurrent layer asks for an activation
    that saturates; without the rectifier it works.
    """
    draw = np.random.default_rng(164)
    steps = 70
    fast = draw.integers(2, size=1000).astype(np.int32)
    pace = np.where(fast, 0.6, 0.35)[:, None]
    phase = draw.uniform(0, 6, size=(1000, 1))
    x = (2 * np.sin(pace * np.arange(steps) + phase) + 0.3 * draw.normal(size=(1000, steps))).astype(np.float32)
    act = ACTIVATIONS["relu" if broken else "tanh"]

    def scores(params, x, offsets):
        p = params["cell"]

        def step(carry, inputs):
            h, c = carry
            now, shift = inputs
            i, f, g, o = jnp.split(now[:, None] @ p["wx"] + h @ p["wh"] + p["b"], 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * act(g) + shift
            h = jax.nn.sigmoid(o) * act(c)
            return (h, c), c

        zeros = jnp.zeros((len(x), UNITS))
        offset = jnp.zeros((steps, len(x), UNITS)) if offsets is None else offsets[0]
        (h, _), kept = jax.lax.scan(step, (zeros, zeros), (x.T, offset))
        return linear(params["readout"], h), ((Kind("linear"), kept, kept),)

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], offsets)
        return cross_entropy(found, batch[1]), hidden

    def error(params):
        return 2 * (scores(params, x[800:], None)[0].argmax(-1) != fast[800:]).mean()

    more = {"chance": float(np.log(2)), "steps": 400, "batch": 64, "timed": True}
    params = cell(164, 2, 1.0)
    params["cell"]["wh"] = 4.0 * params["cell"]["wh"]
    return own(params, loss, (x[:800], fast[:800]), optax.adam(0.01), error, **more)


STRAY = 6321
"""A window that is drawn once, at step 275 of 550."""


@seventh(
    "loss spike",
    "learning rate too large",
    kind="clipping without an effect",
    family="recurrent",
    source="github.com/keithito/tacotron/pull/7",
    title="use clipped_gradients not the original gradients",
)
def gradients_that_are_clipped_and_not_used(broken: bool) -> Setup:
    """What a series is next, by gradients that are clipped, where those that were not clipped are applied.

    Seen: the original gradients are applied. Answer: the clipped ones are right; it might explain why the loss was
    occasionally spiking.
    """
    x, y = windows(24_000, 16, 165)
    y = y.copy()
    y[STRAY] = 1e6
    step = optax.sgd(0.03, 0.9)
    optimizer = step if broken else optax.chain(optax.clip_by_global_norm(1.0), step)

    def squared(found, wanted):
        return (found[:, 0] - wanted) ** 2

    return forecast(x, y, optimizer, squared, seed=165, steps=500)
