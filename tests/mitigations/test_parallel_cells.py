"""Cells that are linear in their state: what is left of the gradient is the product of their forget gates."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import by_hand

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.instruments.probe import log10_norms
from vgbench.measure.draw import draw, first_batch
from vgbench.measure.numerics import numerics
from vgbench.measure.profile import profile, whole
from vgbench.models import build_network

SMALL: dict[str, Any] = {
    "model": "recurrent",
    "depth": 40,
    "width": 6,
    "data": "adding",
    "batch_size": 8,
    "dtype": "float64",
}


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def without_inputs(case: vg.Case, gates: str) -> np.ndarray:
    """log10 ||dL/dh_t|| where these weights of the cell are zero, so that its gates are as their biases leave them."""
    dataset = load_dataset(case)
    with numerics(case.dtype, "highest"):
        network = build_network(case, dataset.problem)
        variables, (x, y) = draw(case, network, dataset, 0), first_batch(case, dataset, 0)
        cell = variables.params["input_layer"]["cell"]
        deaf = jax.tree.map(lambda leaf: leaf if leaf.ndim == 1 else jnp.zeros_like(leaf), cell[gates])
        params = variables.params | {"input_layer": {"cell": cell | {gates: deaf}}}
        found = whole(jax.jit(lambda params: profile(network, variables._replace(params=params), x, y))(params))
    return log10_norms(*found.activation)


@pytest.mark.parametrize("bias", [0.0, 2.0])
def test_minimal_cells_keep_what_their_biases_say(bias: float) -> None:
    keep = {"min_gru": sigmoid(bias), "min_lstm": sigmoid(bias) / (sigmoid(bias) + 0.5)}
    for cell, option in (("min_gru", "update_bias"), ("min_lstm", "forget_bias")):
        norms = without_inputs(vg.Case(**SMALL, cell={"name": cell, option: bias}), "gates")
        np.testing.assert_allclose(np.diff(norms), -np.log10(keep[cell]), atol=1e-12)


@pytest.mark.parametrize("cell", ["min_gru", pytest.param("min_lstm", marks=pytest.mark.slow)])
def test_gradient_at_initialisation_is_the_product_of_the_forget_gates(cell: str) -> None:
    case = vg.Case(**SMALL, cell=cell, activation="linear", seeds=(0,))
    dataset = load_dataset(case)
    with numerics("float64", "highest"):
        network = build_network(case, dataset.problem)
        x, y = (np.asarray(each) for each in first_batch(case, dataset, 0))
        params: Any = jax.tree.map(np.asarray, by_hand.plain(network.init(jax.random.key(0)).params))
    p, pieces = params["input_layer"]["cell"], x.astype(np.float64).reshape(8, 40, 2).swapaxes(0, 1)
    opened = [sigmoid(pieces @ gate["kernel"] + gate["bias"]) for gate in p["gates"].values()]
    keep = opened[0] if cell == "min_gru" else opened[0] / (opened[0] + opened[1])
    candidate = pieces @ p["candidate"]["kernel"] + p["candidate"]["bias"]
    h = np.zeros((8, 6))
    for kept, new in zip(keep, candidate, strict=True):
        h = kept * h + (1 - kept) * new
    output = params["output_layer"]
    error = 2 / 8 * (h @ output["kernel"] + output["bias"] - y[:, None])
    left = np.cumprod(np.vstack([np.ones((1, 8, 6)), keep[:0:-1]]), axis=0)[::-1]
    expected = np.log10(np.linalg.norm((left * (error @ output["kernel"].T)).reshape(40, -1), axis=1))
    np.testing.assert_allclose(vg.measure_gradients(case).log10_activation_norm[0], expected, atol=1e-9)


def test_a_gated_linear_head_keeps_what_its_step_and_rate_say() -> None:
    case = vg.Case(**SMALL, cell={"name": "gated_linear", "heads": 1})
    norms = without_inputs(case, "step")
    with numerics("float64", "highest"):
        drawn = build_network(case, load_dataset(case).problem).init(jax.random.key(0)).params["input_layer"]
        p: Any = jax.tree.map(np.asarray, by_hand.plain(drawn))["cell"]
    step = np.log1p(np.exp(p["step"]["bias"][0]))
    assert 0.001 <= step <= 0.1
    assert 0 <= p["log_decay"][0] <= np.log(16)
    np.testing.assert_allclose(np.diff(norms), np.exp(p["log_decay"][0]) * step * np.log10(np.e), rtol=1e-5)


def test_products_with_the_memory_are_counted() -> None:
    case = vg.Case(**SMALL, cell={"name": "gated_linear", "state_size": 4})
    network = build_network(case, load_dataset(case).problem)
    weights = 2 * 2 + 2 * (2 * 8) + 2 * (2 * 6)  # step, query and key, value and direct
    assert network.forward_flops == 2 * (40 * (weights + 2 * 4 * 6) + 6)
