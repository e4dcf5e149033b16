"""The forward signal: its scale, its slopes, and whether different inputs remain distinguishable."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from vgbench.boundary.schema import Each
from vgbench.errors import InputError
from vgbench.instruments.probe import ScaledNorm, log10_norms, scaled_norm, wide
from vgbench.measure.bounds import LOG10
from vgbench.measure.initial import measured_at_start
from vgbench.measure.preactivation import Activation, activation_of, describe
from vgbench.models.network import Part, Tree, Variables
from vgbench.models.stack import Signal, Stack
from vgbench.pictures.display import Displayed
from vgbench.spec.case import Case

DIRECT_ABOVE = 1e-6
"""The distance 1 - cosine down to which it is taken from the two signals themselves; float32 floors at 1e-15.

Where a shorter dtype floors higher, it is a thousand times its floor.
"""

BENT_ABOVE = 4
"""Roundings of the largest activation: where the slopes at two inputs disagree by more, a kink lies between the two."""


@dataclass(frozen=True)
class ForwardProfile(Displayed):
    """The signal at initialisation, layer by layer, on the seed's first training batch in training mode.

    A scale that decays and a distance that collapses are different failures: an optimizer that is invariant to scale
    cures only the first.

    Attributes:
        log10_activation_scale: log10 of the root mean square of h_l, float64[seeds, depth].
        mean_slope: mean `|phi'|` over units and examples, float64[seeds, depth]; NaN where a layer has no activation.
        log10_pair_distance: mean over pairs of different inputs of log10(1 - cosine) of their h_l, float64[seeds,
            depth]; below 1e-6 through a renormalised tangent, so that it does not floor, but for units with a kink
            between the two inputs. Where signals meet in direction and not in length, as in narrow ReLU networks,
            float32 rounds it: by some hundredths at 1e-12, and no digit is left below 1e-14.
        token_distance: mean of 1 - cosine over pairs of different tokens of an example, float64[seeds, depth]; NaN
            where h_l is not made of tokens. Floors near the square of the dtype's spacing at 1.
    """

    log10_activation_scale: Annotated[Float64[np.ndarray, "seeds depth"], LOG10]
    mean_slope: Annotated[Float64[np.ndarray, "seeds depth"], Each(0, 1e30, infinite=True, nan=True)]
    log10_pair_distance: Annotated[Float64[np.ndarray, "seeds depth"], LOG10]
    token_distance: Annotated[Float64[np.ndarray, "seeds depth"], Each(-1, 3, nan=True)]

    def chart(self) -> Any:
        """The forward signal by layer as an Altair chart."""
        from vgbench.pictures.single import forward_layers, forward_view

        return forward_view(forward_layers(self.log10_activation_scale, self.log10_pair_distance))

    def summary(self) -> str:
        """The signal of the last layer in one line of words."""
        seeds, depth = self.log10_activation_scale.shape
        scale, distance = (each[:, -1].mean() for each in (self.log10_activation_scale, self.log10_pair_distance))
        last = f"log10 of the scale {scale:+z.2f}, log10(1 - cosine) of input pairs {distance:+z.2f}"
        return f"Forward signal over {depth} layers, {seeds} seeds; in the last one: {last}"

    @property
    def token_cosine(self) -> Float[np.ndarray, "seeds depth"]:
        """Mean cosine between different tokens of an example; 1 where their rank has collapsed."""
        return 1 - self.token_distance


class Layer(NamedTuple):
    """The measures of one layer; `distance` is that of |tangent| to |h|, a pair each."""

    scale: ScaledNorm
    slope: Float[Array, "*depth"]
    distance: ScaledNorm
    tokens: Float[Array, "*depth"]


class _Pairs(NamedTuple):
    """The signals of a batch, its first half to be compared with its second.

    Attributes:
        h: of all examples.
        difference: second minus first half, divided by 2**exponent.
        exponent: one for each pair.
    """

    h: Float[Array, "batch *features"]
    difference: Float[Array, "pairs *features"]
    exponent: Float[Array, "pairs"]


def unfit(case: Case) -> str | None:
    """Why a case has no forward profile, or None where it has one."""
    if case.batch_size < 2:
        return "batch_size: a single example has no other to be compared with"
    if case.recurrent:
        return (
            f"model {case.model.name!r}: a network that reads an input at every step can always distinguish its inputs"
        )
    return None


def measure_forward(case: Case) -> ForwardProfile:
    """Profile the forward signal at initialisation, for each of the case's seeds.

    Raises:
        InputError: the data cannot serve the case, or `unfit` says why it has no such profile.
    """
    if reason := unfit(case):
        raise InputError(reason)
    (layers,) = measured_at_start(case, followed)
    return forward_profile(layers)


def forward_profile(layers: Layer) -> ForwardProfile:
    """What the measures of layers as numpy arrays [seeds, depth, ...] say."""
    scale, slope, distance, tokens = layers
    return ForwardProfile(
        log10_activation_scale=log10_norms(*scale),
        mean_slope=np.asarray(slope, np.float64),
        log10_pair_distance=log10_norms(*distance).mean(axis=-1),
        token_distance=np.asarray(tokens, np.float64),
    )


def followed(network: Stack, case: Case, variables: Variables, x: Float[Array, "batch features"], y: Any) -> Layer:
    """The measure of the forward signal, one seed's, stacked to [depth, ...]."""
    del y
    pairs = len(x) // 2
    x = x[: 2 * pairs].astype(network.dtype)
    start = _Pairs(x, x[pairs:] - x[:pairs], jnp.zeros(pairs, wide(x).dtype))
    return network.walk(variables, partial(_visit, activation_of(case), network.signal), start, None)[2]


