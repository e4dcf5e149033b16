"""The probe: norms that do not underflow, and identities that read the back-propagated signal."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgbench.instruments.probe import (
    Probe,
    as_asked,
    cumulative_exponents,
    log10_norms,
    observe,
    renormalise,
    scaled_norm,
    zero_taps,
)

SMALLEST, LARGEST = 1e-37, 3e38


def log10_norm(tree: object) -> float:
    norm = scaled_norm(tree)
    return float(log10_norms(np.asarray(norm.mantissa), np.asarray(norm.exponent)))


@pytest.mark.parametrize("exponent", range(-37, -9, 3))
def test_constant_tiny_gradients_come_back_within_1e_5(exponent: int) -> None:
    value = np.float32(10.0**exponent)
    exact = np.log10(np.float64(value)) + np.log10(1000) / 2
    assert log10_norm(jnp.full(1000, value)) == pytest.approx(exact, abs=4e-6)
    recovered = 10 ** (log10_norm(jnp.full(1000, value)) - np.log10(1000) / 2)
    assert recovered == pytest.approx(float(value), rel=1e-5)


def test_optax_reads_zero_where_the_scaled_norm_is_exact() -> None:
    tiny = jnp.full(100, 1e-25)
    assert float(optax.tree.norm(tiny)) == 0
    assert log10_norm(tiny) == pytest.approx(-24, abs=1e-6)


@given(
    st.lists(st.floats(SMALLEST, LARGEST, width=64).map(np.float32), min_size=1, max_size=6),
    st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_norm_equals_float64s_over_the_whole_range(values: list[float], signs: list[bool]) -> None:
    signed = np.asarray([v if s else -v for v, s in zip(values, signs, strict=False)], np.float32)
    exact = np.log10(np.linalg.norm(signed.astype(np.float64)))
    assert log10_norm(jnp.asarray(signed)) == pytest.approx(exact, abs=3e-7)


@given(st.floats(SMALLEST, LARGEST), st.floats(SMALLEST, LARGEST))
def test_norm_of_a_tree_is_the_norm_of_its_leaves_together(first: float, second: float) -> None:
    leaves = [jnp.full((2, 3), first, jnp.float32), jnp.full(5, second, jnp.float32), jnp.zeros(4)]
    together = jnp.concatenate([leaf.ravel() for leaf in leaves])
    assert log10_norm(leaves) == pytest.approx(log10_norm(together), abs=1e-6)


def test_zero_is_minus_infinity_nan_stays_nan_and_infinity_infinity() -> None:
    assert log10_norm(jnp.zeros(3)) == -np.inf
    assert np.isnan(log10_norm(jnp.asarray([1.0, np.nan, np.inf])))
    assert log10_norm(jnp.asarray([1.0, np.inf, 1e-30])) == np.inf


def chain(probe: Probe, weights: jax.Array) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """A scanned sigmoid chain with a probe after every layer."""

    def loss(taps: jax.Array, x: jax.Array) -> jax.Array:
        def layer(h: jax.Array, tap: jax.Array) -> tuple[jax.Array, None]:
            return probe(jax.nn.sigmoid(h @ weights), tap), None

        return jnp.sum(jax.lax.scan(layer, x, taps)[0] ** 2)

    return loss


@pytest.fixture(scope="module")
def weights() -> jax.Array:
    return jax.random.normal(jax.random.key(0), (8, 8)) / 2


X = jnp.linspace(-1, 1, 24).reshape(3, 8)


def test_renormalised_and_plain_pass_agree_to_the_last_bit(weights: jax.Array) -> None:
    with jax.disable_jit():  # one program for each operation, the same in both passes
        plain, divided = (
            np.asarray(jax.grad(chain(probe, weights))(zero_taps(20, "float32"), X)) for probe in (observe, renormalise)
        )
    np.testing.assert_array_equal(
        log10_norms(plain[:, 0], plain[:, 1]), log10_norms(divided[:, 0], cumulative_exponents(divided))
    )


def test_passes_that_are_asked_for_side_by_side_are_those_of_their_own(weights: jax.Array) -> None:
    taps = zero_taps(20, "float32")
    asked = jnp.stack([taps, taps.at[:, 0].set(1)])
    both = jax.jit(jax.vmap(jax.grad(chain(as_asked, weights)), in_axes=(0, None)))(asked, X)
    alone = [jax.jit(jax.grad(chain(probe, weights)))(taps, X) for probe in (observe, renormalise)]
    np.testing.assert_allclose(both[..., 0], jnp.stack(alone)[..., 0], rtol=1e-5)
    np.testing.assert_array_equal(both[..., 1], jnp.stack(alone)[..., 1])


def test_probes_change_neither_the_output_nor_the_gradient(weights: jax.Array) -> None:
    bare: Probe = lambda h, tap: h  # noqa: E731
    with jax.disable_jit():
        expected, seen = (
            jax.value_and_grad(chain(probe, weights), argnums=1)(zero_taps(5, "float32"), X)
            for probe in (bare, observe)
        )
    np.testing.assert_array_equal(expected[0], seen[0])
    np.testing.assert_array_equal(expected[1], seen[1])


def test_probe_composes_with_vmap_jit_and_remat(weights: jax.Array) -> None:
    taps = jnp.stack([zero_taps(4, "float32")] * 2)
    inputs = jnp.stack([X, 2 * X])
    gradient = jax.grad(jax.remat(chain(renormalise, weights)))
    together = jax.jit(jax.vmap(gradient))(taps, inputs)
    alone = jnp.stack([gradient(taps[0], X), gradient(taps[1], 2 * X)])
    np.testing.assert_allclose(together, alone, rtol=1e-5)


@pytest.mark.parametrize(("value", "expected"), [(0.0, -np.inf), (np.nan, np.nan), (np.inf, np.inf)])
def test_probe_hands_out_zero_nan_and_infinity_as_they_are(value: float, expected: float) -> None:
    def loss(taps: jax.Array) -> jax.Array:
        h = renormalise(jnp.ones(3), taps[0])
        return jnp.sum(renormalise(h, taps[1]) * value)

    taps = np.asarray(jax.grad(loss)(zero_taps(2, "float32")))
    norms = log10_norms(taps[:, 0], cumulative_exponents(taps))
    np.testing.assert_equal(norms[-1], expected)
    np.testing.assert_equal(norms[0], expected)


def test_a_tuple_of_arrays_is_renormalised_with_one_joint_scale() -> None:
    def loss(taps: jax.Array) -> jax.Array:
        a, b = renormalise((jnp.ones(2), jnp.ones(2)), taps[0])
        return 1e-30 * jnp.sum(a) + 1e-20 * jnp.sum(b)

    taps = np.asarray(jax.grad(loss)(zero_taps(1, "float32")))
    assert log10_norms(taps[:, 0], taps[:, 1])[0] == pytest.approx(-20 + np.log10(2) / 2, abs=1e-6)
