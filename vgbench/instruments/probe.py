"""Identities with custom gradients that read the back-propagated signal, and norms that do not underflow.

The backward pass is linear in the cotangent, so it may be divided by any power of two on its way to the input: the
division is exact, and the sum of the exponents restores the true norm at any depth, far below what float32 holds.
Each tap is a dummy input of two zeros whose "gradient" carries out the `ScaledNorm` of the cotangent at its place.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

Signal = PyTree[Float[Array, "..."]]


class ScaledNorm(NamedTuple):
    """A Euclidean norm `mantissa * 2**exponent` that neither underflows nor overflows.

    The exponent is the integer e for which the largest magnitude lies in [2**(e-1), 2**e), kept within the range
    of the dtype's normal numbers; it is 0 where everything is zero or something is not finite.
    """

    mantissa: Float[Array, "..."]
    exponent: Float[Array, "..."]


Probe: TypeAlias = Callable[[Signal, Float[Array, "2"]], Signal]
"""An identity on `h` that hands out the norm of dL/dh as the gradient of its second argument, the tap."""


def wide(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """The same numbers at least in float32."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def smallest_number(dtype: Any) -> float:
    """The smallest positive number of a dtype that does not read as zero.

    float16's subnormal numbers count; XLA flushes those of the wider ranges to zero.
    """
    limits = jnp.finfo(dtype)
    return float(limits.smallest_subnormal if limits.dtype == jnp.float16 else limits.smallest_normal)


def largest_magnitude(tree: Signal) -> Float[Array, ""]:
    """Largest magnitude over all leaves, at least in float32; NaN where any value is NaN."""
    leaves = [wide(leaf) for leaf in jax.tree.leaves(tree)]
    return jnp.max(jnp.stack([jnp.max(jnp.abs(leaf), initial=0) for leaf in leaves]))


def scaled_norm(tree: Signal) -> ScaledNorm:
    """Euclidean norm over all leaves, exact to rounding wherever the values themselves are.

    `optax.tree.norm` and `jnp.linalg.norm` return 0 for float32 values near 1e-20, because their squares underflow.
    """
    exponent = _exponent(largest_magnitude(tree))
    squares = [jnp.sum(jnp.square(wide(leaf) * power_of_two(-exponent))) for leaf in jax.tree.leaves(tree)]
    return ScaledNorm(jnp.sqrt(jnp.sum(jnp.stack(squares))), exponent)


def zero_taps(count: int, dtype: str) -> Float[Array, "{count} 2"]:
    """The dummy inputs of `count` probes in a network that computes in `dtype`."""
    return jnp.zeros((count, 2), jnp.promote_types(dtype, jnp.float32))


def _exponent(largest: Float[Array, "..."]) -> Float[Array, "..."]:
    # Read off the bits: `frexp` and `ldexp` are dozens of operations, which were compiled anew at every tap.
    limits = jnp.finfo(largest.dtype)
    limit = -int(limits.minexp)  # 2**limit and 2**-limit are both normal
    biased = jax.lax.bitcast_convert_type(largest, f"int{limits.bits}") >> limits.nmant
    usable = (largest > 0) & jnp.isfinite(largest)
    return jnp.where(usable, jnp.minimum(biased - limit, limit), 0).astype(largest.dtype)


def power_of_two(exponent: Float[Array, "..."]) -> Float[Array, "..."]:
    """Two to the power of whole numbers within the exponents of the dtype's normal numbers; exact, as `exp2` is not."""
    limits = jnp.finfo(exponent.dtype)
    biased = exponent.astype(f"int{limits.bits}") + (limits.maxexp - 1)
    return jax.lax.bitcast_convert_type(biased << limits.nmant, exponent.dtype)


def _identity(h: Signal, tap: Float[Array, "2"]) -> Signal:
    del tap
    return h


def _forward(h: Signal, tap: Float[Array, "2"]) -> tuple[Signal, Float[Array, "2"]]:
    return h, tap


def _hand_out(_: Float[Array, "2"], cotangent: Signal) -> tuple[Signal, Float[Array, "2"]]:
    return cotangent, jnp.stack(scaled_norm(cotangent))


