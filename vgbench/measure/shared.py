"""Programs that cells share: those of a process, kept by what they compute, and how many there are."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

PROGRAMS_KEPT = 64
"""Programs of each kind that are kept: more than any built-in suite has, so that the order of its cells does not matter
(with four, six transforms under two initialisations are all compiled twice)."""

_KINDS: list[Any] = []


def shared(make: Callable[..., Any]) -> Any:
    """Keep what `make` returns for each of its arguments, and count it as a program."""
    kept: Any = lru_cache(maxsize=PROGRAMS_KEPT)(make)
    _KINDS.append(kept)
    return kept


def programs_made() -> int:
    """Programs that this process has made so far."""
    return sum(kind.cache_info().misses for kind in _KINDS)
