"""Faults whose cause no finding describes: layers without a bend between them, a state that each step forgets."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.eleventh.graphs import related
from faults.nets import Kind, dense, linear, mlp
from faults.problems import own, regression
from faults.registry import Setup, thirteenth


@thirteenth(
    "there is no activation between the layers, so that all of them together are one linear map",
    kind="layers without activation",
    family="feed-forward",
    source="github.com/aymericdamien/TensorFlow-Examples/issues/207",
    title="Nonlinearity functions missed in neural_network_raw.ipynb",
)
def layers_without_activation(broken: bool) -> Setup:
    """A function of three numbers that is partly linear, by three layers with nothing between them, or with a bend.

    Seen: there are supposed to be some activations in the network. Answer: without any, it is the same as a linear
    function.
    """
    draw = np.random.default_rng(1381)
    x = draw.normal(size=(600, 3)).astype(np.float32)
    y = 0.55 * x[:, 2] + 0.8 * np.sin(2 * x[:, 0]) + 0.7 * x[:, 1] * x[:, 0]
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    kind = "linear" if broken else "tanh"
    params = mlp(1381, [3, 32, 32, 1], 1.0)
    return regression(params, optax.adam(1e-2), data=(x, y), kind=kind, steps=300, batch=64)


@thirteenth(
    "the state is not handed on, so that each step begins from zero and knows nothing of those before it",
    kind="state that is not handed on",
    family="graph",
    source="github.com/benedekrozemberczki/pytorch_geometric_temporal/issues/145",
    title="GConvGRU hidden state not passed",
)
def state_that_is_not_handed_on(broken: bool) -> Setup:
    """How much has come to each of eight places from their neighbours, by a cell whose state may begin anew each step.

    Seen: in the examples the state is not handed on, so that it is zero at each step. Answer: yes, that harms; set it
    between the steps of a sequence.
    """
    draw, share = related(1383, nodes=8, count=900)
    x = draw.normal(size=(900, 6, 8, 2)).astype(np.float32)
    came = np.einsum("npq,ntq->ntp", share, x[..., 0]).sum(1)
    y = (came / came.std()).astype(np.float32)
    keys = jax.random.split(jax.random.key(1383), 3)
    params = {"in": dense(keys[0], 2, 24, 1.0), "cell": dense(keys[1], 24, 24, 1.0), "out": dense(keys[2], 24, 1, 1.0)}

    def found(params, x, share, offsets):
        def step(h, inputs):
            now, shift = inputs
            kept = jnp.zeros_like(h) if broken else h
            h = jnp.tanh(linear(params["in"], share @ now) + linear(params["cell"], kept)) + shift
            return h, h

        shift = jnp.zeros((6, len(x), 8, 24)) if offsets is None else offsets[0]
        _, all_states = jax.lax.scan(step, jnp.zeros((len(x), 8, 24)), (x.swapaxes(0, 1), shift))
        return linear(params["out"], all_states[-1])[..., 0], ((Kind("linear"), all_states, all_states),)

    def loss(params, batch, offsets):
        answer, hidden = found(params, batch[0], batch[1], offsets)
        return ((answer - batch[2]) ** 2).mean(), hidden

    def error(params):
        return ((found(params, x[700:], share[700:], None)[0] - y[700:]) ** 2).mean() / y[700:].var()

    more = {"chance": 1.0, "steps": 250, "batch": 32, "timed": True}
    return own(params, loss, (x[:700], share[:700], y[:700]), optax.adam(5e-3), error, **more)
