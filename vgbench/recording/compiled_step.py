"""A training step that is traced twice, so that it costs next to nothing more while no record is due."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from vgbench.errors import InputError
from vgbench.instruments.watch import Watched, traced_as_plain, traced_as_recorded


class CompiledStep:
    """A step of training: the plain program, and every so many calls the one that makes a record.

    Attributes:
        plain: the program of a step without a record.
        recorded: the other one, from the same arguments to what the step returns and the record.
    """

    def __init__(
        self,
        step: Callable[..., Any],
        jit: Callable[..., Any],
        options: dict[str, Any],
        every: int,
        take: Callable[[Watched], None],
    ) -> None:
        self.plain = jit(partial(_plain, step), **options)
        self.recorded = jit(partial(_recorded, step), **options)
        self._every, self._take, self._calls = every, take, 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the step returns."""
        due = self._calls % self._every == 0
        self._calls += 1
        if not due:
            return self.plain(*args, **kwargs)
        found, made = self.recorded(*args, **kwargs)
        self._take(made)
        return found


def _plain(step: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    with traced_as_plain():
        return step(*args, **kwargs)


def _recorded(step: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    with traced_as_recorded() as made:
        found = step(*args, **kwargs)
    if len(made) != 1:
        raise InputError(f"Recorder: a recorded step calls `update` once, outside of any loop, not {len(made)} times")
    return found, made[0]


def scanned(step: Callable[[Any, Any], Any], every: int, carry: Any, xs: Any, length: int | None) -> Any:
    """`jax.lax.scan` of a step in rounds, of which the first step makes a record and the others none."""
    steps = len(jax.tree.leaves(xs)[0]) if length is None else length

    def one_round(carry: Any, xs: Any, steps: int) -> Any:
        first, others = jax.tree.map(lambda leaf: leaf[0], xs), jax.tree.map(lambda leaf: leaf[1:], xs)
        (carry, y), _ = _recorded(step, carry, first)
        with traced_as_plain():
            carry, ys = jax.lax.scan(step, carry, others, length=steps - 1)
        return carry, jax.tree.map(lambda one, more: jnp.concatenate([one[None], more]), y, ys)

    rounds, rest = divmod(steps, every)
    whole = jax.tree.map(lambda leaf: leaf[: rounds * every].reshape(rounds, every, *leaf.shape[1:]), xs)
    carry, ys = jax.lax.scan(lambda carry, xs: one_round(carry, xs, every), carry, whole, length=rounds)
    ys = jax.tree.map(lambda leaf: leaf.reshape(rounds * every, *leaf.shape[2:]), ys)
    if rest:
        carry, last = one_round(carry, jax.tree.map(lambda leaf: leaf[rounds * every :], xs), rest)
        ys = jax.tree.map(lambda one, more: jnp.concatenate([one, more]), ys, last)
    return carry, ys
