"""Recurrent networks: gates, a softmax, embeddings at rest, too many epochs, a backward pass."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import Kind, dense, linear
from faults.problems import classified, cross_entropy, own, recognised
from faults.registry import Setup, ninth
from faults.sixth.recurrent import carried, leaky

UNITS = 24


def gated(seed: int, features: int, outputs: int, forget: float = 1.0):
    """A network of cells with three gates, the bias of whose second one is `forget`, and its output layer."""
    keys = jax.random.split(jax.random.key(seed), 2)
    cell = dense(keys[0], features + UNITS, 4 * UNITS, 1.0)
    cell["b"] = cell["b"].at[UNITS : 2 * UNITS].set(forget)
    return {"cell": cell, "readout": dense(keys[1], UNITS, outputs, 1.0)}


def remembered(params, x, offsets):
    """What is read off after the last step of x [examples, steps, features], and all cells."""

    def step(carry, inputs):
        h, c = carry
        now, shift = inputs
        z = linear(params["cell"], jnp.concatenate([now, h], axis=1))
        i, f, o, new = jnp.split(z, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(new) + shift
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), c

    zeros = jnp.zeros((len(x), UNITS))
    shift = jnp.zeros((x.shape[1], len(x), UNITS)) if offsets is None else offsets[0]
    (h, _), cells = jax.lax.scan(step, (zeros, zeros), (x.swapaxes(0, 1), shift))
    return linear(params["readout"], h), ((Kind("linear"), cells, cells),)


@ninth(
    "vanishing",
    kind="bias of the gates",
    family="recurrent",
    source="github.com/kaldi-asr/kaldi/pull/190",
    title="add bias init for nnet3",
)
def gates_without_a_bias(broken: bool) -> Setup:
    """Which of four sounds came first of sixty frames, by gated cells that keep half of their content at each.

    Seen: gates are initialised at random. Answer: a certain value of their bias lets gradients flow at the beginning
    and prevents that they vanish; merged.
    """
    draw = np.random.default_rng(571)
    first = draw.integers(4, size=1600).astype(np.int32)
    x = 0.3 * draw.normal(size=(1600, 60, 4))
    x[np.arange(1600), 0, first] += 2.0
    x = x.astype(np.float32)

    params = gated(571, 4, 4, 0.0 if broken else 4.0)
    more = {"classes": 4, "batch": 32, "steps": 300, "timed": True}
    return recognised(params, remembered, (x[:1200], first[:1200]), (x[1200:], first[1200:]), optax.adam(3e-3), **more)


@ninth(
    "softmax applied twice",
    kind="softmax before a softmax",
    family="recurrent",
    source="github.com/IBM/dstc-noesis/issues/18",
    title="No need to use nn.Softmax layer when using nn.CrossEntropyLoss()",
)
def answers_to_a_dialogue(broken: bool) -> Setup:
    """Which of thirty candidates answers a dialogue, by a recurrent network and a softmax before one of the loss.

    Seen: the last layer is a softmax, and the loss has another one. Answer: right, the loss takes care of it; it will
    be fixed.
    """
    draw = np.random.default_rng(573)
    offered = draw.normal(size=(30, 8))
    which = draw.integers(30, size=2400).astype(np.int32)
    x = (offered[which][:, None] * draw.uniform(0.5, 1.5, size=(2400, 6, 1)) + draw.normal(size=(2400, 6, 8))).astype(
        np.float32
    )

    def loss(params, batch, offsets):
        found, hidden = carried(params, batch[0], offsets)
        return cross_entropy(jax.nn.softmax(found) if broken else found, batch[1]), hidden

    chance = float(np.log(30))

    def error(params):
        return loss(params, (x[2000:], which[2000:]), None)[0] / chance

    more = {"chance": chance, "batch": 32, "steps": 400, "timed": True}
    return own(leaky(573, 8, 30), loss, (x[:2000], which[:2000]), optax.adam(1e-2), error, **more)


@ninth(
    "frozen",
    kind="embeddings that rest",
    family="recurrent",
    source="github.com/roypan/CS224n/issues/1",
    title="Underperformance of the Window and RNN models",
)
def words_that_are_never_updated(broken: bool) -> Setup:
    """Of which kind a text is, by a recurrent network over words of two numbers each, which nobody updates.

    Seen: the window and the recurrent models perform too badly; the word vectors do not get updated. Answer: make a
    variable of them, for more than ten points.
    """
    draw = np.random.default_rng(574)
    kind = draw.integers(10, size=2000).astype(np.int32)
    hint = draw.integers(10, size=(2000, 6)) * 10 + kind[:, None]
    text = np.where(draw.random((2000, 6)) < 0.7, hint, draw.integers(100, size=(2000, 6))).astype(np.int32)
    params = leaky(574, 2, 10) | {"words": {"w": jax.random.normal(jax.random.key(575), (100, 2))}}

    def scores(params, text, offsets):
        return carried(params, params["words"]["w"][text], offsets)

    words = optax.set_to_zero() if broken else optax.adam(0.02)
    groups = {name: "words" if name == "words" else "rest" for name in params}
    optimizer = optax.multi_transform({"words": words, "rest": optax.adam(0.01)}, groups)
    more = {"classes": 10, "batch": 32, "steps": 400, "timed": True}
    return recognised(params, scores, (text[:1600], kind[:1600]), (text[1600:], kind[1600:]), optimizer, **more)


@ninth(
    "learned by heart",
    kind="too many epochs",
    family="recurrent",
    source="github.com/gran4/AI-InvestiBot/issues/46",
    title="OVER FITTING",
)
def stocks_for_a_thousand_epochs(broken: bool) -> Setup:
    """The next price from the last ones, which is mostly noise, by sixty windows, until there is nothing left to learn.

    Seen: the more epochs, the less error in training, and the more in the test. Answer: early stopping and less
    complexity, which solved it.
    """
    draw = np.random.default_rng(576)
    x = draw.normal(size=(460, 8, 3)).astype(np.float32)
    trend = x[:, :, 0].mean(1) + 0.5 * x[:, -1, 1]
    clean = (trend / trend.std()).astype(np.float32)
    y = (clean + 1.2 * draw.normal(size=460)).astype(np.float32)

    def loss(params, batch, offsets):
        found, hidden = carried(params, batch[0], offsets)
        return ((found[:, 0] - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((carried(params, x[60:], None)[0][:, 0] - clean[60:]) ** 2).mean() / clean[60:].var()

    more = {"chance": float(y[:60].var()), "steps": 400 if broken else 20, "timed": True}
    return own(leaky(576, 3, 1), loss, (x[:60], y[:60]), optax.adam(1e-2), error, **more)


def _exactly(scores):
    """The logarithm of the sum of all paths."""
    return jax.nn.logsumexp(scores, axis=-1)


@jax.custom_vjp
def _total(scores):
    """The same, with a slope that forgets what it is multiplied by."""
    return _exactly(scores)


_total.defvjp(lambda scores: (_exactly(scores), jax.nn.softmax(scores)), lambda share, slope: (share,))


@ninth(
    "updates point uphill",
    kind="slope that is not passed on",
    family="recurrent",
    source="github.com/k2-fsa/k2/issues/341",
    title="Backward of get_tot_scores ignores gradient",
)
def total_whose_slope_is_forgotten(broken: bool) -> Setup:
    """Which of six words was spoken, by the logarithm of its share of all, where the total ignores its own sign.

    Seen: the backward pass of the total does not multiply by the gradient at its output, which gets the sign of the
    update wrong. Answer: multiply; it will be fixed.
    """
    draw = np.random.default_rng(577)
    word = draw.integers(6, size=1600).astype(np.int32)
    shape = draw.normal(size=(6, 10, 8))
    x = (0.7 * shape[word] + draw.normal(size=(1600, 10, 8))).astype(np.float32)

    def loss(params, batch, offsets):
        found, hidden = carried(params, batch[0], offsets)
        total = _total if broken else _exactly
        said = found + jnp.log(jax.nn.one_hot(batch[1], 6) + 1e-30)
        return (total(found) - total(said)).sum(), hidden

    right = jax.jit(lambda params: (carried(params, x[1200:], None)[0].argmax(-1) == word[1200:]).mean())
    more = {"classes": 6, "batch": 32, "steps": 200, "timed": True, "chance": float(32 * np.log(6))}
    return classified(leaky(577, 8, 6), loss, (x[:1200], word[:1200]), optax.sgd(3e-3), right, **more)
