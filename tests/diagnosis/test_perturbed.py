"""Faults in other widths, depths, optimizers, rates and seeds than those that rules were set on, and runs in order."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import pytest

from vgbench.diagnosis import diagnose

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "diagnosis"))
from faults.nets import mlp
from faults.problems import classification, cross_entropy, curve, digits, regression
from faults.registry import Setup
from faults.train import train

pytestmark = pytest.mark.slow

SOUND = "converged", "nothing found", "learns the training data", "not enough recorded"


def net(seed: int, width: int, depth: int, gain: float = 2.0, **options: Any) -> Any:
    return mlp(seed, [64, *[width] * depth, 10], gain, **options)


def shuffled(seed: int) -> Any:
    return np.random.default_rng(seed).permutation(digits()[1])


def noisy(share: float) -> Any:
    """Labels of which some are drawn at random, so that no loss near zero can be reached."""
    draw, labels = np.random.default_rng(5), digits()[1]
    return np.where(draw.uniform(size=len(labels)) < share, draw.integers(10, size=len(labels)), labels)


def noise(deviation: float) -> tuple[Any, Any]:
    x, y = curve(3)
    return x, (y + deviation * np.random.default_rng(6).normal(size=len(y))).astype(np.float32)


def scaled(setup: Setup, factor: float) -> Setup:
    return Setup(**{**vars(setup), "data": (factor * setup.data[0], setup.data[1])})


def of_columns(loss: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Predictions (N, 1) minus targets (N,), which broadcast."""
    return lambda p, y: loss(p - y).mean()


LARGE = "learning rate too large", "units that died"
LOST = "vanishing", "collapse"
UNSCALED = "far from unit scale", "first loss too large"

RUNS: dict[str, tuple[tuple[str, ...], Callable[[], Setup]]] = {
    "adam far too fast": (LARGE, lambda: classification(net(1, 40, 3), optax.adam(0.4))),
    "sgd far too fast": (LARGE, lambda: classification(net(2, 80, 2, 1.0), optax.sgd(30.0), kind="tanh")),
    "rmsprop too slow": (
        ("learning rate too small",),
        lambda: classification(net(3, 40, 2), optax.rmsprop(1e-6), kind="gelu"),
    ),
    "sgd too slow": (
        ("learning rate too small",),
        lambda: regression(mlp(4, [3, 40, 40, 1]), optax.sgd(1e-5), data=curve(4)),
    ),
    "fourteen sigmoids": (LOST, lambda: classification(net(5, 32, 14, 1.0), optax.sgd(0.1), kind="sigmoid")),
    "small weights under tanh": (LOST, lambda: classification(net(6, 64, 14, 0.2), optax.sgd(0.1, 0.9), kind="tanh")),
    "biases far below zero": (  # without a look at the units, no gradient is all that shows
        ("dead units", "gradients exactly zero"),
        lambda: classification(net(7, 40, 3, bias=-20.0), optax.adam(2e-3)),
    ),
    "inputs to 1,000": (UNSCALED, lambda: scaled(classification(net(8, 40, 2), optax.sgd(0.1)), 1000.0)),
    "inputs of a thousandth": (UNSCALED, lambda: scaled(classification(net(9, 40, 2), optax.sgd(0.1)), 1e-3)),
    "targets around 500": (
        UNSCALED,
        lambda: regression(mlp(10, [3, 40, 40, 1]), optax.adam(2e-3), data=curve(10, scale=5.0, shift=500.0)),
    ),
    "labels of other examples": (
        ("constant answer",),
        lambda: classification(net(11, 24, 1), optax.sgd(0.1), labels=shuffled(11), steps=150),
    ),
    "absolute errors that broadcast": (
        ("constant answer",),
        lambda: regression(
            mlp(12, [3, 40, 40, 40, 1]),
            optax.adam(2e-3),
            data=curve(12),
            kind="relu",
            loss=of_columns(lambda e: e**2 / 2),
            chance=0.5,
        ),
    ),
    "softmax before a cross-entropy": (
        ("softmax applied twice",),
        lambda: classification(
            net(13, 40, 2), optax.adam(4e-3), loss=lambda z, y: cross_entropy(jax.nn.softmax(z), y), steps=400
        ),
    ),
    "adam uphill": (
        ("updates point uphill",),
        lambda: classification(net(14, 40, 2), optax.chain(optax.adam(3e-3), optax.scale(-1.0)), kind="gelu"),
    ),
    "decay that outweighs the gradient": (
        ("vanishing in training",),
        lambda: classification(net(15, 40, 2), optax.chain(optax.add_decayed_weights(0.4), optax.sgd(0.1, 0.9))),
    ),
    "steps that are thrown away": (
        ("updates not applied",),
        lambda: classification(net(16, 40, 2), optax.adam(2e-3), apply=lambda params, updates: params),
    ),
    "labels of which half are noise": (
        SOUND,
        lambda: classification(net(17, 64, 2), optax.adam(2e-3), labels=noisy(0.5), steps=300),
    ),
    "labels of which 40 % are noise": (
        SOUND,
        lambda: classification(net(18, 64, 2), optax.adam(2e-3), labels=noisy(0.4), steps=300),
    ),
    "targets with more noise than signal": (
        SOUND,
        lambda: regression(mlp(19, [3, 40, 40, 1]), optax.adam(2e-3), data=noise(1.5), steps=500),
    ),
    "a deep network that learns": (
        SOUND,
        lambda: classification(net(20, 48, 6), optax.adam(2e-3), kind="gelu", steps=300),
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_answers_hold_beyond_the_settings_that_rules_were_set_on(name: str) -> None:
    accepted, build = RUNS[name]
    lines = train(build()).lines
    assert {way: diagnose(lines[way]).verdict for way in ("default", "full")} == {
        way: verdict if (verdict := diagnose(lines[way]).verdict) in accepted else accepted[0]
        for way in ("default", "full")
    }
