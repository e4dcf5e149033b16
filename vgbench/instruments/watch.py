"""An optimizer that is watched: norms, update ratios and histograms of every layer, kept on the device."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from vgbench.boundary.run_file import Broken, Layer, Record
from vgbench.boundary.run_lines import plain
from vgbench.errors import InputError
from vgbench.instruments.look import Layers, Row, initial_of, look, rows_of, some_finite
from vgbench.instruments.packing import Packing, packing
from vgbench.instruments.probe import ScaledNorm, log10_norms
from vgbench.instruments.tree import in_order

LAST_LOSSES = 1000
"""Losses before a record that are kept with it, at most."""
_BROKEN: tuple[Broken, ...] = "loss", "gradients", "updates", "parameters"


class Seen(NamedTuple):
    """One record.

    Attributes:
        step: updates made before it.
        losses: the `value`s that updates were given since the record before, in a ring: that of step s at s modulo
            its length, with a 1 where one was given.
        since: the first step at which loss, gradients, updates and parameters were not finite; -1 of none.
        learning_rate: as `optax.inject_hyperparams` has it; NaN where nothing does.
        layers: what `look` saw.
        modules: what `extra` made of the parameters; None without it.
    """

    step: Int[Array, ""]
    losses: Float[Array, "every 2"]
    since: Int[Array, "4"]
    learning_rate: Float[Array, ""]
    layers: Layers
    modules: Any


@jax.tree_util.register_static
@dataclass(frozen=True)
class Layout:
    """How a record lies in an array of numbers, which jax takes for a part of the structure.

    Attributes:
        packed: what says how.
        rows: of the layers.
    """

    packed: Packing
    rows: tuple[Row, ...]


class Watched(NamedTuple):
    """The last records, the oldest overwritten first.

    They are in one array, since a step that is called from Python pays for every array of its state.

    Attributes:
        kept: a row for each, as the layout says; its first number is negative where it is still empty.
        layout: of every row.
    """

    kept: Float[Array, "*keep numbers"]
    layout: Layout


class WatchState(NamedTuple):
    """State of a watched optimizer; `optax.tree.get(state, "watched")` finds the records inside any chain."""

    taken: Int[Array, ""]
    losses: Float[Array, "every 2"]
    since: Int[Array, "4"]
    initial: Any
    watched: Watched
    inner: optax.OptState


_MADE: ContextVar[list[Watched] | None] = ContextVar("made", default=None)
_PLAIN: ContextVar[bool] = ContextVar("plain", default=False)


@contextmanager
def traced_as_recorded() -> Iterator[list[Watched]]:
    """Within, updates are traced as those of a step that makes a record, which is noted in the list that this gives."""
    made: list[Watched] = []
    token = _MADE.set(made)
    try:
        yield made
    finally:
        _MADE.reset(token)


@contextmanager
def traced_as_plain() -> Iterator[None]:
    """Within, updates are traced as those of a step that makes none. Outside of both, a `cond` asks for every step."""
    token = _PLAIN.set(True)
    try:
        yield
    finally:
        _PLAIN.reset(token)


def watch(
    optimizer: optax.GradientTransformation, every: int = 10, *, keep: int = 1, stacked: Collection[str] = ()
) -> optax.GradientTransformationExtraArgs:
    """Watch an optimizer: its updates are the same, and every `every` steps its state keeps what they are.

    Unlike `optax.monitor`, which measures the updates alone and at every step, it sees gradient, weights and update
    together and pays for a look only when one is due (under vmap, at every step). Arrays of fewer than two axes, such
    as biases, are left out; where there are no others, as of scales that are tuned alone, those of one axis are not.
    Losses are recorded where `update` is given them, `update(..., value=loss)`, as optax's line searches are.

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
    return watching(optimizer, every, keep, stacked)


