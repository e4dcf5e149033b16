"""Compiled programs that outlive their process, in the user's cache folder, so that a second run need not compile them.

A program that was read measures the same bits as one that was compiled. Programs that are timed are compiled all the
same, since their records say how long that takes.
"""

import os
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import jax
from filelock import FileLock, Timeout
from jax.experimental.compilation_cache import compilation_cache

from vgbench.boundary.cache import cache_folder

LARGEST_BYTES = 2**30
"""Size of the folder of a device from which jax removes the programs that were not used for longest."""
_SHORTEST_SECONDS = 0.1
"""Programs that compile faster are not kept."""
_LOCK = ".lockfile"
"""The file that jax itself locks while it reads or writes a program."""


def folder(device: str) -> Path:
    """Where the programs of a device lie: a CPU's do not run on every other CPU."""
    return cache_folder() / "programs" / device


def keep_programs(place: Path | None) -> None:
    """Keep what this process compiles from now on, or do not where `place` is None.

    A cache that the user has set up for jax, or has switched off, stays as it is. Where the folder cannot be used, say
    because the disk is full or read-only, programs are compiled as without it.
    """
    config: Any = jax.config
    asked = "JAX_COMPILATION_CACHE_DIR" in os.environ or not config.jax_enable_compilation_cache
    if asked or config.jax_compilation_cache_dir == (place and str(place)):
        return
    if place is not None and not _opened(place):
        place = None
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache")
    config.update("jax_compilation_cache_dir", place and str(place))
    config.update("jax_compilation_cache_max_size", LARGEST_BYTES)
    config.update("jax_persistent_cache_min_compile_time_secs", _SHORTEST_SECONDS)
    config.update(
        "jax_persistent_cache_enable_xla_caches", "none"
    )  # a GPU's kernels are chosen anew where they are timed
    compilation_cache.reset_cache()


def _opened(place: Path) -> bool:
    """Make the folder, for this user alone, and remove programs whose writer was killed; whether that could be done."""
    with suppress(OSError, Timeout):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(place / _LOCK, timeout=1):
            for program in place.glob("*-cache"):
                if not program.with_name(f"{program.name.removesuffix('-cache')}-atime").exists():
                    program.unlink()
        return True
    return False
