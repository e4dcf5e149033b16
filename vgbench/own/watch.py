"""An optimizer that is watched: norms, update ratios and histograms of every layer, kept on the device."""

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from vgbench.errors import InputError
from vgbench.own.tree import in_order, is_stacked, named
from vgbench.probe import ScaledNorm, log10_norms, scaled_norm

EDGES = tuple(10.0**exponent for exponent in range(-36, 3, 2))
"""Edges of the histogram of |g|: every other decade from 1e-36 to 1e2; below the first, what is not zero, too."""
SAMPLE = 4096
"""Numbers of a layer's gradient, evenly spaced, that shares and histogram are counted over; norms are of all."""

_NORMS = "gradient", "weight", "update"


class Layer(NamedTuple):
    """One weight array at every record; of a stack, layer by layer.

    Attributes:
        gradient: norm of the gradient, as the optimizer gets it.
        weight: norm of the weights, before the update.
        update: norm of the update.
        zero: share of the gradient's numbers (of `SAMPLE` among them) that are zero, or flushed to it.
        nonfinite: share of them that are not finite.
        histogram: share of them below the first edge, between the edges, and above the last.
    """

    gradient: ScaledNorm
    weight: ScaledNorm
    update: ScaledNorm
    zero: Float[Array, "keep *layers"]
    nonfinite: Float[Array, "keep *layers"]
    histogram: Float[Array, "keep *layers bins"]


class Watched(NamedTuple):
    """The last records, the oldest overwritten first.

    Attributes:
        step: updates made before it; -1 of a place that is still empty.
        loss: mean of the `value`s that updates were given since the record before; NaN without any.
        layers: by name, in order.
    """

    step: Int[Array, "keep"]
    loss: Float[Array, "keep"]
    layers: dict[str, Layer]


class WatchState(NamedTuple):
    """State of a watched optimizer; `optax.tree.get(state, "watched")` finds the records inside any chain."""

    taken: Int[Array, ""]
    loss_sum: Float[Array, ""]
    losses: Int[Array, ""]
    watched: Watched
    inner: optax.OptState


def watch(
    optimizer: optax.GradientTransformation, every: int = 10, *, keep: int = 1, stacked: Collection[str] = ()
) -> optax.GradientTransformationExtraArgs:
    """Watch an optimizer: its updates are the same, and every `every` steps its state keeps what they are.

    Unlike `optax.monitor`, which measures the updates alone and at every step, it sees gradient, weights and update
    together and pays for a look only when one is due (under vmap, at every step). Arrays of fewer than two axes, such
    as biases, are left out. Losses are recorded where `update` is given them, `update(..., value=loss)`, as optax's
    line searches are.

    Args:
        optimizer: what to watch, the whole chain.
        every: steps from one record to the next.
        keep: records that are kept; a training loop in one scan wants as many as it makes.
        stacked: keys of parameters whose leading axis counts layers, as scanned ones have it.

    Returns:
        A transformation whose `update` needs the parameters.

    Raises:
        InputError: `every` or `keep` is not positive.
    """
    if every < 1 or keep < 1:
        raise InputError(f"watch: every and keep must be at least 1, not {every} and {keep}")
    wrapped, look = optax.with_extra_args_support(optimizer), partial(_look, stacked)

    def init(params: optax.Params) -> WatchState:
        shapes = jax.eval_shape(look, params, params, params)
        layers = jax.tree.map(lambda leaf: jnp.zeros((keep, *leaf.shape), leaf.dtype), shapes)
        blank = Watched(jnp.full(keep, -1, jnp.int32), jnp.full(keep, jnp.nan, jnp.float32), layers)
        # Arrays of their own, so that the state can be donated.
        counts = jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32)
        return WatchState(counts[0], jnp.zeros((), jnp.float32), counts[1], blank, wrapped.init(params))

    def update(
        gradients: optax.Updates, state: WatchState, params: optax.Params | None = None, **extra: Any
    ) -> tuple[optax.Updates, WatchState]:
        if params is None:
            raise InputError("watch: update needs the parameters, as update(gradients, state, params)")
        updates, inner = wrapped.update(gradients, state.inner, params, **extra)
        given = "value" in extra
        total = state.loss_sum + (jnp.asarray(extra["value"], jnp.float32) if given else 0.0)
        losses = state.losses + int(given)

        def record() -> Watched:
            place = (state.taken // every) % keep
            now = Watched(state.taken, jnp.where(losses > 0, total / losses, jnp.nan), look(gradients, params, updates))
            return jax.tree.map(lambda kept, one: kept.at[place].set(one), state.watched, now)

        due = state.taken % every == 0
        watched = jax.lax.cond(due, record, lambda: state.watched)
        total, losses = jnp.where(due, 0.0, total), jnp.where(due, 0, losses)
        return updates, WatchState(state.taken + 1, total, losses, watched, inner)

    return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType]


