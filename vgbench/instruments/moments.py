"""What is read of a signal on its way up: its size and shape, its units, and how far it tells inputs apart."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vgbench.instruments.activation import SATURATED_BELOW
from vgbench.instruments.probe import ScaledNorm, scaled_norm, wide


class Moments(NamedTuple):
    """Of one array h, or of each iteration of a loop; what does not apply is None.

    Attributes:
        size: its norm.
        spread: norm of what is left with the mean over examples taken off.
        distance: sum over examples of the squared difference between their unit vectors and the mean of those.
        largest: magnitude.
        mean: of all numbers.
        kurtosis: fourth moment over the square of the second.
        zero: share of exact zeros.
        dead: share of units that are saturated for every example.
        saturated: share of units and examples where the activation is flat.
        largest_logit: largest number.
        entropy: of the softmax over the last axis, mean over all but the heads.
    """

    size: ScaledNorm
    spread: ScaledNorm
    distance: Float[Array, "..."]
    largest: Float[Array, "..."]
    mean: Float[Array, "..."]
    kurtosis: Float[Array, "..."]
    zero: Float[Array, "..."]
    dead: Float[Array, "..."] | None = None
    saturated: Float[Array, "..."] | None = None
    largest_logit: Float[Array, "..."] | None = None
    entropy: Float[Array, "... heads"] | None = None


def moments(h: Float[Array, "..."], slope: Float[Array, "..."] | None, scores: bool) -> Moments:
    """Describe one array; `slope` is that of its activation where it was evaluated, None where there is none."""
    x = wide(h)
    size = scaled_norm(x)
    examples = x.reshape(len(x) if x.ndim else 1, -1)
    centred = examples - examples.mean(axis=0)
    lengths = jnp.linalg.norm(examples * jnp.exp2(-size.exponent), axis=1, keepdims=True)
    units = examples * jnp.exp2(-size.exponent) / jnp.where(lengths > 0, lengths, 1)
    around = (examples - examples.mean()) * jnp.exp2(-size.exponent)
    second = jnp.mean(around**2)
    found = Moments(
        size=size,
        spread=scaled_norm(centred),
        distance=jnp.sum((units - units.mean(axis=0)) ** 2),
        largest=jnp.max(jnp.abs(x), initial=0),
        mean=x.mean(),
        kurtosis=jnp.mean(around**4) / second**2,
        zero=jnp.mean(x == 0),
    )
    if slope is not None:
        flat = (slope < SATURATED_BELOW).reshape(-1, slope.shape[-1] if slope.ndim else 1)
        known = jnp.where(jnp.isfinite(slope).all(), 1.0, jnp.nan)  # a comparison with NaN counts as not saturated
        found = found._replace(dead=flat.all(axis=0).mean() * known, saturated=flat.mean() * known)
    if scores and x.ndim >= 3:
        weights = jax.nn.softmax(x, axis=-1)
        entropy = -jnp.sum(weights * jnp.log(jnp.where(weights > 0, weights, 1)), axis=-1)
        by_head = jnp.moveaxis(entropy, -2, 0).reshape(x.shape[-3], -1).mean(axis=1)
        found = found._replace(largest_logit=x.max(), entropy=by_head)
    return found
