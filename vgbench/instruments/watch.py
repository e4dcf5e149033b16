"""An optimizer that is watched: norms, update ratios and histograms of every layer, kept on the device."""

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from vgbench.errors import InputError
from vgbench.instruments.probe import ScaledNorm, log10_norms, scaled_norm, wide
from vgbench.instruments.tree import in_order, is_stacked, named

EDGES = tuple(10.0**exponent for exponent in range(-36, 3, 2))
"""Edges of the histogram of |g|: every other decade from 1e-36 to 1e2; below the first, what is not zero, too."""
SAMPLE = 1024
"""Numbers of a layer's gradient, evenly spaced, that shares and histogram are counted over; norms are of all."""

_NORMS = "gradient", "weight", "update"


class Layers(NamedTuple):
    """All weight arrays at every record, a row each; of a stack, a row for each of its layers.

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
    zero: Float[Array, "*keep rows"]
    nonfinite: Float[Array, "*keep rows"]
    histogram: Float[Array, "*keep rows bins"]


@jax.tree_util.register_static
class Names(tuple[str, ...]):
    """Names, which jax takes for a part of the structure."""


class Watched(NamedTuple):
    """The last records, the oldest overwritten first.

    Attributes:
        step: updates made before it; -1 of a place that is still empty.
        loss: mean of the `value`s that updates were given since the record before; NaN without any.
        layers: at every record.
        names: of the rows.
    """

    step: Int[Array, "keep"]
    loss: Float[Array, "keep"]
    layers: Layers
    names: Names


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
        keep: records that are kept; a training loop in one scan needs as many as it makes.
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
        names = Names(_names(stacked, params))
        blank = Watched(jnp.full(keep, -1, jnp.int32), jnp.full(keep, jnp.nan, jnp.float32), layers, names)
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
            loss = jnp.where(losses > 0, total / losses, jnp.nan)
            now = Watched(state.taken, loss, look(gradients, params, updates), state.watched.names)
            return jax.tree.map(lambda kept, one: kept.at[place].set(one), state.watched, now)

        due = state.taken % every == 0
        watched = jax.lax.cond(due, record, lambda: state.watched)
        total, losses = jnp.where(due, 0.0, total), jnp.where(due, 0, losses)
        return updates, WatchState(state.taken + 1, total, losses, watched, inner)

    return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType]


def _rows(stacked: Collection[str], tree: Any) -> dict[str, Array]:
    """The weight arrays of a tree by name, [rows, numbers]: of a stack a row a layer, of any other array one."""
    found = {}
    for name, array in named(tree).items():
        layered = is_stacked(name, stacked)
        if array.ndim >= 2 + layered:
            found[name] = wide(array).reshape(len(array) if layered else 1, -1)
    return found


def _names(stacked: Collection[str], tree: Any) -> Iterator[str]:
    for name, rows in jax.eval_shape(partial(_rows, stacked), tree).items():
        layered = is_stacked(name, stacked)
        yield from (f"{name}[{i}]" for i in range(rows.shape[0])) if layered else (name,)


def _look(stacked: Collection[str], gradients: Any, params: Any, updates: Any) -> Layers:
    # Whatever is small is computed for all rows at once: of 16 layers, operations one by one took most of the time.
    gradient, weight, update = (list(_rows(stacked, tree).values()) for tree in (gradients, params, updates))
    seen = _together([jnp.abs(_sample(rows)) for rows in gradient], SAMPLE)
    numbers = _together([jnp.full(len(rows), min(rows.shape[1], SAMPLE)) for rows in gradient])
    below = jnp.sum(seen[:, None] < jnp.asarray(EDGES, seen.dtype)[:, None], axis=-1) / numbers[:, None]
    zero, finite = (
        jnp.sum(each, axis=-1) / numbers for each in (seen < jnp.finfo(seen.dtype).tiny, jnp.isfinite(seen))
    )
    return Layers(
        gradient=_norms_of(gradient),
        weight=_norms_of(weight),
        update=_norms_of(update),
        zero=zero,
        nonfinite=1 - finite,
        histogram=jnp.diff(below, prepend=0, append=finite[:, None]),
    )


def _together(arrays: list[Array], *shape: int) -> Float[Array, "rows ..."]:
    """All rows in one array; of no arrays, no rows."""
    return jnp.concatenate([jnp.zeros((0, *shape), jnp.float32), *arrays])


def _norms_of(arrays: list[Float[Array, "_ _"]]) -> ScaledNorm:
    """The norm of every row of every array, as `scaled_norm` has it."""
    exponent = jax.vmap(scaled_norm)(_together([jnp.max(jnp.abs(rows), axis=1) for rows in arrays])[:, None]).exponent
    scale, first, squares = jnp.ldexp(jnp.ones_like(exponent), -exponent.astype(jnp.int32)), 0, []
    for rows in arrays:
        squares.append(jnp.sum(jnp.square(rows * scale[first : first + len(rows), None]), axis=1))
        first += len(rows)
    return ScaledNorm(jnp.sqrt(_together(squares)), exponent)


def _sample(rows: Float[Array, "rows numbers"]) -> Float[Array, "rows sample"]:
    """`SAMPLE` numbers of each row, filled up with NaN where it has fewer."""
    # An odd step, so that it does not always meet the same columns.
    step = max(1, rows.shape[1] // SAMPLE - 1 | 1)
    taken = rows[:, ::step][:, :SAMPLE]
    return jnp.pad(taken, ((0, 0), (0, SAMPLE - taken.shape[1])), constant_values=jnp.nan)


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
    rows = {name: i for i, name in enumerate(host.names)}
    layers = {
        name: _told(jax.tree.map(lambda leaf, i=rows[name]: leaf[place, i], host.layers))
        for name in in_order(rows, order)
    }
    return {"step": int(host.step[place]), "loss": _finite(host.loss[place]), "layers": layers}


def _told(layer: Layers) -> dict[str, Any]:
    norms = {name: _finite(log10_norms(*map(np.asarray, getattr(layer, name)))) for name in _NORMS}
    shares = {"zero": float(layer.zero), "nonfinite": float(layer.nonfinite)}
    return {**norms, **shares, "histogram": [round(float(share), 6) for share in layer.histogram]}


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
