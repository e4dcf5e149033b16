"""An optimizer that is watched: norms, update ratios and histograms of every layer, kept on the device."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from vgbench.boundary.run_file import Broken, Layer, Record
from vgbench.boundary.run_lines import plain
from vgbench.errors import InputError
from vgbench.instruments.look import Layers, Row, all_finite, look, rows_of
from vgbench.instruments.probe import ScaledNorm, log10_norms
from vgbench.instruments.tree import in_order

LAST_LOSSES = 1000
"""Losses before a record that are kept with it, at most."""
_BROKEN: tuple[Broken, ...] = "loss", "gradients", "updates", "parameters"


@jax.tree_util.register_static
class Rows(tuple[Row, ...]):
    """The rows of `Layers`, which jax takes for a part of the structure."""


class Watched(NamedTuple):
    """The last records, the oldest overwritten first.

    Attributes:
        step: updates made before it; -1 of a place that is still empty.
        losses: the `value`s that updates were given since the record before, in a ring: that of step s at s modulo
            its length.
        given: which of them were given one.
        since: the first step at which loss, gradients, updates and parameters were not finite; -1 of none.
        learning_rate: as `optax.inject_hyperparams` has it; NaN where nothing does.
        layers: at every record.
        modules: what `extra` made of the parameters at every record; None without it.
        rows: of the layers.
    """

    step: Int[Array, "keep"]
    losses: Float[Array, "keep every"]
    given: Bool[Array, "keep every"]
    since: Int[Array, "keep 4"]
    learning_rate: Float[Array, "keep"]
    layers: Layers
    modules: Any
    rows: Rows


class WatchState(NamedTuple):
    """State of a watched optimizer; `optax.tree.get(state, "watched")` finds the records inside any chain."""

    taken: Int[Array, ""]
    losses: Float[Array, "every"]
    given: Bool[Array, "every"]
    since: Int[Array, "4"]
    initial: Any
    watched: Watched
    inner: optax.OptState


Step = Literal["plain", "recorded"]
_STEP: ContextVar[Step | None] = ContextVar("step", default=None)


@contextmanager
def traced_as(step: Step) -> Iterator[None]:
    """Within, updates are traced as those of a step that makes no record, or of one that does; else a `cond` asks."""
    token = _STEP.set(step)
    try:
        yield
    finally:
        _STEP.reset(token)


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

    def seen(gradients: Any, params: Any, updates: Any, initial: Any) -> tuple[Layers, Any]:
        return look(stacked, gradients, params, updates, initial), extra(params)

    def init(params: optax.Params) -> WatchState:
        # Arrays of their own, so that the state can be donated.
        initial = jax.tree.map(jnp.copy, params) if displacement else None
        shapes = jax.eval_shape(seen, params, params, params, initial)
        layers, modules = jax.tree.map(lambda leaf: jnp.zeros((keep, *leaf.shape), leaf.dtype), shapes)
        watched = Watched(
            step=jnp.full(keep, -1, jnp.int32),
            losses=jnp.zeros((keep, length), jnp.float32),
            given=jnp.zeros((keep, length), bool),
            since=jnp.full((keep, len(_BROKEN)), -1, jnp.int32),
            learning_rate=jnp.full(keep, jnp.nan, jnp.float32),
            layers=layers,
            modules=modules,
            rows=Rows(rows_of(stacked, params)),
        )
        losses, given = jnp.zeros(length, jnp.float32), jnp.zeros(length, bool)
        since = jnp.full(len(_BROKEN), -1, jnp.int32)
        return WatchState(jnp.zeros((), jnp.int32), losses, given, since, initial, watched, wrapped.init(params))

    def update(
        gradients: optax.Updates, state: WatchState, params: optax.Params | None = None, **extra_args: Any
    ) -> tuple[optax.Updates, WatchState]:
        if params is None:
            raise InputError("watch: update needs the parameters, as update(gradients, state, params)")
        updates, inner = wrapped.update(gradients, state.inner, params, **extra_args)
        loss = jnp.asarray(extra_args.get("value", 0.0), jnp.float32)
        place = state.taken % length
        losses, given = state.losses.at[place].set(loss), state.given.at[place].set("value" in extra_args)
        broken = jnp.stack([~jnp.isfinite(loss), ~all_finite(gradients), jnp.asarray(False), jnp.asarray(False)])
        since = jnp.where((state.since < 0) & broken, state.taken, state.since)

        def record() -> tuple[Watched, Array]:
            layers, modules = seen(gradients, params, updates, state.initial)
            norms = loss, *(each.mantissa for each in (layers.gradient, layers.update, layers.weight))
            broken = jnp.stack([~jnp.isfinite(norm).all() for norm in norms])
            found = jnp.where((since < 0) & broken, state.taken, since)
            rate = jnp.asarray(optax.tree.get(inner, "learning_rate", jnp.nan), jnp.float32)
            now = Watched(state.taken, losses, given, found, rate, layers, modules, state.watched.rows)
            slot = (state.taken // every) % keep
            return jax.tree.map(lambda kept, one: kept.at[slot].set(one), state.watched, now), found

        watched, since = _if_due(state.taken % every == 0, record, lambda: (state.watched, since))
        return updates, WatchState(state.taken + 1, losses, given, since, state.initial, watched, inner)

    return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType]


def _if_due(due: Bool[Array, ""], record: Callable[[], Any], keep: Callable[[], Any]) -> Any:
    step = _STEP.get()
    if step is None:
        return jax.lax.cond(due, record, keep)
    return record() if step == "recorded" else keep()


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
    always = {"step": 0, "loss": None, "layers": {}}
    return [always | plain(record) for record in records_of(find(state), order)]


def find(state: Any) -> Watched:
    """What is watched in a state of any optimizer.

    Raises:
        InputError: nothing is.
    """
    found: Watched | None = optax.tree.get(state, "watched")
    if found is None:
        raise InputError("watched: this state is of no watched optimizer, as vgbench.watch(optimizer) makes it")
    return found


def records_of(found: Watched, order: Sequence[str] = ()) -> list[Record]:
    """The records that are kept, the oldest first, without modules; layers in the order that `watched` describes."""
    host = jax.device_get(found)
    places = np.argsort(host.step, kind="stable")
    return [_record(host, int(place), order) for place in places if host.step[place] >= 0]


def _record(host: Watched, place: int, order: Sequence[str]) -> Record:
    step, rate = int(host.step[place]), float(host.learning_rate[place])
    losses = np.roll(host.losses[place], -(step + 1))[np.roll(host.given[place], -(step + 1))]
    finite = losses[np.isfinite(losses)]
    rows = {row.name: i for i, row in enumerate(host.rows)}
    since = zip(_BROKEN, host.since[place], strict=True)
    return Record(
        step=step,
        loss=float(finite.mean(dtype=np.float64)) if finite.size else None,
        losses=tuple(map(float, losses)) if losses.size else None,
        nonfinite_losses=len(losses) - len(finite) if losses.size else None,
        learning_rate=None if np.isnan(rate) else rate,
        nonfinite_since={name: int(first) for name, first in since if first >= 0},
        layers={
            name: _layer(jax.tree.map(lambda leaf, i=rows[name]: leaf[place, i], host.layers), host.rows[rows[name]])
            for name in in_order(rows, order)
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
        dtype=row.dtype,
    )


def _log10(norm: ScaledNorm) -> float:
    return float(log10_norms(*map(np.asarray, norm)))


def _ratio(over: ScaledNorm | None, under: ScaledNorm | None) -> float | None:
    if over is None or under is None:
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        return float(10.0 ** (np.float64(_log10(over)) - np.float64(_log10(under))))
