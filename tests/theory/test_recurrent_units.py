"""Units of recurrent cells: with one set of matrices, and as many rounds as steps, they are the network itself."""

from typing import Any

import jax
import numpy as np
import pytest
from helpers import recurrent_by_hand

from vgbench.theory.recurrent_draws import UNITS
from vgbench.theory.recurrent_units import Reading

WIDTH, STEPS, EXAMPLES, INPUTS = 5, 6, 3, 2


def tanh(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.tanh(z), 1 / np.cosh(z) ** 2


def parameters(name: str, read: Reading) -> dict[str, Any]:
    """Those of Flax's cell, or of the package's own."""
    kernels = [np.swapaxes(each[0], -1, -2) for each in read.input_weights]
    squares, biases = [each[0].T for each in read.weights], [each[0] for each in read.biases]
    if name == "mgu":
        (gate, candidate), (gate_square, candidate_square) = zip(kernels, biases, strict=True), squares
        return {
            "gate_input": dict(zip(("kernel", "bias"), gate, strict=True)),
            "candidate_input": dict(zip(("kernel", "bias"), candidate, strict=True)),
            "gate_state": {"kernel": gate_square},
            "candidate_state": {"kernel": candidate_square},
        }
    biased = {"bias": np.concatenate(biases)}
    inputs, states = {"kernel": np.concatenate(kernels, axis=1)}, {"kernel": np.concatenate(squares, axis=1)}
    return {"dense_i": inputs | biased, "dense_h": states | biased}


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "mgu"])
def test_units_with_the_matrices_of_a_network_have_its_states_and_gradients(name: str) -> None:
    draw, unit = np.random.default_rng(0), UNITS[name]
    gates = (unit.gates, 1, WIDTH)
    read = Reading(
        draw.normal(size=(INPUTS, STEPS, EXAMPLES)),
        draw.normal(size=(*gates, INPUTS)),
        draw.normal(size=gates),
        list(draw.normal(size=(*gates, WIDTH)) / 2),
    )
    last = draw.normal(size=(EXAMPLES, WIDTH))

    h, known = np.zeros((1, WIDTH, STEPS, EXAMPLES)), ()
    for _ in range(STEPS + 1):
        h, known = unit.forward(read, h, tanh)
    weights = np.concatenate([np.swapaxes(each, -1, -2) for each in read.weights], axis=-1)
    gradient: Any = (*[np.zeros((1, WIDTH, EXAMPLES))] * (unit.states - 1), last.T[None])
    found: list[Any] = [gradient]
    for t in range(STEPS - 1, 0, -1):
        gradient = unit.back(tuple(each[:, :, t] for each in known), gradient, weights)
        found.insert(0, gradient)

    def answer(offsets: Any, p: Any, x: Any) -> tuple[jax.Array, Any]:
        carry: tuple = tuple(0 * each[0] for each in offsets)
        states = []
        for t in range(STEPS):
            carry = recurrent_by_hand.CELLS[name](recurrent_by_hand.PHI["tanh"], p, carry, x[:, t].T)
            carry = tuple(each + offset[t] for each, offset in zip(carry, offsets, strict=True))
            states.append(carry[-1])
        return (carry[-1] * last).sum(), states

    with jax.enable_x64(True):
        zeros = tuple(np.zeros((STEPS, EXAMPLES, WIDTH)) for _ in range(unit.states))
        by_hand = jax.jit(jax.grad(answer, has_aux=True))
        slopes, states = by_hand(zeros, parameters(name, read), read.inputs)
    np.testing.assert_allclose(np.moveaxis(h[0], (0, 1, 2), (2, 0, 1)), states, atol=1e-12)
    for number, slope in enumerate(slopes):
        np.testing.assert_allclose(np.stack([at[number][0].T for at in found]), slope, atol=1e-12)
