"""Recurrent networks: shapes, gates that forget, softmaxes, few sequences."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import Kind, dense, linear
from faults.problems import classified, cross_entropy, digits, own
from faults.registry import Setup, sixth
from faults.second.recurrent import UNITS, recall


def leaky(seed: int, features: int, outputs: int):
    """A network of units that keep half of their state at each step, and its output layer."""
    keys = jax.random.split(jax.random.key(seed), 2)
    return {"cell": dense(keys[0], features + UNITS, UNITS, 1.0), "readout": dense(keys[1], UNITS, outputs, 1.0)}


def carried(params, x, offsets):
    """What is read off after the last step of x [examples, steps, features], and the states."""

    def step(h, inputs):
        now, shift = inputs
        z = linear(params["cell"], jnp.concatenate([now, h], axis=1))
        h = 0.5 * h + 0.5 * jnp.tanh(z) + shift
        return h, h

    offset = jnp.zeros((x.shape[1], len(x), UNITS)) if offsets is None else offsets[0]
    kept = jax.lax.scan(step, jnp.zeros((len(x), UNITS)), (x.swapaxes(0, 1), offset))[1]
    return linear(params["readout"], kept[-1]), ((Kind("linear"), kept, kept),)


def windows(count: int, steps: int, seed: int):
    """Windows of two series that swing, and what the first one is next."""
    draw = np.random.default_rng(seed)
    rate, phase = draw.uniform(0.3, 0.8, size=(2, count, 1, 2))
    series = np.sin(rate * np.arange(steps + 1)[:, None] + 8 * phase) * np.sqrt(2)
    x = (series + 0.1 * draw.normal(size=series.shape)).astype(np.float32)
    return x[:, :-1], x[:, -1, 0]


def forecast(x, y, optimizer, squared, *, seed: int, steps: int) -> Setup:
    """What a series is next; `squared` is the loss of answers [examples, 1] to y [examples]."""

    def loss(params, batch, offsets):
        found, hidden = carried(params, batch[0], offsets)
        return squared(found, batch[1]).mean(), hidden

    def error(params):
        return ((carried(params, x[:400], None)[0][:, 0] - y[:400]) ** 2).mean() / y[:400].var()

    more = {"chance": float(y[:400].var()), "steps": steps, "batch": 64, "timed": True}
    return own(leaky(seed, x.shape[2], 1), loss, (x, y), optimizer, error, **more)


@sixth(
    "constant answer",
    kind="shapes that are broadcast",
    family="recurrent",
    source="github.com/sktime/sktime/issues/10931",
    title="[BUG] BaseDeepRegressorTorch mishandles (batch, 1) network output in loss and predict",
)
def answers_of_all_pairs(broken: bool) -> Setup:
    """A recurrent regressor that answers in the shape [N, 1], where its targets are of the shape [N].

    Seen: the loss broadcasts the two to all pairs, a wrong signal. Answer: squeeze the output, as other networks do.
    """
    x, y = windows(1024, 20, 0)

    def squared(found, wanted):
        return ((found if broken else found[:, 0]) - wanted) ** 2

    return forecast(x, y, optax.adam(5e-3), squared, seed=0, steps=400)


@sixth(
    "vanishing",
    kind="initialisation",
    family="recurrent",
    source="github.com/chainer/chainer/pull/2425",
    title="improve forget bias to 1",
)
def gates_that_forget_by_default(broken: bool) -> Setup:
    """Which of two bursts in a long sequence was up, by an LSTM whose forget gates begin half open.

    Seen: a forget bias of zero by default. Answer: a larger one is an improvement in every application.
    """
    draw = np.random.default_rng(1)
    sign = draw.integers(2, size=512)
    x = 0.1 * draw.normal(size=(512, 110))
    x[:, 2:5] += (2.0 * sign - 1)[:, None]
    optimizer = optax.adam(1e-3)
    return recall(x.astype(np.float32), sign.astype(np.int32), forget=0.0 if broken else 4.0, optimizer=optimizer)


@sixth(
    "softmax applied twice",
    kind="softmax before a softmax",
    family="recurrent",
    source="github.com/doronharitan/human_activity_recognition_LRCN/issues/4",
    title="Softmax and CrossEntropyLoss",
)
def actions_by_probabilities(broken: bool) -> Setup:
    """What is shown, row by row, by a recurrent network with a softmax before a loss that has one; what it costs.

    Seen: a softmax as the output, and a cross-entropy loss. Answer: without the softmax it converges faster.
    """
    x, y = digits()[:2]
    rows = x.reshape(-1, 8, 8)

    def loss(params, batch, offsets):
        scores, hidden = carried(params, batch[0], offsets)
        return cross_entropy(jax.nn.softmax(scores) if broken else scores, batch[1]), hidden

    chance = float(np.log(10))

    def error(params):
        return loss(params, (rows[:500], y[:500]), None)[0] / chance

    more = {"chance": chance, "steps": 500, "batch": 64, "timed": True}
    return own(leaky(1, 8, 10), loss, (rows, y), optax.adam(5e-3), error, **more)


def sounds(count: int, seed: int):
    """A rising or a falling sweep somewhere in noise, and which it is."""
    draw = np.random.default_rng(seed)
    falls = draw.integers(2, size=count)
    sweep = np.array([0.2, 0.6, 1.0, 1.4, 1.8, 2.2])
    x = 0.5 * draw.normal(size=(count, 24, 1))
    for each, down, start in zip(x, falls, draw.integers(18, size=count), strict=True):
        each[start : start + 6, 0] += sweep[::-1] if down else sweep
    return x.astype(np.float32), falls.astype(np.int32)


@sixth(
    "learned by heart",
    kind="too few examples",
    family="recurrent",
    source="github.com/NVIDIA/tacotron2/issues/344",
    title="Overfitting: validation loss stuck.",
)
def voice_of_few_recordings(broken: bool) -> Setup:
    """A recurrent network that learns twenty-four recordings by heart, which are neither moved nor disturbed.

    Seen: a validation loss that is stuck while that of training falls. Answer: augmented data made the losses even.
    """
    x, y = sounds(24, 2)
    others, wanted = sounds(800, 3)
    if not broken:
        draw = np.random.default_rng(4)
        x = np.concatenate([np.roll(x, draw.integers(24), 1) for _ in range(150)])
        x = (x + 0.4 * draw.normal(size=x.shape)).astype(np.float32)
        y = np.tile(y, 150)

    def loss(params, batch, offsets):
        scores, hidden = carried(params, batch[0], offsets)
        return cross_entropy(scores, batch[1]), hidden

    right = jax.jit(lambda params: (carried(params, others, None)[0].argmax(-1) == wanted).mean())
    more = {"classes": 2, "steps": 800, "batch": 24, "timed": True}
    return classified(leaky(2, 1, 2), loss, (x, y), optax.adam(5e-3), right, **more)