def _look(stacked: Collection[str], gradients: Any, params: Any, updates: Any) -> dict[str, Layer]:
    trees = [named(tree) for tree in (gradients, params, updates)]
    found = {}
    for name, (gradient, weight, update) in zip(
        trees[0], zip(*(tree.values() for tree in trees), strict=True), strict=True
    ):
        layered = is_stacked(name, stacked)
        if gradient.ndim >= 2 + layered:
            found[name] = (jax.vmap(_layer) if layered else _layer)(gradient, weight, update)
    return found


def _layer(gradient: Array, weight: Array, update: Array) -> Layer:
    # An odd step, so that it does not always meet the same columns.
    step = (gradient.size // SAMPLE) | 1
    seen = jnp.abs(gradient.ravel()[::step].astype(jnp.promote_types(gradient.dtype, jnp.float32)))
    below = jnp.mean(seen < jnp.asarray(EDGES, seen.dtype)[:, None], axis=1)
    zero, finite = jnp.mean(seen < jnp.finfo(seen.dtype).tiny), jnp.mean(jnp.isfinite(seen))
    histogram = jnp.diff(below, prepend=0, append=finite)
    return Layer(scaled_norm(gradient), scaled_norm(weight), scaled_norm(update), zero, 1 - finite, histogram)


def watched(state: optax.OptState, order: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The records of a watched optimizer as plain data, the oldest first: a line of JSON each.

    Args:
        state: of the watched optimizer, or of any chain that holds one.
        order: beginnings of layers' names from input to output; what `vgbench.diagnose` takes for depth. Without it
            the names are sorted, numbers in them by their value.

    Returns:
        Dicts of `step`, `loss` (None without one) and `layers`, which maps names to `gradient`, `weight` and `update`
        (log10 of their norms; None of zeros alone or of what is not finite), `zero`, `nonfinite` and `histogram`.

    Raises:
        InputError: nothing is watched in this state.
    """
    found: Watched | None = optax.tree.get(state, "watched")
    if found is None:
        raise InputError("watched: this state is of no watched optimizer, as vgbench.watch(optimizer) makes it")
    host = jax.device_get(found)
    places = np.argsort(host.step, kind="stable")
    return [_plain(host, int(place), order) for place in places if host.step[place] >= 0]


def _plain(host: Watched, place: int, order: Sequence[str]) -> dict[str, Any]:
    layers = {}
    for name in in_order(host.layers, order):
        one = jax.tree.map(lambda leaf: leaf[place], host.layers[name])
        if one.zero.ndim:
            layers |= {
                f"{name}[{i}]": _told(jax.tree.map(lambda leaf, i=i: leaf[i], one)) for i in range(len(one.zero))
            }
        else:
            layers[name] = _told(one)
    return {"step": int(host.step[place]), "loss": _finite(host.loss[place]), "layers": layers}


def _told(layer: Layer) -> dict[str, Any]:
    norms = {name: _finite(log10_norms(*map(np.asarray, getattr(layer, name)))) for name in _NORMS}
    shares = {"zero": float(layer.zero), "nonfinite": float(layer.nonfinite)}
    return {**norms, **shares, "histogram": [round(float(share), 6) for share in layer.histogram]}


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
