"""Recurrent networks: axes, padding, states and scales."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import Kind, dense
from faults.problems import own
from faults.registry import Setup, second

UNITS = 24


def cell(seed: int, outputs: int, forget: float):
    """An LSTM of one input, and its output layer."""
    keys = jax.random.split(jax.random.key(seed), 3)
    orthogonal = jax.nn.initializers.orthogonal()
    recurrent = [orthogonal(key, (UNITS, UNITS)) for key in jax.random.split(keys[1], 4)]
    return {
        "cell": {
            "wx": jax.random.normal(keys[0], (1, 4 * UNITS)),
            "wh": jnp.concatenate(recurrent, axis=1),
            "b": jnp.zeros(4 * UNITS).at[UNITS : 2 * UNITS].set(forget),
        },
        "readout": dense(keys[2], UNITS, outputs, 1.0),
    }


def states(p, x, offset, reset=()):
    """What an LSTM shows and keeps at each step of x [steps, batch]; before some steps it forgets everything."""
    keep = jnp.ones(len(x)).at[jnp.array(reset, int)].set(0.0)

    def step(carry, inputs):
        now, shift, kept = inputs
        h, c = (kept * each for each in carry)
        i, f, g, o = jnp.split(now[:, None] @ p["wx"] + h @ p["wh"] + p["b"], 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g) + shift
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), (h, c)

    zeros = jnp.zeros((x.shape[1], UNITS))
    return jax.lax.scan(step, (zeros, zeros), (x, offset, keep))[1]


def recall(x, y, *, forget: float, optimizer, reset=(), train: int = 300, apply=optax.apply_updates) -> Setup:
    """The class y of sequences x [examples, steps], answered after the last step."""

    def forward(params, x, offsets):
        offset = jnp.zeros((x.shape[1], len(x), UNITS)) if offsets is None else offsets[0]
        shown, kept = states(params["cell"], x.T, offset, reset)
        return shown[-1] @ params["readout"]["w"] + params["readout"]["b"], ((Kind("linear"), kept, kept),)

    def loss(params, batch, offsets):
        logits, hidden = forward(params, batch[0], offsets)
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean(), hidden

    def error(params):
        return 2 * (forward(params, x, None)[0].argmax(-1) != y).mean()

    return own(
        cell(0, 2, forget),
        loss,
        (x, y),
        optimizer,
        error,
        chance=float(np.log(2)),
        steps=train,
        batch=64,
        timed=True,
        apply=apply,
    )


def signs(steps: int, at: int = 0, noise: float = 0.1):
    """Sequences of noise, one step of which holds a sign."""
    x = noise * np.random.default_rng(0).normal(size=(512, steps)).astype(np.float32)
    y = np.random.default_rng(1).integers(2, size=512).astype(np.int32)
    x[:, at] = 2.0 * y - 1
    return x, y


@second(
    "vanishing",
    kind="padding",
    family="recurrent",
    source="github.com/keras-team/keras/issues/20898",
    title="LSTM layer doesn't learn with TextVectorization output (padding ?)",
)
def padded_behind(broken: bool) -> Setup:
    """Short sequences with 60 steps of padding behind them, after which the state is read."""
    x, y = signs(4)
    padding = ((0, 0), (0, 60)) if broken else ((0, 0), (60, 0))
    return recall(np.pad(x, padding), y, forget=-0.5, optimizer=optax.adam(1e-3), train=200)


@second(
    "constant answer",
    kind="wrong axis",
    family="recurrent",
    source="discuss.pytorch.org/t/lstm-change-batch-first-true-loss-does-not-decrease/62364",
    title="LSTM change batch_first=True,loss does not decrease",
)
def batch_taken_for_time(broken: bool) -> Setup:
    """A batch whose examples the cell reads one after the other, as if they were steps."""
    x, y = signs(12)

    def forward(params, x, offsets):
        x = x if broken else x.T
        offset = jnp.zeros((*x.shape, UNITS))
        shown, kept = states(params["cell"], x, offset)
        shown, kept = (each if broken else each.swapaxes(0, 1) for each in (shown, kept))
        kept = kept if offsets is None else kept + offsets[0]
        return shown[:, -1] @ params["readout"]["w"] + params["readout"]["b"], ((Kind("linear"), kept, kept),)

    def loss(params, batch, offsets):
        logits, hidden = forward(params, batch[0], offsets)
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean(), hidden

    def error(params):
        return 2 * (forward(params, x, None)[0].argmax(-1) != y).mean()

    params = cell(1, 2, 1.0)
    return own(params, loss, (x, y), optax.adam(5e-3), error, chance=float(np.log(2)), steps=200, batch=64)


@second(
    "constant answer",
    kind="state that is not kept",
    family="recurrent",
    source="github.com/lmjohns3/theanets/issues/132",
    title="Preserve recurrent hidden state across training examples",
)
def state_dropped_between_chunks(broken: bool) -> Setup:
    """A sequence that is read in chunks of ten steps, each of which begins with a state of zeros."""
    x, y = signs(40)
    return recall(x, y, forget=3.0, optimizer=optax.adam(5e-3), reset=(10, 20, 30) if broken else ())


@second(
    "far from unit scale",
    "saturation",
    kind="scale of the data",
    family="recurrent",
    source="github.com/Shubble-LLC/shubble/pull/353",
    title="348 normalize features lstm",
)
def degrees_and_metres(broken: bool) -> Setup:
    """A series of numbers around 400, at which every gate is wholly open or shut."""
    draw = np.random.default_rng(2)
    series = np.cumsum(draw.normal(size=(512, 16)), axis=1).astype(np.float32)
    series = (series - series.mean()) / series.std()
    x, y = (400 + 60 * series if broken else series), series[:, -1] - series[:, -4]

    def forward(params, x, offsets):
        offset = jnp.zeros((x.shape[1], len(x), UNITS)) if offsets is None else offsets[0]
        shown, kept = states(params["cell"], x.T, offset)
        return (shown[-1] @ params["readout"]["w"])[:, 0] + params["readout"]["b"], ((Kind("linear"), kept, kept),)

    def loss(params, batch, offsets):
        answer, hidden = forward(params, batch[0], offsets)
        return ((answer - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((forward(params, x, None)[0] - y) ** 2).mean() / y.var()

    params = cell(2, 1, 1.0)
    return own(params, loss, (x, y), optax.adam(5e-3), error, chance=float(y.var()), steps=300, batch=64, timed=True)
