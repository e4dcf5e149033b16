"""The forward profile and the parameters' gradients, against closed forms and plain float64."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import by_hand

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.measure.draw import draw, first_batch
from vgbench.models import build_network

SIGMOID: dict[str, Any] = {"depth": 40, "width": 128, "activation": "sigmoid", "init": "lecun_normal", "seeds": (0,)}


@pytest.fixture(scope="module")
def sigmoid() -> vg.ForwardProfile:
    return vg.measure_forward(vg.Case(**SIGMOID))


def test_a_sigmoid_net_loses_what_tells_inputs_apart(sigmoid: vg.ForwardProfile) -> None:
    distance = sigmoid.log10_pair_distance[0]
    assert distance[9] == pytest.approx(-12, abs=0.7)
    assert distance[39] == pytest.approx(-50, abs=1)
    assert (np.diff(distance) < 0).all()


def test_distance_in_float32_is_float64s_through_the_switch_to_the_tangent(sigmoid: vg.ForwardProfile) -> None:
    exact = vg.measure_forward(vg.Case(**SIGMOID, dtype="float64"))
    np.testing.assert_allclose(sigmoid.log10_pair_distance, exact.log10_pair_distance, atol=2e-3)
    np.testing.assert_allclose(sigmoid.mean_slope, exact.mean_slope, rtol=1e-5)
    np.testing.assert_allclose(sigmoid.log10_activation_scale, exact.log10_activation_scale, atol=1e-5)


def signals(case: vg.Case) -> list[np.ndarray]:
    """h_l of the first seed's first batch in float64, straight from the weights."""
    data = load_dataset(case)
    network = build_network(case, data.problem, scanned=False)
    params: Any = by_hand.plain(network.init(jax.random.key(case.seeds[0])).params)
    h: Any = np.asarray(first_batch(case, data, case.seeds[0])[0], np.float64)
    act = {"sigmoid": lambda z: 1 / (1 + np.exp(-z)), "relu": lambda z: np.maximum(z, 0)}[case.activation.name]
    layers = []
    for layer in [params["input_layer"], *(block["branch"][0] for block in params["blocks"])]:
        branch = act(h @ np.asarray(layer["linear"]["kernel"], np.float64))
        h = h + branch if layers and case.skip.name == "residual" else branch
        layers.append(h)
    return layers


def plain_distance(h: np.ndarray) -> float:
    first, second = np.split(h, 2)
    cosine = (first * second).sum(1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)
    return float(np.log10(1 - cosine).mean())


@pytest.mark.parametrize(("activation", "depth"), [("relu", 12), ("sigmoid", 8)])
def test_distance_scale_and_slope_are_those_of_the_signals(activation: str, depth: int) -> None:
    case = vg.Case(**SIGMOID | {"activation": activation, "depth": depth, "batch_size": 32})
    profile, layers = vg.measure_forward(case), signals(case)
    np.testing.assert_allclose(profile.log10_pair_distance[0], [plain_distance(h) for h in layers], atol=3e-3)
    np.testing.assert_allclose(
        profile.log10_activation_scale[0], [np.log10(np.sqrt((h**2).mean())) for h in layers], atol=1e-5
    )
    slope = {"relu": lambda h: h > 0, "sigmoid": lambda h: h * (1 - h)}[activation]
    np.testing.assert_allclose(profile.mean_slope[0], [slope(h).mean() for h in layers], rtol=1e-3)


NARROW = {"width": 16, "depth": 50, "batch_size": 32, "seeds": (1,)}
SWITCHING = {"width": 64, "depth": 64, "batch_size": 16, "seeds": (1,), "skip": "residual"}


@pytest.mark.parametrize("slots", [NARROW, SWITCHING], ids=["lengths that stay apart", "kinks between inputs"])
def test_short_distance_of_a_relu_net_is_that_of_the_signals(slots: dict[str, Any]) -> None:
    """Off by .1 decades if lengths were taken as equal, by .008 if the tangent were trusted across kinks."""
    case = vg.Case(**slots, activation="relu")
    expected = np.asarray([plain_distance(h) for h in signals(case)])
    assert expected.min() < -8
    np.testing.assert_allclose(vg.measure_forward(case).log10_pair_distance[0], expected, atol=4e-3)


