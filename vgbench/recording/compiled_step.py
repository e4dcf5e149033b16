"""A training step that is compiled twice, so that it costs nothing more while no record is due."""

from collections.abc import Callable
from functools import partial
from typing import Any

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
        raise InputError(f"Recorder: a step for `jit` calls `update` once, outside of any loop, not {len(made)} times")
    return found, made[0]
