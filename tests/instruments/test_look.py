"""Norms of a gradient in one pass, also where its squares leave float32's range."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vgbench.instruments.look import gradient_norms
from vgbench.instruments.probe import log10_norms


@pytest.mark.parametrize("scale", [1.0, 1e-25, 1e25])
def test_gradient_norms_are_those_of_float64(scale: float) -> None:
    numbers = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
    numbers[1] *= np.float32(scale)
    tree = {"blocks": {"kernel": jnp.asarray(numbers), "bias": jnp.ones((3, 4))}, "out": jnp.asarray(numbers[0])}
    found = jax.jit(lambda tree: gradient_norms(("blocks",), tree))(tree)
    exact = [np.linalg.norm(each.astype(np.float64)) for each in (*numbers, numbers[0])]
    np.testing.assert_allclose(log10_norms(*found), np.log10(exact), atol=3e-7)