def test_scale_and_information_are_different_failures() -> None:
    slots = {"depth": 60, "seeds": (0,), "init": "lecun_normal"}
    relu, sigmoid = (vg.measure_forward(vg.Case(**slots, activation=name)) for name in ("relu", "sigmoid"))
    assert relu.log10_activation_scale[0, -1] < -6
    assert relu.log10_pair_distance[0, -1] > -4
    assert sigmoid.log10_activation_scale[0, -1] > -0.5
    assert sigmoid.log10_pair_distance[0, -1] < -60


def test_scanned_and_unrolled_profiles_agree_under_batch_norm() -> None:
    slots: dict[str, Any] = {"depth": 5, "width": 16, "norm": "batch", "seeds": (0,), "dtype": "float64"}
    scanned, unrolled = (vg.measure_forward(vg.Case(**slots, block_execution=form)) for form in ("scan", "unroll"))
    np.testing.assert_allclose(scanned.log10_pair_distance, unrolled.log10_pair_distance, atol=1e-9)


def test_one_example_makes_no_pair() -> None:
    with pytest.raises(vg.InputError, match="batch_size: a single example has no other"):
        vg.measure_forward(vg.Case(batch_size=1))


def weights_and_gradients(case: vg.Case) -> list[tuple[np.ndarray, np.ndarray]]:
    """(W_l, dL/dW_l) of every layer by plain backpropagation in float64."""
    data = load_dataset(case)
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        network = build_network(case, data.problem, scanned=False)
        params: Any = by_hand.plain(draw(case, network, data, case.seeds[0]).params)
        x, y = first_batch(case, data, case.seeds[0])
        offsets = [jnp.zeros((case.batch_size, case.width))] * case.depth
        gradients: Any = jax.jit(jax.grad(lambda p: by_hand.loss(case, p, x.astype("float64"), y, offsets)))(params)

    def kernels(tree: Any) -> list[np.ndarray]:
        dense = [tree["input_layer"], *(block["branch"][0] for block in tree["blocks"])]
        return [np.asarray(layer["linear"]["kernel"]) for layer in [*dense, tree["output_layer"]]]

    return list(zip(kernels(params), kernels(gradients), strict=True))


@pytest.mark.parametrize("slots", [{"activation": "sigmoid"}, {"norm": "batch"}, {"skip": "residual"}], ids=str)
def test_parameter_norms_are_plain_backpropagations(slots: dict[str, Any]) -> None:
    case = vg.Case(depth=6, width=16, batch_size=32, seeds=(0,), dtype="float64", **slots)
    expected = [np.log10(np.linalg.norm(gradient)) for _, gradient in weights_and_gradients(case)]
    np.testing.assert_allclose(vg.measure_gradients(case).log10_parameter_norm[0], expected, atol=1e-9)


def test_parameter_norms_go_on_where_float32_reads_zero() -> None:
    slots: dict[str, Any] = {"depth": 80, "width": 32, "activation": "sigmoid", "seeds": (0,)}
    single, double = (vg.measure_gradients(vg.Case(**slots, dtype=dtype)) for dtype in ("float32", "float64"))
    assert double.log10_parameter_norm.min() < -39
    np.testing.assert_allclose(single.log10_parameter_norm, double.log10_parameter_norm, atol=2e-5)


@pytest.mark.parametrize("activation", ["relu", {"name": "leaky_relu", "negative_slope": 0.2}, "linear"], ids=str)
def test_eulers_identity_makes_weight_gradients_blind_to_vanishing(activation: Any) -> None:
    case = vg.Case(
        depth=10,
        width=32,
        activation=activation,
        init={"name": "lecun_normal", "gain": 0.5},
        seeds=(0,),
        dtype="float64",
    )
    products = np.asarray([(weights * gradient).sum() for weights, gradient in weights_and_gradients(case)])
    np.testing.assert_allclose(products, products[0], rtol=1e-10)
    profile = vg.measure_gradients(case)
    assert profile.log10_first_over_last.value < -2.5
    assert abs(profile.log10_parameter_norm[0, 1] - profile.log10_parameter_norm[0, -2]) < 1
