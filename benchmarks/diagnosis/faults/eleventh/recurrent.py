"""Recurrent networks: the answer behind the padding, products of shares, a default rate."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import Kind, dense, linear
from faults.problems import recognised
from faults.registry import Setup, eleventh

WORDS, UNITS, LENGTH = 40, 24, 48


def questions(seed: int, count: int = 1500):
    """Questions of three to eight words, with zeros behind them, and which of six kinds each is of."""
    draw = np.random.default_rng(seed)
    kind = draw.integers(6, size=count).astype(np.int32)
    hint = 1 + draw.integers(4, size=(count, LENGTH)) * 6 + kind[:, None]
    other = draw.integers(25, WORDS, size=(count, LENGTH))
    text = np.where(draw.random((count, LENGTH)) < 0.7, hint, other)
    text[np.arange(LENGTH) >= draw.integers(3, 9, size=(count, 1))] = 0
    return text.astype(np.int32), kind


@eleventh(
    "vanishing",
    kind="padding",
    family="recurrent",
    source="github.com/thtrieu/qclass_dl/issues/1",
    title="A question about lstm.py",
)
def answer_behind_the_padding(broken: bool) -> Setup:
    """Which kind a short question is of, read off after forty steps of padding, or after its own last word.

    Seen: terrible results when lines that look for the last word are removed. Answer: yes, what is read is the answer
    at the padding.
    """
    text, kind = questions(1021)
    keys = jax.random.split(jax.random.key(1021), 4)
    words = jax.random.normal(keys[0], (WORDS, 12))
    params = {"words": {"w": words.at[0].set(0.0)}, "in": dense(keys[1], 12, UNITS, 0.5)}
    params |= {"cell": dense(keys[2], UNITS, UNITS, 0.5), "readout": dense(keys[3], UNITS, 6, 1.0)}

    def scores(params, text, offsets):
        def step(h, inputs):
            now, there, shift = inputs
            new = jnp.tanh(linear(params["in"], now) + linear(params["cell"], h))
            h = (new if broken else jnp.where(there, new, h)) + shift
            return h, h

        x = params["words"]["w"][text].swapaxes(0, 1)
        shift = jnp.zeros((LENGTH, len(text), UNITS)) if offsets is None else offsets[0]
        h, states = jax.lax.scan(step, jnp.zeros((len(text), UNITS)), (x, (text > 0).T[..., None], shift))
        return linear(params["readout"], h), ((Kind("linear"), states, states),)

    data, others = (text[:1200], kind[:1200]), (text[1200:], kind[1200:])
    return recognised(params, scores, data, others, optax.sgd(0.1, 0.9), classes=6, batch=32, steps=300, timed=True)


@eleventh(
    "underflow",
    "gradients exactly zero",
    kind="product of shares",
    family="recurrent",
    source="github.com/lindermanlab/ssm/issues/52",
    title="Numerical stability?",
)
def messages_that_are_not_logarithms(broken: bool) -> Setup:
    """Which of four speakers is heard, by a chain of three states for each, whose messages are shares or logarithms.

    Seen: messages of chains are unstable when they are computed in a naive way; is it avoided by logarithms? Answer:
    that is right; products of probabilities go to zero very quickly, and logarithms are used.
    """
    draw = np.random.default_rng(1023)
    count, steps = 1200, 40
    who = draw.integers(4, size=count).astype(np.int32)
    place = draw.normal(size=(4, 3, 4))
    state = (np.arange(steps) // 3 + draw.integers(3, size=(count, 1))) % 3
    x = (place[who[:, None], state] + 0.7 * draw.normal(size=(count, steps, 4))).astype(np.float32)
    keys = jax.random.split(jax.random.key(1023), 2)
    params = {"place": {"w": 0.2 * jax.random.normal(keys[0], (4, 3, 4))}, "moves": {"w": jnp.zeros((4, 3, 3))}}

    def scores(params, x, offsets):
        moves = jax.nn.log_softmax(params["moves"]["w"], axis=-1)
        apart = x.swapaxes(0, 1)[:, :, None, None] - params["place"]["w"]
        seen = -(apart**2).sum(-1) / 2 - 4 * np.log(2 * np.pi) / 2

        def step(message, inputs):
            now, shift = inputs
            if broken:
                message = jnp.einsum("nkij,nki->nkj", jnp.broadcast_to(jnp.exp(moves), (*message.shape, 3)), message)
                message = message * jnp.exp(now)
            else:
                message = jax.nn.logsumexp(message[..., None] + moves, axis=-2) + now
            return message + shift, message + shift

        shift = jnp.zeros((steps, len(x), 4, 3)) if offsets is None else offsets[0]
        start = jnp.full((len(x), 4, 3), 1 / 3)
        last, messages = jax.lax.scan(step, start if broken else jnp.log(start), (seen, shift))
        last = jnp.log(jnp.maximum(last.sum(-1), 1e-37)) if broken else jax.nn.logsumexp(last, axis=-1)
        return last, ((Kind("linear"), messages, messages),)

    data, others = (x[:900], who[:900]), (x[900:], who[900:])
    return recognised(params, scores, data, others, optax.adam(2e-2), classes=4, batch=32, steps=200, timed=True)


@eleventh(
    "learning rate too large",
    kind="default",
    family="recurrent",
    source="github.com/OpenNMT/OpenNMT/issues/265",
    title="Very high perplexity values",
)
def gated_units_at_the_default_rate(broken: bool) -> Setup:
    """Which of twenty words follows eight others by gated units, at the default rate, or at a tenth of it.

    Seen: very high perplexities in the first epoch, by gated units. Answer: try a lower rate, 0.1; it seems to work
    fine.
    """
    draw = np.random.default_rng(1025)
    rule = draw.integers(20, size=(20, 3))
    text = draw.integers(20, size=(4000, 9))
    text[:, 8] = rule[text[:, 7], text[:, 5] % 3]
    x, y = 4 * np.eye(20, dtype=np.float32)[text[:, :8]], text[:, 8].astype(np.int32)
    keys = jax.random.split(jax.random.key(1025), 3)
    params = {"gates": dense(keys[0], 20 + 64, 128, 1.0), "cell": dense(keys[1], 20 + 64, 64, 1.0)}
    params |= {"readout": dense(keys[2], 64, 20, 1.0)}

    def scores(params, x, offsets):
        def step(h, inputs):
            now, shift = inputs
            keep, reset = jnp.split(jax.nn.sigmoid(linear(params["gates"], jnp.concatenate([now, h], 1))), 2, 1)
            new = jnp.tanh(linear(params["cell"], jnp.concatenate([now, reset * h], 1)))
            h = keep * h + (1 - keep) * new + shift
            return h, h

        shift = jnp.zeros((8, len(x), 64)) if offsets is None else offsets[0]
        h, states = jax.lax.scan(step, jnp.zeros((len(x), 64)), (x.swapaxes(0, 1), shift))
        return linear(params["readout"], h), ((Kind("linear"), states, states),)

    data, others = (x[:3400], y[:3400]), (x[3400:], y[3400:])
    optimizer = optax.sgd(2.0 if broken else 0.2, 0.9)
    return recognised(params, scores, data, others, optimizer, classes=20, batch=32, steps=300, timed=True)
