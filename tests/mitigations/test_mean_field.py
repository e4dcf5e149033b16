"""Mean-field integrals and the gains that they give, against the anchors of the literature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import by_hand
from scipy import special

import vgbench as vg
from vgbench.mitigations.mean_field import critical_variance, moments, preserving_variance
from vgbench.models import build_network
from vgbench.models.problem import Problem
from vgbench.spec.registry import ACTIVATIONS


@pytest.mark.parametrize(
    ("name", "square", "slope"),
    [
        ("relu", 0.5, 0.5),
        ("tanh", 0.39429, 0.46440),
        ("sigmoid", 0.29338, 0.04484),
        ("selu", 1.0, 1.0716),
        ("gelu", 0.42522, 0.45585),
        ("silu", 0.35578, 0.37948),
        ("squared_relu", 1.5, 2.0),
    ],
)
def test_moments_at_unit_variance(name: str, square: float, slope: float) -> None:
    got = moments(ACTIVATIONS[name].function, 1.0)[:2]
    assert got == pytest.approx((square, slope), abs=5e-5)


Q = 10.0 ** np.linspace(-12, 8, 41)


def gelu_moments(q: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """E[phi^2], E[phi'^2], E[phi] and E[phi''] of z Phi(z), by Stein's lemma and E[Phi(z)^2] of Williams 1997."""
    density = 1 / (2 * np.pi * np.sqrt(1 + 2 * q))  # E[phi(z)^2] of the standard normal density
    both, product = 1 / 4 + np.arcsin(q / (1 + q)) / (2 * np.pi), q / (1 + q) * density
    slope = both + 2 * product + q * density / (1 + 2 * q)
    mean = q / np.sqrt(2 * np.pi * (1 + q))
    return q * (both + 2 * product), slope, mean, (2 + q) / (np.sqrt(2 * np.pi) * (1 + q) ** 1.5)


def test_gelu_has_its_moments_at_every_variance() -> None:
    for got, exact in zip(moments(ACTIVATIONS["gelu"].function, Q), gelu_moments(Q), strict=True):
        np.testing.assert_allclose(got, exact, rtol=1e-8)


def test_slopes_of_saturating_units_are_exact_however_far_they_saturate() -> None:
    hard, smooth = (moments(ACTIVATIONS[name].function, Q).slope for name in ("hard_tanh", "erf"))
    np.testing.assert_allclose(hard, special.erf(1 / np.sqrt(2 * Q)), rtol=1e-9)
    np.testing.assert_allclose(smooth, 4 / np.pi / np.sqrt(1 + 4 * Q), rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "bias_variance", "variance"),
    [
        ("linear", 0, 1),
        ("relu", 0, 2),
        ("tanh", 0, 1),
        ("tanh", 0.05, 1.76095),
        ("erf", 0, np.pi / 4),
        ("sigmoid", 0, 103.0),
        ("hard_tanh", 0, 1),
    ],
)
def test_edge_of_chaos(name: str, bias_variance: float, variance: float) -> None:
    got = critical_variance(ACTIVATIONS[name].function, bias_variance**0.5)
    assert got == pytest.approx(variance, rel=1e-4)


@pytest.mark.parametrize(("name", "bias_std"), [("gelu", 0.0), ("relu", 0.1), ("softplus", 0.0), ("squared_relu", 0.0)])
def test_activations_without_a_stable_edge_are_reported(name: str, bias_std: float) -> None:
    with pytest.raises(vg.InputError, match="gain 'critical': no stable edge of chaos"):
        critical_variance(ACTIVATIONS[name].function, bias_std)


@pytest.mark.parametrize(("name", "variance"), [("linear", 1), ("relu", 2), ("selu", 1), ("squared_relu", 2 / 3)])
def test_variance_that_keeps_the_forward_signal(name: str, variance: float) -> None:
    assert preserving_variance(ACTIVATIONS[name].function) == pytest.approx(variance, rel=1e-6)


WIDE = {"width": 512, "depth": 30, "seeds": (0, 1), "data": "gaussian", "init": "lecun_normal"}


@pytest.mark.parametrize(
    ("activation", "depth"),
    [
        ("gelu", 6),
        pytest.param("tanh", 30, marks=pytest.mark.slow),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in (("softplus", 30), ("silu", 6))),
    ],
)
def test_auto_gain_keeps_the_scale_of_the_activations(activation: str, depth: int) -> None:
    init = {"name": "lecun_normal", "gain": "auto"}
    largest = vg.measure_gradients(
        vg.Case(**WIDE | {"depth": depth, "activation": activation, "init": init})
    ).log10_largest_activation
    assert abs(largest[:, -1] - largest[:, 0]).max() < 0.3


@pytest.mark.parametrize(
    "init", ["glorot_uniform", *(pytest.param(name, marks=pytest.mark.slow) for name in ("he_normal", "orthogonal"))]
)
def test_critical_gain_keeps_the_gradient_of_a_tanh_net_whatever_the_scheme(init: str) -> None:
    model = {"name": "mlp", "bias_std": 0.05**0.5}
    case = vg.Case(**WIDE | {"model": model, "activation": "tanh", "init": {"name": init, "gain": "critical"}})
    assert vg.measure_gradients(case).decay.value == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize(
    ("init", "std"),
    [
        ("lecun_normal", 128**-0.5),
        ("lecun_uniform", 128**-0.5),
        ("glorot_normal", 128**-0.5),
        ("glorot_uniform", 128**-0.5),
        ("he_normal", 64**-0.5),
        ("he_uniform", 64**-0.5),
        ("small_normal", 0.01),
        ("gpt2", 0.02),
        ("orthogonal", 128**-0.5),
    ],
)
def test_every_layer_has_the_initialisers_spread(init: str, std: float) -> None:
    network = build_network(vg.Case(depth=4, width=128, init=init), Problem(64, 10))
    kernels = by_hand.plain(network.init(jax.random.key(0)).params)["blocks"]["branch"][0]["linear"]["kernel"]
    np.testing.assert_allclose(np.std(kernels, axis=(1, 2)), std, rtol=0.03)


@pytest.mark.slow
def test_orthogonal_linear_and_identity_networks_are_exact_isometries() -> None:
    for init in ("orthogonal", "identity"):
        profile = vg.measure_gradients(vg.Case(depth=100, activation="linear", init=init, seeds=(0,), dtype="float64"))
        np.testing.assert_allclose(np.diff(profile.log10_activation_norm), 0, atol=1e-6)


@pytest.mark.slow
def test_small_normal_vanishes_in_proportion_to_its_standard_deviation() -> None:
    case = vg.Case(**WIDE | {"activation": "linear", "init": "small_normal"})
    assert vg.measure_gradients(case).decay.value == pytest.approx(np.log10(0.01 * jnp.sqrt(512)), abs=0.01)
