"""All states of a linear recurrence x_t = a_t x_{t-1} + b_t at once.

Affine maps compose associatively: (a2, b2) after (a1, b1) is (a2 a1, a2 b1 + b2). `jax.lax.associative_scan` composes
them in about 2 log2(steps) rounds (Blelloch 1990, Prefix sums and their applications). The backward pass is the same
recurrence, from the last step to the first: dL/dx_t = (what reads x_t) + a_{t+1}* dL/dx_{t+1} (Martin & Cundy 2018,
Parallelizing linear recurrent neural nets over sequence length). It keeps a and x alone, where differentiating the
rounds one by one would keep each of them: in half the time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@dataclass(frozen=True)
class Numbers:
    """The numbers that coefficients and states are.

    Attributes:
        product: of two arrays of them, broadcast.
        adjoint: of a coefficient: the factor that its transpose multiplies by.
    """

    product: Callable[[Array, Array], Array]
    adjoint: Callable[[Array], Array]


def _complex_product(x: Float[Array, "... 2 _"], y: Float[Array, "... 2 _"]) -> Array:
    a, b, c, d = x[..., 0, :], x[..., 1, :], y[..., 0, :], y[..., 1, :]
    return jnp.stack([a * c - b * d, a * d + b * c], axis=-2)


def _conjugate(x: Float[Array, "... 2 _"]) -> Array:
    return jnp.stack([x[..., 0, :], -x[..., 1, :]], axis=-2)


REAL = Numbers(jnp.multiply, lambda a: a)
COMPLEX = Numbers(_complex_product, _conjugate)
"""Real and imaginary parts on the last axis but one, since there are no complex numbers of 16-bit parts."""


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def affine_scan(
    numbers: Numbers, a: Float[Array, "steps ..."], b: Float[Array, "steps ..."]
) -> Float[Array, "steps ..."]:
    """The states of all steps, from a state of zeros.

    Args:
        numbers: that `a` and `b` consist of.
        a: coefficients, broadcast against `b` behind the first axis.
        b: what is added.
    """
    return _scan(numbers, a, b, reverse=False)


def _scan(numbers: Numbers, a: Array, b: Array, *, reverse: bool) -> Array:
    def after(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
        return numbers.product(second[0], first[0]), numbers.product(second[0], first[1]) + second[1]

    return jax.lax.associative_scan(after, (a, b), reverse=reverse)[1]


def _forward(numbers: Numbers, a: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
    x = _scan(numbers, a, b, reverse=False)
    return x, (a, x)


def _backward(numbers: Numbers, kept: tuple[Array, Array], read: Array) -> tuple[Array, Array]:
    a, x = kept
    nothing = jnp.zeros_like(a[:1]), jnp.zeros_like(x[:1])
    by_b = _scan(numbers, jnp.concatenate([numbers.adjoint(a[1:]), nothing[0]]), read, reverse=True)
    by_a = numbers.product(by_b, numbers.adjoint(jnp.concatenate([nothing[1], x[:-1]])))
    spread = tuple(i for i, (size, whole) in enumerate(zip(a.shape, by_a.shape, strict=True)) if size < whole)
    return by_a.sum(spread, keepdims=True), by_b


affine_scan.defvjp(_forward, _backward)
