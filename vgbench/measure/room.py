"""The memory that programs have beside each other, by what their compiler says that they need."""

import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax

from vgbench.measure.executable import Memory

_EXHAUSTED = ("RESOURCE_EXHAUSTED", "Out of memory")
_SHARE = 0.5
"""The share of the memory that may be taken, since allocators fragment it."""


class NoRoomError(Exception):
    """A program that may fit alone does not fit beside others."""


def exhausted(error: BaseException) -> bool:
    """Whether memory ran out, or would have."""
    words = isinstance(error, jax.errors.JaxRuntimeError) and any(each in f"{error}" for each in _EXHAUSTED)
    return words or isinstance(error, (MemoryError, NoRoomError))


def bytes_together(needs: Iterable[Memory]) -> int:
    """Bytes that programs hold at most if they take turns: the states of all, and the scratch memory of one."""
    states, scratch = 0, 0
    for need in needs:
        state = need.parameters + need.optimizer
        states, scratch = states + state, max(scratch, need.peak - state)
    return states + scratch


def room(device: Any) -> int | None:
    """Bytes that may be taken of a `jax.Device` (of a CPU: of what its host has left); None where nothing says."""
    limit = (device.memory_stats() or {}).get("bytes_limit")
    if limit is None and device.platform == "cpu":
        limit = _available()
    return None if limit is None else int(_SHARE * limit)


def _available() -> int | None:
    """Bytes of the host, as Linux states them."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)


def let_go(error: BaseException | None) -> None:
    """Clear the variables of an error's frames, which would hold on to the memory that ran out."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
