"""Pair moments of activations against their closed forms, and factors of singular Gram matrices."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from vgbench.spec.registry import ACTIVATIONS, NORMS
from vgbench.theory.kernels import kernels_of, root_of, squashed_kernels

ANGLES = np.asarray([0.0, 1e-4, 0.01, 0.1, 0.5, 1.0, 2.0])
PAIRS = np.stack([[[2.0, 2 * np.cos(at)], [2 * np.cos(at), 2.0]] for at in ANGLES])


def kernels(name: str) -> Any:
    return kernels_of(ACTIVATIONS.choose(name))


def test_rectified_pairs_are_the_arc_cosine_kernels() -> None:
    # Cho & Saul 2009, of degree 1 and 0; most of what is left of the series lies at small angles.
    value, slope = kernels("relu").value(PAIRS), kernels("relu").slope(PAIRS)
    wanted = 2 * (np.sin(ANGLES) + (np.pi - ANGLES) * np.cos(ANGLES)) / (2 * np.pi)
    np.testing.assert_allclose(value[:, 0, 1], wanted, atol=2e-4)
    np.testing.assert_allclose(slope[:, 0, 1], (np.pi - ANGLES) / (2 * np.pi), atol=2e-3)


def test_pairs_of_unequal_variances_are_the_arc_sine_kernel_of_erf() -> None:
    pairs = np.asarray([[[0.3, 0.4], [0.4, 4.0]], [[1e-4, 0.0], [0.0, 50.0]]])
    wanted = 2 / np.pi * np.arcsin(2 * pairs[:, 0, 1] / np.sqrt((1 + 2 * pairs[:, 0, 0]) * (1 + 2 * pairs[:, 1, 1])))
    np.testing.assert_allclose(kernels("erf").value(pairs)[:, 0, 1], wanted, atol=1e-6)
    squashed = squashed_kernels(NORMS.choose({"name": "dynamic_erf", "alpha": 1.0}))
    np.testing.assert_allclose(squashed.value(pairs)[:, 0, 1], wanted, atol=1e-6)


@pytest.mark.parametrize("name", ["relu", "gelu", "tanh", "squared_relu"])
def test_equal_signals_have_the_moments_of_one(name: str) -> None:
    function: Any = kernels(name)
    g = np.random.default_rng(0).normal(size=400_000) * 2**0.5
    square = np.mean(np.asarray(ACTIVATIONS[name].function(jnp.asarray(g))) ** 2)
    assert function.value(PAIRS[:1])[0, 0, 1] == pytest.approx(square, rel=0.02)
    assert function.value(PAIRS[:1])[0, 0, 1] == pytest.approx(function.value(PAIRS[:1])[0, 0, 0])


def test_collapsed_tokens_have_a_factor() -> None:
    gram = np.full((1, 5, 5), 3.0)
    root = root_of(gram)
    np.testing.assert_allclose(root @ root.swapaxes(1, 2), gram, rtol=1e-5)