def watching(
    optimizer: optax.GradientTransformation,
    every: int,
    keep: int,
    stacked: Collection[str] = (),
    *,
    displacement: bool = False,
    extra: Callable[[Any], Any] = lambda params: None,
) -> optax.GradientTransformationExtraArgs:
    """`watch`, which may keep the initial weights, too, and what `extra` makes of the parameters at every record."""
    if every < 1 or keep < 1:
        raise InputError(f"watch: every and keep must be at least 1, not {every} and {keep}")
    wrapped, length = optax.with_extra_args_support(optimizer), min(every, LAST_LOSSES)

    def seen(gradients: Any, params: Any, updates: Any, state: WatchState, inner: Any) -> Seen:
        layers = look(stacked, gradients, params, updates, state.initial)
        norms = state.losses[:, 0], *(each.mantissa for each in (layers.gradient, layers.update, layers.weight))
        broken = jnp.stack([~jnp.isfinite(norm).all() for norm in norms])
        since = jnp.where((state.since < 0) & broken, state.taken, state.since)
        rate = jnp.asarray(optax.tree.get(inner, "learning_rate", jnp.nan), jnp.float32)
        return Seen(state.taken, state.losses, since, rate, layers, extra(params))

    def init(params: optax.Params) -> WatchState:
        # Arrays of their own, so that the state can be donated.
        initial = initial_of(stacked, params) if displacement else None
        losses, since = jnp.zeros((length, 2), jnp.float32), jnp.full(len(_BROKEN), -1, jnp.int32)
        blank = WatchState(jnp.zeros((), jnp.int32), losses, since, initial, None, wrapped.init(params))  # pyright: ignore[reportArgumentType]
        packed = packing(jax.eval_shape(seen, params, params, params, blank, blank.inner))
        kept = jnp.full((keep, packed.numbers), -1, jnp.float32)
        return blank._replace(watched=Watched(kept, Layout(packed, tuple(rows_of(stacked, params)))))

    def update(
        gradients: optax.Updates, state: WatchState, params: optax.Params | None = None, **extra_args: Any
    ) -> tuple[optax.Updates, WatchState]:
        if params is None:
            raise InputError("watch: update needs the parameters, as update(gradients, state, params)")
        updates, inner = wrapped.update(gradients, state.inner, params, **extra_args)
        loss = jnp.asarray(extra_args.get("value", 0.0), jnp.float32)
        given = jnp.stack([loss, jnp.float32("value" in extra_args)])
        broken = jnp.stack([~jnp.isfinite(loss), ~some_finite(gradients), jnp.asarray(False), jnp.asarray(False)])
        now = state._replace(
            losses=state.losses.at[state.taken % length].set(given),
            since=jnp.where((state.since < 0) & broken, state.taken, state.since),
        )
        (kept, layout), slot = state.watched, (state.taken // every) % keep

        def record() -> tuple[Array, Array]:
            one = seen(gradients, params, updates, now, inner)
            row = layout.packed.pack(one)
            if (made := _MADE.get()) is not None:
                made.append(Watched(row, layout))
            return kept.at[slot].set(row), one.since

        if _MADE.get() is not None:
            kept, since = record()
        elif _PLAIN.get():
            since = now.since
        else:
            kept, since = jax.lax.cond(state.taken % every == 0, record, lambda: (kept, now.since))
        return updates, WatchState(state.taken + 1, now.losses, since, state.initial, Watched(kept, layout), inner)

    return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType]


def watched(state: optax.OptState, order: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The records of a watched optimizer as plain data, the oldest first: lines of a run file.

    Args:
        state: of the watched optimizer, or of any chain that holds one.
        order: beginnings of layers' names from input to output; what `vgbench.diagnose` takes for depth. Without it
            the names are sorted, numbers in them by their value.

    Returns:
        Dicts as `vgbench.boundary.run_file.Record` describes them, with `loss` None where no finite one was given.

    Raises:
        InputError: nothing is watched in this state.
    """
    found = find(state)
    names = in_order([row.name for row in found.layout.rows], order)
    always = {"step": 0, "loss": None, "layers": {}}
    return [always | plain(record) for record in records_of(found, names)]


def find(state: Any) -> Watched:
    """What is watched in a state of any optimizer.

    Raises:
        InputError: nothing is.
    """
    found: Watched | None = optax.tree.get(state, "watched")
    if found is None:
        raise InputError("watched: this state is of no watched optimizer, as vgbench.watch(optimizer) makes it")
    return found


def records_of(found: Watched, names: Sequence[str]) -> list[Record]:
    """The records that are kept, the oldest first, without modules; layers in the order of their names."""
    return [record_of(each, found.layout, names) for each in seen_in(found)]


def seen_in(found: Watched) -> list[Seen]:
    """The records that are kept, on the host, the oldest first."""
    kept = np.atleast_2d(jax.device_get(found.kept))
    return sorted((found.layout.packed.unpack(row) for row in kept if row[0] >= 0), key=lambda each: int(each.step))


def record_of(seen: Seen, layout: Layout, names: Sequence[str]) -> Record:
    """One record on the host, without modules."""
    step, rate = int(seen.step), float(seen.learning_rate)
    ring = np.roll(seen.losses, -(step + 1), axis=0)
    losses = ring[ring[:, 1] > 0, 0]
    finite = losses[np.isfinite(losses)]
    rows = {row.name: i for i, row in enumerate(layout.rows)}
    return Record(
        step=step,
        loss=float(finite.mean(dtype=np.float64)) if finite.size else None,
        losses=tuple(map(float, losses)) if losses.size else None,
        nonfinite_losses=len(losses) - len(finite) if losses.size else None,
        learning_rate=None if np.isnan(rate) else rate,
        nonfinite_since={name: int(first) for name, first in zip(_BROKEN, seen.since, strict=True) if first >= 0},
        layers={
            name: _layer(jax.tree.map(lambda leaf, i=rows[name]: leaf[i], seen.layers), layout.rows[rows[name]])
            for name in names
        },
    )


def _layer(found: Layers, row: Row) -> Layer:
    return Layer(
        gradient=_log10(found.gradient),
        weight=_log10(found.weight),
        update=_log10(found.update),
        zero=float(found.zero),
        nonfinite=float(found.nonfinite),
        histogram=tuple(round(float(share), 6) for share in found.histogram),
        moved=_ratio(found.moved, found.initial),
        cosine=float(found.cosine),
        swallowed=float(found.swallowed),
        bias=None if row.fan_in is None else _log10(found.bias),
        fan_in=row.fan_in,
        dtype=row.dtype,
    )


def _log10(norm: ScaledNorm) -> float:
    return float(log10_norms(*map(np.asarray, norm)))


def _ratio(over: ScaledNorm | None, under: ScaledNorm | None) -> float | None:
    if over is None or under is None:
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        return float(10.0 ** (np.float64(_log10(over)) - np.float64(_log10(under))))
