"""The time that a device is at work, from a trace of the profiler."""

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jax
from jax.profiler import ProfileData

_OPERATIONS, _STREAM = "XLA Ops", "Stream "
"""Names of the lines that operations are on: of a TPU one, of a GPU those of its streams."""


def device_seconds(run: Callable[[], None], kept: Path | None = None) -> float | None:
    """Seconds that the busiest device is at work while `run` runs; None where the profiler does not see the device.

    So it is on CPUs, which are the host.

    Args:
        run: does something on the device and waits for it.
        kept: a folder that the trace is left in, for XProf or Perfetto; else it is deleted.
    """
    options = jax.profiler.ProfileOptions()
    options.python_tracer_level = 0  # it slows the host, whose launches the device waits for
    with tempfile.TemporaryDirectory() as scratch:
        folder = scratch if kept is None else str(kept)
        with jax.profiler.trace(folder, profiler_options=options):
            run()
        newest = max(Path(folder).rglob("*.xplane.pb"), key=lambda path: path.stat().st_mtime)
        return busy_seconds(ProfileData.from_file(str(newest)))


def busy_seconds(trace: Any) -> float | None:
    """Seconds of operations on the busiest device of a `jax.profiler.ProfileData`.

    What runs on several streams at once counts once.
    """
    busy = [
        _covered((event.start_ns, event.end_ns) for line in _operations(list(plane.lines)) for event in line.events)
        for plane in trace.planes
        if plane.name.startswith("/device:")
    ]
    return max(busy) * 1e-9 if busy and max(busy) > 0 else None


def _operations(lines: list[Any]) -> list[Any]:
    named = [line for line in lines if line.name == _OPERATIONS]
    return named or [line for line in lines if line.name.startswith(_STREAM)]


def _covered(spans: Iterable[tuple[float, float]]) -> float:
    """The length of a union of spans."""
    total, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total
