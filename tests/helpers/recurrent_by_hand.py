"""Recurrent networks written out by hand in plain JAX: what the package is checked against."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from helpers import by_hand
from vgbench.data import load_dataset
from vgbench.measure.draw import draw, first_batch
from vgbench.measure.numerics import numerics
from vgbench.models import build_network
from vgbench.spec.case import Case

PHI = by_hand.ACTIVATIONS


def sigmoid(z: jax.Array) -> jax.Array:
    return 1 / (1 + jnp.exp(-z))


def rnn(phi: Any, p: dict, carry: tuple, x: jax.Array) -> tuple:
    (h,) = carry
    return (phi(x @ p["dense_i"]["kernel"] + p["dense_i"]["bias"] + h @ p["dense_h"]["kernel"]),)


def lstm(phi: Any, p: dict, carry: tuple, x: jax.Array) -> tuple:
    c, h = carry
    z = x @ p["dense_i"]["kernel"] + h @ p["dense_h"]["kernel"] + p["dense_h"]["bias"]
    i, f, g, o = jnp.split(z, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * phi(g)
    return c, sigmoid(o) * phi(c)


def gru(phi: Any, p: dict, carry: tuple, x: jax.Array) -> tuple:
    (h,) = carry
    from_x = jnp.split(x @ p["dense_i"]["kernel"] + p["dense_i"]["bias"], 3, axis=1)
    from_h = jnp.split(h @ p["dense_h"]["kernel"], 3, axis=1)
    reset, update = sigmoid(from_x[0] + from_h[0]), sigmoid(from_x[1] + from_h[1])
    return ((1 - update) * phi(from_x[2] + reset * from_h[2]) + update * h,)


def mgu(phi: Any, p: dict, carry: tuple, x: jax.Array) -> tuple:
    (h,) = carry
    f = sigmoid(x @ p["gate_input"]["kernel"] + p["gate_input"]["bias"] + h @ p["gate_state"]["kernel"])
    candidate = x @ p["candidate_input"]["kernel"] + p["candidate_input"]["bias"]
    return ((1 - f) * h + f * phi(candidate + (f * h) @ p["candidate_state"]["kernel"]),)


def lru(phi: Any, p: dict, carry: tuple, u: jax.Array) -> tuple:
    modulus = jnp.exp(-jnp.exp(p["log_decay"]))
    turn = modulus * jnp.exp(1j * jnp.exp(p["log_phase"]))
    real, imaginary = jnp.split(u @ p["read_in"]["kernel"], 2, axis=1)
    state = turn * (carry[0][:, 0] + 1j * carry[0][:, 1]) + jnp.sqrt(1 - modulus**2) * (real + 1j * imaginary)
    return (jnp.stack([state.real, state.imag], axis=1),)


def min_gru(phi: Any, p: dict, carry: tuple, x: jax.Array) -> tuple:
    keep = sigmoid(dense(p["gates"][0], x))
    return (keep * carry[0] + (1 - keep) * phi(dense(p["candidate"], x)),)


def min_lstm(phi: Any, p: dict, carry: tuple, x: jax.Array) -> tuple:
    f, i = (sigmoid(dense(gate, x)) for gate in p["gates"].values())
    return (f / (f + i) * carry[0] + i / (f + i) * phi(dense(p["candidate"], x)),)


def s5(phi: Any, p: dict, carry: tuple, u: jax.Array) -> tuple:
    eigenvalue, step = -jnp.exp(p["log_decay"]) + 1j * p["frequency"], jnp.exp(p["log_step"])
    turn = jnp.exp(eigenvalue * step)
    real, imaginary = jnp.split(u @ p["read_in"]["kernel"], 2, axis=1)
    state = turn * (carry[0][:, 0] + 1j * carry[0][:, 1]) + (turn - 1) / eigenvalue * (real + 1j * imaginary)
    return (jnp.stack([state.real, state.imag], axis=1),)


def gated_linear(phi: Any, p: dict, carry: tuple, u: jax.Array) -> tuple:
    (memory,) = carry
    batch, heads, size, values = memory.shape
    step = jnp.log(1 + jnp.exp(dense(p["step"], u)))
    key = (u @ p["key"]["kernel"]).reshape(batch, heads, size, 1)
    value = (u @ p["value"]["kernel"]).reshape(batch, heads, 1, values)
    decay = jnp.exp(-jnp.exp(p["log_decay"]) * step)
    return (decay[:, :, None, None] * memory + step[:, :, None, None] * (key @ value),)


def dense(p: dict, x: jax.Array) -> jax.Array:
    return x @ p["kernel"] + p["bias"]


CELLS = {
    "rnn": rnn,
    "lstm": lstm,
    "chrono_lstm": lstm,
    "gru": gru,
    "mgu": mgu,
    "lru": lru,
    "min_gru": min_gru,
    "min_lstm": min_lstm,
    "s5": s5,
    "gated_linear": gated_linear,
}


def shown(case: Case, p: dict, carry: tuple, x: jax.Array) -> jax.Array:
    """What the cell shows of its carry."""
    if case.cell.name not in ("lru", "s5", "gated_linear"):
        return carry[-1]
    if case.cell.name == "gated_linear":
        query = (x @ p["query"]["kernel"]).reshape(*carry[0].shape[:2], 1, -1)
        read = (query @ carry[0]).reshape(len(x), -1)
    else:
        read = jnp.concatenate([carry[0][:, 0], carry[0][:, 1]], axis=1) @ p["read_out"]["kernel"]
    return PHI[case.activation.name](read + x @ p["direct"]["kernel"])


def carry_shapes(case: Case) -> list[tuple[int, ...]]:
    """The shapes of the carry's arrays for one example."""
    width, options = case.width, case.cell.options()
    if case.cell.name == "gated_linear":
        return [(options["heads"], options["state_size"], width // options["heads"])]
    return {"lstm": [(width,)] * 2, "chrono_lstm": [(width,)] * 2, "lru": [(2, width)], "s5": [(2, width)]}.get(
        case.cell.name, [(width,)]
    )


def run(case: Case, params: dict, x: jax.Array, offsets: tuple, answers: int) -> jax.Array:
    """The last `answers` answers, with `offsets[t]` added to the carry after step t, [batch, answers, outputs]."""
    step, p = CELLS[case.cell.name], params["input_layer"]["cell"]
    pieces = x.reshape(len(x), case.depth, -1).swapaxes(0, 1)

    def body(carry: tuple, at: tuple) -> tuple:
        inputs, offset = at
        carry = step(PHI[case.activation.name], p, carry, inputs)
        carry = tuple(a + b for a, b in zip(carry, offset, strict=True))
        return carry, shown(case, p, carry, inputs)

    start = tuple(jnp.zeros_like(each[0]) for each in offsets)
    outputs = jax.lax.scan(body, start, (pieces, offsets))[1][-answers:].swapaxes(0, 1)
    return outputs @ params["output_layer"]["kernel"] + params["output_layer"]["bias"]


def log10_norms(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By plain backpropagation of the last answer's loss: of dL/dcarry_t, of each of its arrays, and of dL/dW.

    Returns:
        log10 norms [seeds, depth], [seeds, depth, arrays] and [seeds, 2] (the cell and the output layer).
    """
    dataset, joint, apart, weights = load_dataset(case), [], [], []
    with numerics(case.dtype, "highest"):
        network = build_network(case, dataset.problem)

        @jax.jit
        @partial(jax.grad, argnums=(0, 1))
        def slopes_of(params: dict, offsets: tuple, x: jax.Array, y: jax.Array) -> jax.Array:
            answers = run(case, params, x, offsets, dataset.answers)[:, -1]
            last = y[:, -1] if dataset.answers > 1 else y
            if dataset.outputs == 1:
                return jnp.mean((answers[:, 0] - last) ** 2)
            return -jnp.mean(jax.nn.log_softmax(answers)[jnp.arange(len(last)), last])

        for seed in case.seeds:
            params: Any = by_hand.plain(draw(case, network, dataset, seed).params)
            x, y = first_batch(case, dataset, seed)
            x = x.astype(case.dtype)
            offsets = tuple(jnp.zeros((case.depth, len(x), *each), case.dtype) for each in carry_shapes(case))
            gradients, slopes = slopes_of(params, offsets, x, y)
            apart.append(np.stack([np.linalg.norm(np.asarray(g).reshape(case.depth, -1), axis=1) for g in slopes], 1))
            joint.append(np.linalg.norm(apart[-1], axis=1))
            matrices = [[leaf for leaf in jax.tree.leaves(gradients[part]) if leaf.ndim > 1] for part in gradients]
            weights.append([np.sqrt(sum(np.sum(np.square(leaf)) for leaf in part)) for part in matrices if part])
    with np.errstate(divide="ignore"):
        return np.log10(joint), np.log10(apart), np.log10(weights)
