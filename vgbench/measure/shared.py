"""Compiled programs that the cells of a process share, kept as long as there is room for them.

A program on a CPU is some hundreds of memory maps and tens of megabytes. Linux lets a process have 65,530 maps and ends
it without a word where it needs more, so that a long suite of differing cells would end that way.
"""

import ctypes
import gc
import os
import sys
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax

PROGRAMS_KEPT = 64
"""Programs that are kept where the system does not say what the process holds."""
MAPS_SHARE, MAPS_WORN = 0.5, 0.75
"""Of the memory maps that a process may have, the share from which programs are dropped, and the one from which another
process should go on since nothing could be dropped."""
GROWTH_BYTES, WORN_BYTES = 5 * 2**28, 2**28
"""Bytes by which the process may grow before programs are dropped (what a built-in suite shares fits), and bytes beyond
that from which another process should go on."""


class Held(NamedTuple):
    """What this process holds: memory maps, and bytes of memory."""

    maps: int
    bytes: int


@dataclass
class _Process:
    """What is kept in this process.

    Attributes:
        programs: the least recently used first.
        made: how many there have been.
        least: what is held without any; more than at first where data lie there as well.
        first: what was held after the first task; data, too, may be much.
    """

    programs: OrderedDict[Any, Any]
    made: int = 0
    least: Held | None = None
    first: Held | None = None


_PROCESS = _Process(OrderedDict())


def shared(make: Callable[..., Any]) -> Callable[..., Any]:
    """Keep what `make` returns for each of its arguments, and count it as a program."""

    def kept(*arguments: Any) -> Any:
        programs, key = _PROCESS.programs, (make, arguments)
        if key not in programs:
            make_room()
            programs[key] = make(*arguments)
            _PROCESS.made += 1
        programs.move_to_end(key)
        return programs[key]

    return kept


def programs_made() -> int:
    """Programs that this process has made so far."""
    return _PROCESS.made


def make_room() -> None:
    """Drop the half of the programs that was used least recently where too much is held; all, where it still is."""
    held, least = _held(), _PROCESS.least
    if held is not None and (least is None or held.bytes < least.bytes):
        _PROCESS.least = held
    if not _crowded(held):
        return
    programs = _PROCESS.programs
    for _ in range(-(-len(programs) // 2)):
        programs.popitem(last=False)
    _give_back()
    if _crowded(_held()):
        forget()


def forget() -> None:
    """Drop all programs, those that jax keeps by itself, too."""
    _PROCESS.programs.clear()
    jax.clear_caches()
    _give_back()
    _PROCESS.least = _held()


def worn() -> bool:
    """Whether this process holds so much memory that a new one should take over; to be called after every task."""
    make_room()
    held, first = _held(), _PROCESS.first
    if held is None or first is None:
        _PROCESS.first = held
        return False
    most = first.bytes + _growth_allowed() + WORN_BYTES
    return held.maps > MAPS_WORN * _maps_allowed() or held.bytes > most


def _crowded(held: Held | None) -> bool:
    least = _PROCESS.least
    if held is None or least is None:
        return len(_PROCESS.programs) >= PROGRAMS_KEPT
    return held.maps > MAPS_SHARE * _maps_allowed() or held.bytes > least.bytes + _growth_allowed()


def _held() -> Held | None:
    """None where the system does not say (only Linux does)."""
    try:
        maps = Path("/proc/self/maps").read_bytes().count(b"\n")
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return Held(maps, pages * os.sysconf("SC_PAGE_SIZE"))


def _maps_allowed() -> int:
    try:
        return int(Path("/proc/sys/vm/max_map_count").read_text())
    except OSError:
        return 65530


def _growth_allowed() -> int:
    """A quarter of the memory that the process may take, where that is limited to less."""
    import resource  # not on Windows, which says nothing of what is held

    limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
    return GROWTH_BYTES if limit == resource.RLIM_INFINITY else min(GROWTH_BYTES, limit // 4)


def _give_back() -> None:
    """Have the system take back what is free now; the C library would keep it."""
    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library than GNU's has no need of it
            ctypes.CDLL(None).malloc_trim(0)
