"""The states of a linear recurrence at once, and their gradient, against the recurrence step by step."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vgbench.mitigations.affine_scan import COMPLEX, REAL, Numbers, affine_scan


def one_by_one(numbers: Numbers, a: jax.Array, b: jax.Array) -> jax.Array:
    def step(x: jax.Array, at: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        x = numbers.product(at[0], x) + at[1]
        return x, x

    return jax.lax.scan(step, jnp.zeros_like(b[0]), (a, b))[1]


@pytest.mark.parametrize("numbers", [REAL, COMPLEX], ids=["real", "complex"])
@pytest.mark.parametrize(
    ("steps", "shape"), [(1, (3, 2, 4)), (7, (1, 2, 4)), (16, (3, 2, 1))], ids=["one step", "shared", "by example"]
)
def test_states_and_gradients_are_those_of_single_steps(numbers: Numbers, steps: int, shape: tuple[int, ...]) -> None:
    draw = np.random.default_rng(0)
    with jax.enable_x64(True):
        a, b, read = (jnp.asarray(draw.normal(size=(steps, *each))) for each in (shape, (3, 2, 4), (3, 2, 4)))

        def gradients(scan: Any) -> Any:
            return jax.jit(jax.value_and_grad(lambda a, b: jnp.sum(scan(numbers, a, b) * read), argnums=(0, 1)))(a, b)

        found, expected = (jax.tree.leaves(gradients(scan)) for scan in (affine_scan, one_by_one))
    for each, plain in zip(found, expected, strict=True):
        np.testing.assert_allclose(each, plain, rtol=1e-9, atol=1e-9)


def test_complex_pairs_multiply_as_complex_numbers() -> None:
    pairs = np.random.default_rng(0).normal(size=(2, 2, 5)).astype(np.float32)
    x, y = pairs[:, 0] + 1j * pairs[:, 1]
    expected = x * y.conj()
    np.testing.assert_allclose(
        COMPLEX.product(jnp.asarray(pairs[0]), COMPLEX.adjoint(jnp.asarray(pairs[1]))),
        [expected.real, expected.imag],
        rtol=1e-5,
    )
