"""Convolutional networks: against a convolution written out by hand, and against theory."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.measure.draw import draw, first_batch
from vgbench.mitigations.initializers import Signal
from vgbench.models import build_network
from vgbench.models.convnet import product_of_patches
from vgbench.spec.registry import ACTIVATIONS, INITIALIZERS

TINY: dict[str, Any] = {"model": "convnet", "depth": 3, "width": 4, "batch_size": 8, "seeds": (0,), "dtype": "float64"}


def convolved(h: np.ndarray, kernel: np.ndarray, *, circular: bool) -> np.ndarray:
    """The 3 by 3 convolution, pixel by pixel."""
    h = np.pad(h, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="wrap" if circular else "constant")
    out = np.zeros((len(h), h.shape[1] - 2, h.shape[2] - 2, kernel.shape[-1]))
    for row in range(out.shape[1]):
        for column in range(out.shape[2]):
            patch = h[:, row : row + 3, column : column + 3]
            out[:, row, column] = np.einsum("bijc,ijco->bo", patch, kernel)
    return out


@pytest.mark.parametrize(("padding", "pooling"), [("same", "mean"), ("circular", "flatten")])
def test_network_is_convolutions_activations_and_an_output_layer(padding: str, pooling: str) -> None:
    case = vg.Case(
        **TINY | {"model": {"name": "convnet", "padding": padding, "pooling": pooling}},
        activation="tanh",
        skip="residual",
        block_execution="unroll",
    )
    data = load_dataset(case)
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        network = build_network(case, data.problem)
        variables, (x, _) = draw(case, network, data, 0), first_batch(case, data, 0)
        logits = jax.jit(lambda v: network.apply(v, x, train=True).answers)(variables)
    params: Any = variables.params

    def branch(layer: Any, h: np.ndarray) -> np.ndarray:
        return np.tanh(convolved(h, np.asarray(layer["linear"]["kernel"][...]), circular=padding == "circular"))

    h = branch(params["input_layer"], np.asarray(x, np.float64).reshape(-1, 8, 8, 1))
    for block in params["blocks"]:
        h = h + branch(block["branch"][0], h)
    h = h.mean(axis=(1, 2)) if pooling == "mean" else h.reshape(len(h), -1)
    np.testing.assert_allclose(logits, h @ np.asarray(params["output_layer"]["linear"]["kernel"][...]), atol=1e-9)


@pytest.mark.parametrize(("padding", "size"), [("SAME", 3), ("VALID", 3), ("SAME", 2), ("SAME", 5)])
def test_product_of_patches_is_the_convolution(padding: str, size: int) -> None:
    h = jax.random.normal(jax.random.key(0), (2, 8, 8, 3))
    kernel = jax.random.normal(jax.random.key(1), (size, size, 3, 5))
    expected = jax.lax.conv_general_dilated(h, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))
    np.testing.assert_allclose(product_of_patches(h, kernel, (1, 1), padding), expected, atol=1e-4)


def test_scanned_profile_is_the_unrolled_ones() -> None:
    scanned, unrolled = (vg.measure_gradients(vg.Case(**TINY, block_execution=form)) for form in ("scan", "unroll"))
    np.testing.assert_allclose(scanned.log10_activation_norm, unrolled.log10_activation_norm, atol=1e-9)
    np.testing.assert_allclose(scanned.log10_parameter_norm, unrolled.log10_parameter_norm, atol=1e-9)


@pytest.mark.parametrize("name", ["delta_orthogonal", "identity"])
def test_middle_of_the_kernel_is_an_isometry_and_the_rest_zero(name: str) -> None:
    signal = Signal(ACTIVATIONS.choose("tanh"), bias_std=0.0, raw=False)
    choice = INITIALIZERS.choose({"name": name, "gain": 2.0})
    kernel = np.array(INITIALIZERS.build(choice, signal)(jax.random.key(0), (3, 3, 6, 6), jnp.float32))
    np.testing.assert_allclose(kernel[1, 1].T @ kernel[1, 1], 4 * np.eye(6), atol=1e-5)
    kernel[1, 1] = 0
    assert not kernel.any()


@pytest.mark.parametrize("model", ["mlp", "convnet"])
def test_standardised_weights_have_mean_zero_and_the_gain_that_keeps_the_variance(model: str) -> None:
    case = vg.Case(
        **TINY | {"model": model, "norm": "scaled_weight_standardization", "width": 16, "block_execution": "unroll"}
    )
    data = load_dataset(case)
    with jax.enable_x64(True):
        network: Any = build_network(case, data.problem)
        variables = draw(case, network, data, 0)
        part, params, stats = network.blocks[0], variables.params["blocks"][0], variables.stats["blocks"][0]
        kernel = np.asarray(part.module(params, stats, train=True).branch[0].linear.kernel())
    kernel = kernel.reshape(-1, kernel.shape[-1])
    np.testing.assert_allclose(kernel.mean(axis=0), 0, atol=1e-9)
    variance_of_relu = 0.5 - 1 / (2 * np.pi)
    np.testing.assert_allclose(kernel.var(axis=0) * len(kernel), 1 / variance_of_relu, rtol=1e-5)


def test_data_that_are_no_square_image_are_refused() -> None:
    case = vg.Case(model={"name": "convnet", "channels": 3})
    with pytest.raises(vg.InputError, match="64 numbers are no square image of 3 channels"):
        vg.measure_gradients(case)


def test_a_step_counts_the_products_at_every_pixel() -> None:
    case = vg.Case(**TINY)
    network = build_network(case, load_dataset(case).problem)
    assert network.forward_flops == 2 * (64 * 9 * 4 + 2 * 64 * 9 * 4 * 4 + 4 * 10)


@pytest.mark.slow
def test_delta_orthogonal_tanh_network_keeps_its_gradient_over_a_thousand_layers_where_glorots_loses_it() -> None:
    """Xiao et al. 2018; with circular padding, which their theory assumes."""
    slots: dict[str, Any] = {
        "model": {"name": "convnet", "padding": "circular"},
        "activation": "tanh",
        "depth": 1001,
        "batch_size": 8,
        "seeds": (0,),
    }
    kept, lost = (vg.measure_gradients(vg.Case(**slots, init=init)) for init in ("delta_orthogonal", "glorot_normal"))
    assert kept.status == lost.status == "ok"
    assert abs(kept.log10_first_over_last.value) < 2
    assert lost.log10_first_over_last.value < -5  # measured: -10


@pytest.mark.slow
def test_standardised_weights_and_relu_have_the_factor_of_batch_norm() -> None:
    """Weights of mean 0 lose the signal's mean as batch norm does: chi = E phi'^2 / Var phi = pi / (pi - 1)."""
    case = vg.Case(
        depth=50, width=512, data="gaussian", batch_size=16, seeds=(0, 1, 2), norm="scaled_weight_standardization"
    )
    profile = vg.measure_gradients(case)
    assert profile.log10_first_over_last.value / 49 == pytest.approx(np.log10(np.pi / (np.pi - 1)) / 2, abs=0.01)
