"""Batch norm with an activation on correlated examples: Gram matrices against many random units, and closed forms."""

from functools import partial

import numpy as np
import pytest

from vgbench.spec.registry import ACTIVATIONS
from vgbench.theory.batch_unit import BatchUnit, centred
from vgbench.theory.normalised import over_batch

FUNCTIONS = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}
BATCH = 10


def unit(activation: str, *, norm_first: bool = True, draws: int = 2**12, seed: int = 0) -> BatchUnit:
    return BatchUnit(ACTIVATIONS.choose(activation), norm_first, draws, np.random.default_rng(seed))


def correlated() -> np.ndarray:
    """A Gram matrix of examples that differ in size and have something in common."""
    x = np.random.default_rng(1).normal(size=(BATCH, 6)) + np.asarray([1.0, 0, 0, 0, 0, 0])
    return x @ x.T / 6


def layer(activation: str, norm_first: bool, z: np.ndarray) -> np.ndarray:
    """What units, one a row, make of their pre-activations over the batch."""
    function = FUNCTIONS[activation]
    z = z if norm_first else function(z)
    z = z - z.mean(axis=1, keepdims=True)
    x = z / np.sqrt(np.square(z).mean(axis=1, keepdims=True) + 1e-300)
    return function(x) if norm_first else x


def units(count: int) -> np.ndarray:
    variances, axes = np.linalg.eigh(correlated())
    scales = np.sqrt(np.maximum(variances, 0))
    return (np.random.default_rng(2).normal(size=(count, BATCH)) * scales) @ axes.T


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("activation", FUNCTIONS)
def test_gram_matrix_is_that_of_many_units(activation: str, norm_first: bool) -> None:
    count = 40_000
    h = layer(activation, norm_first, units(count))
    gram, mean = unit(activation, norm_first=norm_first, draws=count).forward(correlated())
    products = h[:, :, None] * h[:, None, :]
    scatter = products.std(axis=0) / count**0.5
    # Units that are drawn for the remainder scatter at most as much again.
    assert np.mean(np.square((products.mean(axis=0) - gram) / scatter)) < 2 * 2
    assert np.max(scatter) < 0.015
    np.testing.assert_allclose(mean, h.mean(axis=0), atol=0.02)


# Behind ReLUs the gradient has heavy tails: few units are on for two alike examples alone.
@pytest.mark.parametrize(("activation", "norm_first"), [("tanh", True), ("tanh", False), ("relu", True)])
def test_gradient_goes_through_each_units_jacobian(activation: str, norm_first: bool) -> None:
    z, step = units(20_000), 1e-6
    apply = partial(layer, activation, norm_first)
    jacobian = np.stack([(apply(z + at) - apply(z - at)) / (2 * step) for at in step * np.eye(BATCH)], axis=-1)
    gradient = np.random.default_rng(3).normal(size=(BATCH, 3))
    back = np.einsum("uij,ik->ujk", jacobian, gradient)
    squares = np.square(back).sum(axis=(1, 2))
    found = unit(activation, norm_first=norm_first, draws=20_000).backward(correlated(), gradient @ gradient.T)
    scatter = squares.std() / len(squares) ** 0.5
    assert np.trace(found) == pytest.approx(squares.mean(), abs=5 * scatter)
    assert scatter < 0.02 * squares.mean()
    expected = np.einsum("ujk,ulk->jl", back, back) / len(z)
    assert np.max(np.abs(found - expected)) < 0.1 * np.max(np.abs(expected))


def test_linear_units_need_no_draws() -> None:
    one, other = (unit("linear", draws=4, seed=seed).forward(correlated())[0] for seed in (0, 1))
    np.testing.assert_allclose(one, other, atol=1e-9)
    assert np.trace(one) == pytest.approx(BATCH)
    x = layer("relu", False, units(2))  # any batch that was standardised has mean 0 and variance 1
    assert np.square(x).sum(axis=1) == pytest.approx(BATCH)
    np.testing.assert_allclose(one.sum(axis=0), 0, atol=1e-9)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_uncorrelated_examples_have_the_closed_form(activation: str) -> None:
    batch = 32
    limit = over_batch(ACTIVATIONS[activation].function, batch)
    read = limit.power * np.eye(batch)
    gram, _ = unit(activation).forward(read)
    assert np.trace(centred(gram)) / (batch - 1) == pytest.approx(limit.power, rel=0.01)
    gradient = unit(activation).backward(read, centred(np.eye(batch)))
    assert np.trace(gradient) / (batch - 1) == pytest.approx(limit.kept / limit.power, rel=0.01)
