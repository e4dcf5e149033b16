"""How large the numbers of an array are, as counts and sums of squares by powers of two.

Both add up over arrays, examples and steps, whatever transformation splits them, and neither underflows where the
numbers themselves do not: a norm is put together on the host in float64.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree


class Spectrum(NamedTuple):
    """Numbers by their size: bin b holds those with 2**(b - half + 1) <= |x| < 2**(b - half + 2), half = bins / 2.

    There is a bin for every exponent of float32 (256), or of float64 (2048). The first holds zeros and what the dtype
    flushes to zero, the last what is not finite.

    Attributes:
        counts: numbers in each bin.
        squares: sum of (x / 2**(b - half + 2))^2 in each bin; of what is not finite, how many.
    """

    counts: Float[Array | np.ndarray, "*layers bins"]
    squares: Float[Array | np.ndarray, "*layers bins"]


def spectrum(tree: PyTree[Float[Array, "..."]]) -> Spectrum:
    """The spectrum of all leaves together."""
    return jax.tree.map(lambda *each: sum(each), *map(_of_array, jax.tree.leaves(tree)))


def blank(dtype: jnp.dtype | str, layers: int | None = None) -> Spectrum:
    """A spectrum of nothing for numbers of `dtype`; a row for each of `layers`, if given."""
    wide = jnp.promote_types(dtype, jnp.float32)
    shape = (_bins(wide),) if layers is None else (layers, _bins(wide))
    return Spectrum(np.zeros(shape, wide), np.zeros(shape, wide))


def _bins(dtype: jnp.dtype) -> int:
    return 256 if dtype == jnp.float32 else 2048


def _of_array(x: Float[Array, "..."]) -> Spectrum:
    x = x.astype(jnp.promote_types(x.dtype, jnp.float32)).ravel()
    bins = _bins(x.dtype)
    mantissa, exponent = jnp.frexp(x)
    usable, finite = jnp.abs(x) >= jnp.finfo(x.dtype).tiny, jnp.isfinite(x)
    bin_ = jnp.where(finite, jnp.where(usable, exponent + bins // 2 - 2, 0), bins - 1)
    square = jnp.where(finite, jnp.where(usable, mantissa**2, 0), 1)
    empty = jnp.zeros(bins, x.dtype)
    return Spectrum(empty.at[bin_].add(1), empty.at[bin_].add(square))


def log10_norm(found: Spectrum) -> np.ndarray:
    """log10 of the Euclidean norm, float64[*layers]: -inf of zeros alone, NaN where something is not finite."""
    square = np.asarray(found.squares, np.float64)
    bins = square.shape[-1]
    with np.errstate(divide="ignore"):
        terms = np.log10(square[..., :-1]) + 2 * np.log10(2.0) * (np.arange(bins - 1) - (bins // 2 - 2))
        largest = terms.max(axis=-1, keepdims=True)
        shifted = np.where(np.isneginf(largest), 0, terms - np.where(np.isneginf(largest), 0, largest))
        total = np.where(np.isneginf(largest[..., 0]), 0, np.sum(10.0**shifted, axis=-1))
        norm = (largest[..., 0] + np.log10(total)) / 2
    return np.asarray(np.where(square[..., -1] > 0, np.nan, norm))


def zero_fraction(found: Spectrum) -> np.ndarray:
    """Share of numbers that are zero, or that the dtype flushes to it, [*layers]; NaN of no numbers."""
    count = np.asarray(found.counts, np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray(count[..., 0] / count.sum(axis=-1))