def _visit(
    activation: Activation, signal: Signal | None, part: Part, params: Tree, stats: Tree, at: _Pairs, _: None
) -> tuple[_Pairs, tuple[Tree, Layer]]:
    # Equal steps apart leave the statistics of a batch alone, and are exact to second order.
    apart = jnp.concatenate([-at.difference / 2, at.difference / 2])
    run = partial(part.watch, params, stats)
    h, moved, (new_stats, given) = jax.jvp(run, (at.h,), (apart,), has_aux=True)
    (slope,) = describe([each[None] for each in given], 1, h.dtype, activation).slope
    first, second = jnp.split(h, 2)
    first_moved, second_moved = jnp.split(moved, 2)
    bend = jnp.abs(first_moved + second_moved)
    linear = second_moved - first_moved
    carried, exponent = _renormalised(_across_kinks(first, second, linear, bend, at.exponent), at.exponent)
    fresh, fresh_exponent = _renormalised(second - first, jnp.zeros_like(exponent))
    above = max(DIRECT_ABOVE, 1e3 * float(jnp.finfo(h.dtype).eps) ** 2)
    seen = [each if signal is None else signal(each) for each in (first, second, carried, h)]
    a, b, between = (wide(each.reshape(len(each), -1)) for each in seen[:3])
    distance, direct = jax.vmap(partial(_distance, above=above))(a, b, between, exponent)
    chosen = direct.reshape(-1, *[1] * (h.ndim - 1))
    after = _Pairs(h, jnp.where(chosen, fresh, carried), jnp.where(direct, fresh_exponent, exponent))
    norm = scaled_norm(seen[3])
    scale = norm._replace(mantissa=norm.mantissa / seen[3].size ** 0.5)
    return after, (new_stats, Layer(scale, slope, distance, _token_distance(wide(seen[3]))))


def _across_kinks(
    first: Float[Array, "pairs *features"],
    second: Float[Array, "pairs *features"],
    linear: Float[Array, "pairs *features"],
    bend: Float[Array, "pairs *features"],
    exponent: Float[Array, "pairs"],
) -> Float[Array, "pairs *features"]:
    """The difference of each pair over 2**exponent: the plain one where a kink lies between the two, else the tangent.

    Where the slope changes from one input to the other, as of a ReLU unit that switches, the tangent is off by up to
    half of what the slopes disagree about, and the plain difference by rounding: that one is taken where it is better.
    """
    tolerated = BENT_ABOVE * float(jnp.finfo(first.dtype).eps)

    def of_pair(a: Array, b: Array, linear: Array, bend: Array, exponent: Array) -> Array:
        largest = jnp.maximum(jnp.abs(a), jnp.abs(b)).max()
        bent = bend * jnp.exp2(exponent) > tolerated * largest
        return jnp.where(bent, (b - a) * jnp.exp2(-exponent), linear)

    mixed = jax.vmap(of_pair)(wide(first), wide(second), wide(linear), wide(bend), exponent)
    return mixed.astype(first.dtype)


def _renormalised(
    difference: Float[Array, "pairs *features"], exponent: Float[Array, "pairs"]
) -> tuple[Float[Array, "pairs *features"], Float[Array, "pairs"]]:
    norm = jax.vmap(scaled_norm)(difference)
    divided = jax.vmap(jnp.multiply)(difference, jnp.exp2(-norm.exponent))
    return divided.astype(difference.dtype), exponent + norm.exponent


def _distance(
    first: Float[Array, "features"],
    second: Float[Array, "features"],
    difference: Float[Array, "features"],
    exponent: Float[Array, ""],
    above: float,
) -> tuple[ScaledNorm, Array]:
    """1 - cosine of one pair, and whether it is above what is taken from the signals directly."""
    a, b = _direction(first), _direction(second)
    distance = jnp.sum((a - b) ** 2) / 2
    middle = _direction(a + b)
    across = difference - jnp.dot(difference, middle) * middle
    # Between signals of lengths A and B, the part across their bisector is (A + B) sin(angle / 2).
    across_norm, one, other = map(scaled_norm, (across, first, second))
    sizes = one.mantissa + other.mantissa * jnp.exp2(other.exponent - one.exponent)
    mantissa = 2 * (across_norm.mantissa / sizes) ** 2
    tangent = ScaledNorm(mantissa, 2 * (exponent + across_norm.exponent - one.exponent))
    direct = ~(distance < above)
    return jax.tree.map(partial(jnp.where, direct), ScaledNorm(distance, jnp.zeros_like(exponent)), tangent), direct


def _direction(h: Float[Array, "features"]) -> Float[Array, "features"]:
    norm = scaled_norm(h)
    return h * jnp.exp2(-norm.exponent) / norm.mantissa


def _token_distance(h: Float[Array, "batch *features"]) -> Float[Array, ""]:
    """Mean of 1 - cosine over the pairs of an example's tokens, through their distances from the middle."""
    if h.ndim != 3:
        return jnp.full((), jnp.nan, h.dtype)
    directions = jax.vmap(jax.vmap(_direction))(h)
    apart = directions - directions.mean(axis=1, keepdims=True)
    return jnp.square(apart).sum(axis=(1, 2)).mean() / (h.shape[1] - 1)
