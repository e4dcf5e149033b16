"""Perceptrons with batch norm on digits: Gram matrices of batches against float64 networks and the fixed point."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.special import erf, expit, softmax

import vgbench as vg
from vgbench.spec.registry import ACTIVATIONS
from vgbench.theory import Prediction, predict, why_none
from vgbench.theory.normalised import over_batch
from vgbench.theory.prediction import from_factors

FUNCTIONS: dict[str, Any] = {
    "sigmoid": (expit, lambda z: expit(z) * expit(-z)),
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "gelu": (
        lambda z: z * (1 + erf(z / 2**0.5)) / 2,
        lambda z: (1 + erf(z / 2**0.5)) / 2 + z * np.exp(-(z**2) / 2) / (2 * np.pi) ** 0.5,
    ),
}
BATCH, SEEDS = 32, 16


def case(order: str = "before_addition", **slots: Any) -> vg.Case:
    common = {
        "depth": 12,
        "width": 256,
        "batch_size": BATCH,
        "activation": "sigmoid",
        "norm": "batch",
        "data": "digits",
        "init": "lecun_normal",
        "model": {"name": "mlp", "order": order},
        "steps": 0,
        "learning_rates": (),
        "tuning_seeds": (),
    }
    return vg.Case(**common | slots)


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    train = vg.data.load_dataset(case()).train
    return np.asarray(train.x, np.float64), np.asarray(train.y)


def predicted(asked: vg.Case) -> Prediction:
    found = predict(asked)
    assert found, why_none(asked)
    return found


class Network:
    """One network in float64: `forward` keeps for every step the function that takes the gradient back through it."""

    def __init__(self, asked: vg.Case, seed: int) -> None:
        self.case, self.draw, self.order = asked, np.random.default_rng([7, seed]), asked.model.options()["order"]
        self.function, self.slope = FUNCTIONS[asked.activation.name]

    def decay(self) -> float:
        x, y = digits()
        chosen = self.draw.permutation(len(x))[:BATCH]
        h, _ = self.linear(x[chosen])
        before = self.order == "pre_activation"
        h = h if before else self.unit(h)[0]
        skip, blocks = self.case.skip.name == "residual", []
        for _ in range(self.case.depth - 1):
            first, second = (self.unit, self.linear) if before else (self.linear, self.unit)
            branch, back = first(h)
            branch, back_last = second(branch)
            blocks.append((back, back_last))
            h = skip * h + branch
        h, back_unit = self.unit(h) if before else (h, lambda gradient: gradient)
        logits, back_out = self.linear(h, 10)
        gradient = back_unit(back_out(softmax(logits, axis=1) - np.eye(10)[y[chosen]]))
        norms = [np.log10(np.linalg.norm(gradient))]
        for back, back_last in reversed(blocks):
            gradient = skip * gradient + back(back_last(gradient))
            norms.append(np.log10(np.linalg.norm(gradient)))
        return float(np.polyfit(np.arange(len(norms)), norms, 1)[0])

    def linear(self, h: np.ndarray, outputs: int | None = None) -> tuple[np.ndarray, Any]:
        weights = self.draw.normal(size=(h.shape[1], outputs or self.case.width)) / h.shape[1] ** 0.5
        return h @ weights, lambda gradient: gradient @ weights.T

    def unit(self, z: np.ndarray) -> tuple[np.ndarray, Any]:
        after = self.order == "norm_after_activation"
        at = self.function(z) if after else z
        at = at - at.mean(axis=0)
        scale = np.sqrt(np.square(at).mean(axis=0))
        x = at / scale

        def back(gradient: np.ndarray) -> np.ndarray:
            gradient = gradient if after else gradient * self.slope(x)
            gradient = gradient - gradient.mean(axis=0)
            gradient = (gradient - x * (gradient * x).mean(axis=0)) / scale
            return gradient * self.slope(z) if after else gradient

        return (x if after else self.function(x)), back


NETWORKS = [
    case(),
    case(activation="gelu"),
    case("norm_after_activation"),
    case(activation="relu", skip="residual"),
    case("pre_activation", skip="residual"),
]


@pytest.mark.parametrize("asked", NETWORKS, ids=lambda at: f"{at.activation} {at.model} {at.skip}")
def test_networks_have_the_predicted_decay(asked: vg.Case) -> None:
    found = [Network(asked, seed).decay() for seed in range(SEEDS)]
    # The prediction is one of as many batches at most, whose scatter counts once more.
    tolerance = 4 * 2**0.5 * np.std(found, ddof=1) / SEEDS**0.5
    assert np.mean(found) == pytest.approx(predicted(asked).decay, abs=tolerance)
    assert tolerance < 0.007


def test_digits_are_far_from_the_fixed_point() -> None:
    limit = over_batch(ACTIVATIONS["sigmoid"].function, BATCH)
    fixed = np.log10(limit.kept / limit.power) / 2
    found = predicted(case())
    assert -np.diff(found.log10_norm)[0] > fixed + 0.01  # nearest the input
    assert found.decay > fixed + 0.005


@pytest.mark.parametrize(
    ("slots", "kind"),
    [
        ({"width": 4096}, "asymptotic"),
        ({"width": 4096, "activation": "gelu"}, "order"),  # single examples break out of the batch
        ({"width": 64, "activation": "relu", "skip": "residual"}, "order"),  # two units for each example
        ({"width": 512}, "order"),  # their fluctuations add up to 3 % to the decay
    ],
)
def test_more_is_claimed_of_wide_networks(slots: dict[str, Any], kind: str) -> None:
    assert predicted(case(depth=4, **slots)).kind == kind


def test_nothing_is_predicted_where_few_units_decide() -> None:
    narrow = case(width=8, depth=16, batch_size=16)
    assert "16 layers of 8 units the batch fluctuates so much" in (why_none(narrow) or "")


def test_a_layer_of_relus_is_near_its_fixed_point_without_the_gram_matrix() -> None:
    limit = over_batch(ACTIVATIONS["relu"].function, BATCH)
    fixed = from_factors(np.full(11, limit.kept / limit.power), "asymptotic", (), ())
    assert predicted(case(activation="relu")).decay == pytest.approx(fixed.decay, abs=1e-9)
