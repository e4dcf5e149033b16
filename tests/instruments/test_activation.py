"""Activations recognised in the jaxpr of a forward pass, however they are written, and what is flat in them."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import vgbench as vg
from vgbench.instruments.activation import Activation
from vgbench.instruments.graph import flattened
from vgbench.instruments.passes import traced
from vgbench.instruments.tap import tapping

Z = jnp.asarray([[-9.0, -1.0, 0.5, 9.0], [-9.0, 2.0, -0.5, 9.0]])


def recognised(forward: Callable[[jax.Array], jax.Array]) -> Activation | None:
    with tapping():
        closed = flattened(lambda w, x: jnp.sum(forward(x @ w)), jnp.eye(4), Z)
    (site,) = traced(closed, 1).sites
    return site.activation


def hand_written_gelu(z: jax.Array) -> jax.Array:
    return 0.5 * z * (1 + jax.lax.erf(z / 2**0.5))


KNOWN = {
    "relu": [jax.nn.relu, nnx.relu, lambda z: jnp.maximum(z, 0)],
    "sigmoid": [jax.nn.sigmoid],
    "tanh": [jnp.tanh],
    "gelu": [jax.nn.gelu, hand_written_gelu, lambda z: jax.nn.gelu(z, approximate=False)],
    "silu": [jax.nn.silu, lambda z: z * jax.nn.sigmoid(z)],
    "leaky_relu": [jax.nn.leaky_relu],
    "elu": [jax.nn.elu],
    "softplus": [jax.nn.softplus],
}


@pytest.mark.parametrize(("name", "function"), [(name, each) for name in KNOWN for each in KNOWN[name]])
def test_activations_are_known_before_and_behind_a_tap(name: str, function: Callable[[jax.Array], jax.Array]) -> None:
    for forward in (lambda z: function(vg.tap(z, "z")), lambda z: vg.tap(function(z), "h")):
        found = recognised(forward)
        assert found is not None
        assert found.name == name
        np.testing.assert_allclose(found.function(Z), function(Z), rtol=1e-6)


def test_one_of_ones_own_has_a_slope_and_no_name() -> None:
    found = recognised(lambda z: 2 * jnp.sin(vg.tap(z, "z")) + 1)
    assert found is not None
    assert found.name is None
    np.testing.assert_allclose(found.slope(Z), jnp.abs(2 * jnp.cos(Z)), rtol=1e-5)


@pytest.mark.parametrize(
    "forward",
    [
        lambda z: vg.tap(z, "z") * 3,
        lambda z: (vg.tap(z, "z") - 1) ** 2,
        lambda z: vg.tap(z, "z") + jnp.tanh(z),
        lambda z: jax.nn.log_softmax(vg.tap(z, "z")),
        lambda z: vg.tap(z / jnp.linalg.norm(z), "z") @ jnp.eye(4),
    ],
    ids=["scaled", "squared", "residual", "log_softmax", "normalised"],
)
def test_what_only_scales_or_mixes_is_no_activation(forward: Callable[[jax.Array], jax.Array]) -> None:
    assert recognised(forward) is None
