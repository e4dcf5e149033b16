"""Recurrent networks: gates, activations, and cells that nobody trains."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import ACTIVATIONS, Kind, dense
from faults.problems import own
from faults.registry import Setup, third
from faults.second.recurrent import UNITS, recall, signs


@third(
    "vanishing",
    kind="initialisation",
    family="recurrent",
    source="github.com/craffel/nntools/issues/19",
    title="Default bias initialization in forget gate",
)
def gates_half_open(broken: bool) -> Setup:
    """An LSTM whose forget gates begin half open, and lose half of the state at every step.

    Seen: forget gates with biases around zero. Answer: begin with a large bias, such as 5.
    """
    x, y = signs(120)
    return recall(x, y, forget=0.0 if broken else 5.0, optimizer=optax.adam(1e-3))


@third(
    "exploding",
    "learning rate too large",
    "first loss too large",
    kind="activation",
    family="recurrent",
    source="github.com/chenxie95/deeplearning_course_sjtu/issues/31",
    title="语言模型codebase出错",
)
def rectified_recurrence(broken: bool) -> Setup:
    """A plain cell of rectifiers, whose state grows from step to step.

    Seen: with RNN_RELU the loss explodes to NaN. Answer: ReLU may make the gradients too large; take a sigmoid.
    """
    steps, kind = 40, "relu" if broken else "tanh"
    x, y = signs(steps, at=steps - 3)
    keys = jax.random.split(jax.random.key(0), 3)
    params = {
        "cell": {
            "wx": jax.random.normal(keys[0], (1, UNITS)),
            "wh": jax.random.normal(keys[1], (UNITS, UNITS)) * (4 / UNITS) ** 0.5,
            "b": jnp.zeros(UNITS),
        },
        "readout": dense(keys[2], UNITS, 2, 1.0),
    }

    def forward(params, x, offsets):
        p = params["cell"]
        offset = jnp.zeros((steps, len(x), UNITS)) if offsets is None else offsets[0]

        def step(h, inputs):
            now, shift = inputs
            z = now[:, None] @ p["wx"] + h @ p["wh"] + p["b"]
            h = ACTIVATIONS[kind](z) + shift
            return h, (z, h)

        h, (z, shown) = jax.lax.scan(step, jnp.zeros((len(x), UNITS)), (x.T, offset))
        return h @ params["readout"]["w"] + params["readout"]["b"], ((Kind(kind), z, shown),)

    def loss(params, batch, offsets):
        logits, hidden = forward(params, batch[0], offsets)
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean(), hidden

    def error(params):
        return 2 * (forward(params, x, None)[0].argmax(-1) != y).mean()

    optimizer = optax.sgd(0.05)
    chance = float(np.log(2))
    return own(params, loss, (x, y), optimizer, error, chance=chance, steps=400, batch=64, timed=True)


@third(
    "frozen",
    "updates not applied",
    kind="layers that are not registered",
    family="recurrent",
    source="github.com/ikostrikov/pytorch-meta-optimizer/issues/11",
    title="LSTM weights not optimised",
)
def cells_in_a_plain_list(broken: bool) -> Setup:
    """Cells that were put into a plain list, so that the optimizer knows the readout alone.

    Seen: the weights of the LSTM are not trained at all. Answer: register them as parts of the module.
    """
    x, y = signs(40)
    adam = optax.adam(1e-2)
    rest = {"known": adam, "unknown": optax.set_to_zero()}
    known = optax.multi_transform(rest, {"cell": "unknown", "readout": "known"})
    return recall(x, y, forget=0.0, optimizer=known if broken else adam)
