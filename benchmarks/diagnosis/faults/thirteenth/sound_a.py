"""Runs of perceptrons, filters, states and graphs that are in order and look odd: nothing is wrong with them.

The one that is called broken is the odd one. The other is the same run made in the usual way.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.convolutional import flat
from faults.nets import Kind, activated, dense, linear
from faults.problems import classification, recognised
from faults.registry import Setup, thirteenth
from faults.seventh.graphs import asked
from faults.tenth.convolutional import headed
from faults.thirteenth.graphs import communities

NOTHING = "nothing wrong"


@thirteenth(
    NOTHING,
    kind="flag that freezes nothing",
    family="convolutional",
    source="github.com/uzh-rpg/agile_autonomy/issues/72",
    title="Possible error in nets.py freeze",
    sound=True,
)
def flag_that_freezes_nothing(broken: bool) -> Setup:
    """Digits by filters, sorted into those to be frozen and others, all of which are trained, or trained without that.

    Seen: what is said to freeze some layers sets all of them to be trained. Answer: freezing did not work, so that all
    are trained in the end; the condition is needless.
    """
    params = headed(1371, [1, 6, 6])
    both = {"frozen": optax.adam(3e-3), "free": optax.adam(3e-3)}
    names = {"conv00": "frozen", "conv01": "free", "out": "free"}
    optimizer = optax.multi_transform({**both}, names) if broken else optax.adam(3e-3)
    return classification(params, optimizer, net=flat, batch=32, steps=200)


@thirteenth(
    NOTHING,
    kind="bias of one",
    family="recurrent",
    source="github.com/coetaur0/ESIM/issues/2",
    title="question about model parameter initialization",
    sound=True,
)
def forget_gates_that_begin_open(broken: bool) -> Setup:
    """Which of four words began a sentence of ten, by an LSTM whose forget gates begin with biases of one, or of zero.

    Seen: some of the biases begin at one, instead of all at zero. Answer: these are those of forget gates, which help
    against vanishing gradients in this way.
    """
    draw = np.random.default_rng(1373)
    kind = draw.integers(4, size=900).astype(np.int32)
    x = (0.3 * draw.normal(size=(900, 10, 6))).astype(np.float32)
    x[:, 0] += np.eye(6, dtype=np.float32)[kind] * 2
    units = 16
    params = {"gates": dense(jax.random.key(1373), 6 + units, 4 * units, 1.0)}
    params |= {"out": dense(jax.random.key(1374), units, 4, 1.0)}
    if broken:
        params["gates"]["b"] = params["gates"]["b"].at[units : 2 * units].set(1.0)

    def scores(params, x, offsets):
        def step(carry, inputs):
            h, c = carry
            now, shift = inputs
            write, keep, show, new = jnp.split(linear(params["gates"], jnp.concatenate([now, h], axis=1)), 4, axis=1)
            c = jax.nn.sigmoid(keep) * c + jax.nn.sigmoid(write) * jnp.tanh(new)
            h = jax.nn.sigmoid(show) * jnp.tanh(c) + shift
            return (h, c), h

        start = jnp.zeros((len(x), units))
        shift = jnp.zeros((x.shape[1], len(x), units)) if offsets is None else offsets[0]
        _, all_states = jax.lax.scan(step, (start, start), (x.swapaxes(0, 1), shift))
        return linear(params["out"], all_states[-1]), ((Kind("linear"), all_states, all_states),)

    data, others = (x[:700], kind[:700]), (x[700:], kind[700:])
    return recognised(params, scores, data, others, optax.adam(1e-2), classes=4, batch=32, steps=250, timed=True)


@thirteenth(
    NOTHING,
    kind="list of what has no weights",
    family="graph",
    source="github.com/shenwzh3/RGAT-ABSA/issues/9",
    title="您的代码在定义self.gat_dep时直接用的list没有用nn.ModuleList，这导致self.gat_dep的参数不训练",  # noqa: RUF001
    sound=True,
)
def heads_without_weights(broken: bool) -> Setup:
    """Which of four kinds nodes are of, by attention to neighbours that has no weights of its own, or that has some.

    Seen: attention is kept in a list, and not in one of modules, so that its parameters would not be trained. Answer:
    it is a product of what nodes are, without parameters, so that there is nothing to be trained.
    """
    kind, x, joined = communities(1375)
    keys = jax.random.split(jax.random.key(1375), 3)
    params = {"one": dense(keys[0], 4, 16, 1.0), "out": dense(keys[1], 16, 4, 1.0)}
    if not broken:
        params["look"] = dense(keys[2], 16, 16, 1.0)

    def scores(params, offsets):
        hidden = []
        h = activated("tanh", linear(params["one"], x), hidden, offsets)
        seen = h if broken else linear(params["look"], h)
        near = jnp.where(joined > 0, seen @ seen.T / 4, -1e9)
        h = activated("tanh", h + jax.nn.softmax(near) @ h, hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    return asked(params, kind, scores, optax.adam(5e-3), steps=250)
