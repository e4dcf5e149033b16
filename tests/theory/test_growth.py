"""Residual networks between constant and exponential: power laws behind norms, stretched exponentials without."""

from typing import Any

import numpy as np
import pytest

import vgbench as vg
from vgbench.statistics import power_exponents
from vgbench.theory import predict


def profile(depth: int, **slots: Any) -> np.ndarray:
    common = {
        "width": 4096,
        "data": {"name": "gaussian", "features": 4096},
        "skip": "residual",
        "model": {"name": "mlp", "order": "pre_activation"},
        "steps": 0,
        "learning_rates": (),
        "tuning_seeds": (),
    }
    found = predict(vg.Case(depth=depth, **common | slots))
    assert found
    return found.log10_norm


@pytest.mark.parametrize("norm", ["layer", "rms"])
def test_a_norm_before_the_branch_gives_a_power_law(norm: str) -> None:
    # The stream's variance is l at layer l, so that a block multiplies the squared gradient by 1 + 1/l.
    found = profile(200, norm=norm, activation="relu", init={"name": "lecun_normal", "gain": "auto"})
    assert power_exponents(found[None]) == pytest.approx([-0.5], abs=0.003)


def test_branches_half_as_large_begin_later() -> None:
    # 1 + (1/4) / (1 + l/4): the product over blocks 1 to L - 1 is (3 + L) / 4.
    found = profile(
        101,
        norm="rms",
        activation="relu",
        init={"name": "lecun_normal", "gain": "auto"},
        skip={"name": "residual", "scale": 0.5},
    )
    assert 2 * found[0] == pytest.approx(np.log10(104 / 4), abs=0.002)


@pytest.mark.parametrize(
    ("norm", "alpha", "growth"),
    [
        ("dynamic_tanh", 0.5, 8 / 3 / np.sqrt(2 * np.pi)),
        ("dynamic_tanh", 1.0, 8 / 3 / np.sqrt(2 * np.pi)),
        ("dynamic_erf", 0.5, 4 / np.pi),
    ],
)
def test_squashing_in_place_of_a_norm_gives_a_stretched_exponential(norm: str, alpha: float, growth: float) -> None:
    # The squashed branch has variance 1, so that q grows as l, and a block multiplies the squared gradient by
    # 1 + E[(alpha f'(alpha z))^2], which tends to 1 + (4/3) alpha / sqrt(2 pi l) for f = tanh and to
    # 1 + (2 / pi) alpha / sqrt(l) for f = erf: exp(c sqrt(L)) in all.
    depth = 4000
    found = (
        2 * np.log(10) * profile(depth, norm={"name": norm, "alpha": alpha}, activation="linear", init="lecun_normal")
    )
    layers = np.arange(1, depth + 1)
    late = layers >= 1000
    slope = np.polyfit(np.sqrt(layers[late]), -found[late], 1)[0]
    assert slope == pytest.approx(growth * alpha, rel=0.05)
    assert np.isnan(power_exponents(found[None])).all()