def _divided(cotangent: Signal, exponent: Float[Array, ""]) -> Signal:
    return jax.tree.map(lambda x: (wide(x) * power_of_two(-exponent)).astype(x.dtype), cotangent)


def _divide_and_hand_out(_: Float[Array, "2"], cotangent: Signal) -> tuple[Signal, Float[Array, "2"]]:
    norm = scaled_norm(cotangent)
    return _divided(cotangent, norm.exponent), jnp.stack(norm)


def _hand_out_as_asked(tap: Float[Array, "2"], cotangent: Signal) -> tuple[Signal, Float[Array, "2"]]:
    norm = scaled_norm(cotangent)
    return _divided(cotangent, norm.exponent * tap[0]), jnp.stack(norm)


observe: Probe = jax.custom_vjp(_identity)
"""Hand out the norm of dL/dh and pass the cotangent on as it is: the true training gradient."""
observe.defvjp(_forward, _hand_out)  # pyright: ignore[reportFunctionMemberAccess]

renormalise: Probe = jax.custom_vjp(_identity)
"""Hand out the norm of the cotangent and pass it on divided by 2**exponent, so that it can never vanish.

Exact where every path from the loss to earlier layers passes through the tapped stream.
"""
renormalise.defvjp(_forward, _divide_and_hand_out)  # pyright: ignore[reportFunctionMemberAccess]

as_asked: Probe = jax.custom_vjp(_identity)
"""`renormalise` where the tap's first number is 1, `observe` where it is 0.

Under vmap over such taps, both passes are one program and share their forward pass.
"""
as_asked.defvjp(_forward, _hand_out_as_asked)  # pyright: ignore[reportFunctionMemberAccess]


def weight_matrices(params: Signal) -> list[Float[Array, "..."]]:
    """The arrays of two axes or more, whose gradients are meant by dL/dW_l."""
    return [leaf for leaf in jax.tree.leaves(params) if leaf.ndim >= 2]


def _hand_out_weights(_: Float[Array, "2"], cotangent: Signal) -> tuple[Signal, Float[Array, "2"]]:
    return cotangent, jnp.stack(scaled_norm(weight_matrices(cotangent)))


observe_weights: Probe = jax.custom_vjp(_identity)
"""On a layer's parameters: hand out the norm of dL/dW_l, reduced inside the backward pass, layer by layer.

Differentiated with respect to the tap alone, no second copy of the gradients is ever held.
"""
observe_weights.defvjp(_forward, _hand_out_weights)  # pyright: ignore[reportFunctionMemberAccess]


Sequence = Float[Array, "batch positions *features"]


def _same_sequence(h: Sequence, tap: Float[Array, "groups 2"]) -> Sequence:
    del tap
    return h


def _forward_sequence(h: Sequence, tap: Float[Array, "groups 2"]) -> tuple[Sequence, Float[Array, "groups 2"]]:
    return h, tap


def _hand_out_positions(
    tap: Float[Array, "groups 2"], cotangent: Sequence
) -> tuple[Sequence, Float[Array, "groups 2"]]:
    groups = jnp.array_split(cotangent, len(tap), axis=1)
    return cotangent, jnp.stack([jnp.stack(scaled_norm(group)) for group in groups])


observe_positions = jax.custom_vjp(_same_sequence)
"""On a sequence: hand out the norm of dL/dh by groups of successive positions, as many as the tap has rows."""
observe_positions.defvjp(_forward_sequence, _hand_out_positions)


def cumulative_exponents(taps: Float[np.ndarray, "*batch layers 2"]) -> Float[np.ndarray, "*batch layers"]:
    """Exponents of dL/dh_l after a renormalised pass, in float64."""
    return np.cumsum(np.asarray(taps[..., ::-1, 1], np.float64), axis=-1)[..., ::-1]


def log10_norms(mantissa: Array | np.ndarray, exponent: Array | np.ndarray) -> np.ndarray:
    """Log10 of scaled norms, in float64; zero gives -inf, NaN stays NaN and infinity infinity."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log10(np.asarray(mantissa, np.float64)) + np.asarray(exponent, np.float64) * np.log10(2.0))
