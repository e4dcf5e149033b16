"""Convolutional networks: closed forms of linear and orthogonal ones, published rows, and measurements."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vgbench as vg
from vgbench.records.runs import read_runs
from vgbench.theory import Prediction, predict, why_none
from vgbench.theory.convnet import predict_convnet

RESULTS = Path(__file__).parents[2] / "results"
SIDE = 8


def of(**options: Any) -> dict[str, Any]:
    return {"name": "convnet", "padding": "circular", "pooling": "flatten", **options}


def case(model: dict[str, Any], **slots: Any) -> vg.Case:
    common = {"depth": 12, "width": 96, "init": "lecun_normal", "batch_size": 32}
    untrained: dict[str, Any] = {"steps": 0, "learning_rates": (), "tuning_seeds": ()}
    return vg.Case(**common | untrained | {"model": model} | slots)


def predicted(asked: vg.Case) -> Prediction:
    found = predict(asked)
    assert found, why_none(asked)
    return found


@pytest.mark.parametrize(
    ("slots", "factor"),
    [
        ({"activation": "linear"}, 1),
        ({"activation": "linear", "init": "delta_orthogonal"}, 1),
        ({"activation": "relu", "init": "he_normal"}, 1),
        ({"activation": "relu"}, 1 / 2),
        ({"activation": "linear", "skip": "residual"}, 2),
        ({"activation": "relu", "norm": "scaled_weight_standardization"}, np.pi / (np.pi - 1)),
    ],
    ids=str,
)
def test_circular_networks_have_one_factor_a_block(slots: dict[str, Any], factor: float) -> None:
    found = predicted(case(of(), **slots))
    np.testing.assert_allclose(-np.diff(found.log10_norm), np.log10(factor) / 2, atol=2e-3)


def test_zero_padding_loses_what_walks_over_the_border() -> None:
    # Of each axis: a gradient at every pixel, of which a third goes to either neighbour.
    step = (np.eye(SIDE) + np.eye(SIDE, k=1) + np.eye(SIDE, k=-1)) / 3
    left = [np.ones(SIDE) @ np.linalg.matrix_power(step, back) @ np.ones(SIDE) / SIDE for back in range(12)]
    found = predicted(case(of(padding="same"), activation="linear"))
    np.testing.assert_allclose(found.log10_norm[::-1], np.log10(left), atol=1e-6)


def test_few_channels_make_the_factor_of_a_norm_larger() -> None:
    wide, narrow = (predicted(case(of(), width=width, activation="tanh", norm="layer")) for width in (96, 16))
    assert narrow.decay > 1.2 * wide.decay
    assert wide.decay == pytest.approx(np.log10(1.17781) / 2, rel=0.1)


def test_deep_and_narrow_networks_are_predicted_in_order_alone() -> None:
    assert predicted(case(of(), activation="tanh")).kind == "asymptotic"
    assert predicted(case(of(), activation="tanh", width=2)).kind == "order"


@pytest.mark.parametrize(
    ("slots", "reason"),
    [
        ({"norm": "batch"}, "norm 'batch' of pixels"),
        ({"skip": "highway"}, "skip 'highway': no theory of it is known here for pixels"),
        ({"init": "identity"}, "not random"),
        ({"model": of(order="post_norm"), "norm": "layer"}, "order 'post_norm'"),
        ({"data": {"name": "gaussian", "features": 1024}}, "1,024 pixels: pairs of at most 256"),
        ({"data": {"name": "gaussian_stream", "features": 256}}, "not known here"),
        ({"depth": 2000}, "through 1,000 layers at most"),
        ({"skip": "residual"}, "a mean that adds up on the stream"),
    ],
)
def test_what_is_not_followed_is_said(slots: dict[str, Any], reason: str) -> None:
    assert reason in (why_none(case(**{"model": of(), **slots})) or "")


def test_published_convolutional_networks_come_out_as_predicted() -> None:
    cells = [entry.cell for run in read_runs(RESULTS / "mitigations") for entry in run.entries if entry.cell]
    found = [cell for cell in cells if cell.gradients and cell.case.model.name == "convnet"]
    assert len(found) >= 4
    for cell in found:
        assert cell.gradients
        measured = float(np.mean(cell.gradients.decay_per_seed))
        assert measured == pytest.approx(predict_convnet(cell.case).decay, abs=0.015)


MEASURED = [
    {"model": of(), "activation": "tanh"},
    {"model": of(padding="same"), "activation": "tanh"},
    {"model": of(), "activation": "tanh", "skip": "residual"},
    {"model": of(padding="same", pooling="mean"), "activation": "sigmoid"},
    {"model": of(order="pre_activation"), "activation": "gelu", "skip": "scaled"},
    {"model": of(order="pre_activation"), "activation": "relu", "norm": "rms", "skip": "residual"},
    {"model": of(), "activation": "tanh", "norm": "layer", "width": 32},
    {"model": of(), "activation": "relu", "norm": "scaled_weight_standardization"},
]


@pytest.mark.slow
@pytest.mark.parametrize("slots", MEASURED, ids=str)
def test_convolutional_networks_come_out_as_predicted(slots: dict[str, Any]) -> None:
    asked = case(**{"init": "glorot_normal", "seeds": (0, 1, 2, 3), **slots})
    measured = vg.measure_gradients(asked).decay
    assert measured.value == pytest.approx(predicted(asked).decay, abs=max(measured.half_width, 0.004))
