"""Measured decays against mean-field theory: plain, normalised and residual backbones at initialisation.

Everything is in decades of the squared norm between the first and the last hidden layer, where a layer's factor is chi.
"""

from functools import partial
from typing import Any

import numpy as np
import pytest

import vgbench as vg
from vgbench.mitigations.mean_field import moments
from vgbench.spec.registry import ACTIVATIONS

DEPTH, WIDTH, SEEDS = 50, 512, 6
LEAKY = {"name": "leaky_relu", "negative_slope": 0.2}


def squared_decades(**slots: Any) -> float:
    """Measured log10 of ||dL/dh_1||^2 / ||dL/dh_L||^2, mean over seeds, for unit-variance inputs."""
    common = {"depth": DEPTH, "width": WIDTH, "seeds": tuple(range(SEEDS)), "batch_size": 16, "data": "gaussian"}
    profile = vg.measure_gradients(vg.Case(**common | slots))
    assert profile.status == "ok"
    return 2 * profile.log10_first_over_last.value


def lecun(weight_variance: float) -> dict[str, Any]:
    return {"name": "lecun_normal", "gain": weight_variance**0.5}


def plain_theory(activation: Any, weight_variance: float, bias_variance: float) -> float:
    """log10 of chi(q_2) ... chi(q_L), the length map started by inputs of unit variance."""
    function = partial(ACTIVATIONS.build, ACTIVATIONS.choose(activation))
    q, total = float(weight_variance + bias_variance), 0.0
    for _ in range(DEPTH - 1):
        q = float(weight_variance * moments(function, q)[0] + bias_variance)
        total += float(np.log10(weight_variance * moments(function, q)[1]))
    return total


def wandering(depth: int = DEPTH, width: int = WIDTH) -> float:
    """How far a rectifier net of this shape strays from its mean field: three standard errors, and the mean's shift.

    The logarithm of the squared ratio has mean -2.5 (L - 1) / N and variance 5 (L - 1) / N for one example and seed.
    """
    spread = (depth - 1) / width
    return float((3 * np.sqrt(5 * spread / SEEDS) + 2.5 * spread) / np.log(10))


PERCENT = (DEPTH - 1) * np.log10(1.01)  # one per cent on chi

PLAIN = [
    ("linear", 1, 0, 0.0, wandering()),
    ("relu", 2, 0, 0.0, wandering()),
    ("relu", 1, 0, -14.750, wandering()),
    (LEAKY, 2 / 1.04, 0, 0.0, wandering()),
    ("tanh", 1, 0, -1.835, PERCENT),
    ("tanh", 0.5, 0.05, -18.128, PERCENT),
    ("tanh", 1.76095, 0.05, -0.339, PERCENT),
    ("tanh", 4, 0.05, 6.099, PERCENT),
    ("sigmoid", 1, 0, -61.544, PERCENT),
    ("sigmoid", 103.0, 0, -0.183, 2 * PERCENT),
    ("erf", 1, 0, -0.325, PERCENT),
    ("selu", 1, 0, 1.472, PERCENT),
    ("gelu", 1, 0, -28.861, PERCENT),
    ("silu", 2, 0, -13.467, 2 * PERCENT),
]


@pytest.mark.slow
@pytest.mark.parametrize(("activation", "weights", "biases", "published", "tolerance"), PLAIN, ids=str)
def test_plain_network(activation: Any, weights: float, biases: float, published: float, tolerance: float) -> None:
    theory = plain_theory(activation, weights, biases)
    assert theory == pytest.approx(published, abs=0.35)  # theirs is dL/dz, with chi(q_1) for chi(q_L)
    model = {"name": "mlp", "bias_std": biases**0.5}
    measured = squared_decades(activation=activation, init=lecun(weights), model=model)
    assert measured == pytest.approx(theory, abs=tolerance)


@pytest.mark.slow
def test_gelu_with_he_sits_near_an_unstable_point_that_a_finite_width_leaves() -> None:
    measured = squared_decades(activation="gelu", init=lecun(2))
    assert measured == pytest.approx(-10.342, abs=1.5)
    assert measured > plain_theory("gelu", 2, 0)


# (activation, squared factor a layer with layer or RMS norm before it, with batch norm before it)
NORMALISED = [
    ("relu", 1.0, np.pi / (np.pi - 1)),
    ("tanh", 1.17781, 1.17781),
    ("sigmoid", 0.15283, 1.03359),
    ("selu", 1.07161, 1.07161),
    ("gelu", 1.07203, 1.34),
    ("silu", 1.06663, 1.31),
]


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["layer", "rms"])
@pytest.mark.parametrize(("activation", "factor", "_"), NORMALISED)
def test_layer_and_rms_norm_before_the_activation(activation: str, factor: float, _: float, norm: str) -> None:
    measured = squared_decades(activation=activation, norm=norm, init="lecun_normal")
    tolerance = wandering() if activation == "relu" else PERCENT
    assert measured == pytest.approx((DEPTH - 1) * np.log10(factor), abs=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize(("activation", "_", "factor"), NORMALISED)
def test_batch_norm_before_the_activation(activation: str, _: float, factor: float) -> None:
    measured = squared_decades(activation=activation, norm="batch", init="lecun_normal", batch_size=512, seeds=(0, 1))
    # GELU's and SiLU's factors are measured ones: with batch norm they have no closed form.
    assert measured / (DEPTH - 1) == pytest.approx(np.log10(factor), abs=np.log10(1.02))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activation", "batch_size", "factor"),
    [("relu", 8, 1.7882), ("relu", 128, 1.4797), ("linear", 8, 6 / 5), ("linear", 32, 30 / 29)],
)
def test_batch_norm_in_small_batches(activation: str, batch_size: int, factor: float) -> None:
    measured = squared_decades(activation=activation, norm="batch", init="lecun_normal", batch_size=batch_size)
    assert measured / (DEPTH - 1) == pytest.approx(np.log10(factor), abs=np.log10(1.02))


AUTO = {"name": "lecun_normal", "gain": "auto"}


def backbone(blocks: int, order: str = "pre_activation", **slots: Any) -> float:
    model = {"name": "mlp", "order": order}
    return squared_decades(depth=blocks + 1, width=384, seeds=(0, 1, 2, 3), init=AUTO, model=model, **slots)


RESIDUAL = [
    (30, {"skip": "residual"}, 30 * np.log10(2)),
    (60, {"skip": "scaled"}, 60 * np.log10(1 + 1 / 60)),
    (60, {"skip": "residual", "norm": "layer"}, np.log10(61)),
    (60, {"skip": "residual", "norm": "rms"}, np.log10(61)),
    (30, {"skip": "residual", "norm": "layer", "order": "post_norm"}, 0.0),
    (60, {"skip": "deep_norm", "norm": "layer", "order": "post_norm"}, 0.0),
]


@pytest.mark.parametrize(("blocks", "slots", "theory"), RESIDUAL[1:2], ids=str)
def test_residual_network(blocks: int, slots: dict[str, Any], theory: float) -> None:
    assert backbone(blocks, **slots) == pytest.approx(theory, abs=wandering(blocks + 1, 384) / 2)


@pytest.mark.slow
@pytest.mark.parametrize(("blocks", "slots", "theory"), RESIDUAL, ids=str)
def test_residual_network_of_every_kind(blocks: int, slots: dict[str, Any], theory: float) -> None:
    tolerance = wandering(blocks + 1, 384) / (1 if slots["skip"] == "residual" else 4)
    assert backbone(blocks, **slots) == pytest.approx(theory, abs=tolerance)
