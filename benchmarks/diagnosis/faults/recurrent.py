"""Recurrent networks that answer long after what they are asked about."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import Kind, dense
from faults.problems import own
from faults.registry import Setup, fault

UNITS = 24


def _recall(steps: int):
    """The sign of the first input, asked for after noise."""
    x = 0.1 * np.random.default_rng(0).normal(size=(512, steps)).astype(np.float32)
    y = np.random.default_rng(1).integers(2, size=512)
    x[:, 0] = 2.0 * y - 1
    return x, y.astype(np.int32)


def _run(cell: str, steps: int, optimizer, *, gain: float = 1.0, forget: float = 0.0, train: int = 300, kind="tanh"):
    x, y = _recall(steps)
    gates = 4 if cell == "lstm" else 1
    keys = jax.random.split(jax.random.key(0), 3)
    orthogonal = jax.nn.initializers.orthogonal(gain)
    recurrent = [orthogonal(key, (UNITS, UNITS)) for key in jax.random.split(keys[1], gates)]
    bias = jnp.zeros(gates * UNITS)
    params = {
        "cell": {
            "wx": jax.random.normal(keys[0], (1, gates * UNITS)),
            "wh": jnp.concatenate(recurrent, axis=1),
            "b": bias.at[UNITS : 2 * UNITS].set(forget) if cell == "lstm" else bias,
        },
        "readout": dense(keys[2], UNITS, 2, 1.0),
    }

    def forward(params, x, offsets):
        p = params["cell"]
        offset = jnp.zeros((steps, len(x), UNITS)) if offsets is None else offsets[0]

        def step(carry, inputs):
            now, shift = inputs
            h, c = carry
            z = now[:, None] @ p["wx"] + h @ p["wh"] + p["b"]
            if cell == "rnn":
                h = (jnp.tanh(z) if kind == "tanh" else jax.nn.relu(z)) + shift
                return (h, c), (z, h)
            i, f, g, o = jnp.split(z, 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g) + shift
            return (jax.nn.sigmoid(o) * jnp.tanh(c), c), (c, c)

        zeros = jnp.zeros((len(x), UNITS))
        (h, _), (z, states) = jax.lax.scan(step, (zeros, zeros), (x.T, offset))
        point = Kind("tanh" if kind == "tanh" and cell == "rnn" else "linear")
        return h @ params["readout"]["w"] + params["readout"]["b"], ((point, z, states),)

    def loss(params, batch, offsets):
        logits, hidden = forward(params, batch[0], offsets)
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean(), hidden

    def error(params):
        return 2 * (forward(params, x, None)[0].argmax(-1) != y).mean()

    return own(params, loss, (x, y), optimizer, error, chance=float(np.log(2)), steps=train, batch=64, timed=True)


@fault("vanishing", family="recurrent", source="Atcold/NYU-DLSP20 #93", shown=True)
def plain_cell(broken: bool) -> Setup:
    """A plain cell over many steps; an LSTM that begins with an open forget gate learns."""
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3 if broken else 3e-3))
    return _run("rnn", 100, optimizer, gain=0.4) if broken else _run("lstm", 80, optimizer, forget=4.0)


@fault("vanishing", family="recurrent", source="clab/dynet #807")
def closed_forget_gate(broken: bool) -> Setup:
    """An LSTM whose forget gate begins half closed."""
    return _run("lstm", 100, optax.adam(5e-3), forget=-1.0 if broken else 4.0)


@fault("exploding", "learning rate too large", family="recurrent", source="Marcovaldong/lstmp.pytorch #2")
def exploding_cell(broken: bool) -> Setup:
    """Recurrent weights that make the state grow from step to step."""
    if broken:
        return _run("rnn", 40, optax.sgd(0.02), gain=1.6, kind="relu")
    return _run("rnn", 40, optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3)), gain=1.0)


@fault("vanishing", family="recurrent", source="guevara/read-it-later #7330")
def small_recurrent_weights(broken: bool) -> Setup:
    """Recurrent weights that forget within a few steps."""
    return _run("rnn", 60, optax.adam(1e-3), gain=0.2 if broken else 1.0)


@fault("learning rate too small", family="recurrent", source="davisking/dlib #610")
def slow_cell(broken: bool) -> Setup:
    """A learning rate that was lowered until nothing broke, and nothing was learned."""
    return _run("lstm", 40, optax.adam(1e-6 if broken else 5e-3), forget=4.0)
