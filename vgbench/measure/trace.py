"""Traces of the profiler: the time that a device is at work, and files to look at."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
from jax.profiler import ProfileData

_OPERATIONS, _STREAM = "XLA Ops", "Stream "
"""Names of the lines that operations are on: of a TPU one, of a GPU those of its streams."""


KEPT = {
    "plugins/profile/steps/vgbench.xplane.pb": "*.xplane.pb",
    "plugins/profile/steps/vgbench.trace.json.gz": "*.trace.json.gz",
}
"""The files of a trace that is kept, as XProf looks for them and without the host's name, and what the profiler calls
them: the first is XProf's, the second Perfetto's."""


def device_seconds(run: Callable[[], None]) -> float | None:
    """Seconds that the busiest device is at work while `run` runs; None where the profiler does not see the device.

    So it is on CPUs, which are the host.

    Args:
        run: does something on the device and waits for it.
    """
    with _traced(run) as folder:
        planes = next(folder.rglob("*.xplane.pb"), None)
        return None if planes is None else busy_seconds(ProfileData.from_file(str(planes)))


def recorded(run: Callable[[], None]) -> dict[str, bytes]:
    """The files of a trace of `run`, as `KEPT` names them.

    Args:
        run: does something on the device and waits for it.
    """
    with _traced(run) as folder:
        return {name: next(folder.rglob(pattern)).read_bytes() for name, pattern in KEPT.items()}


@contextmanager
def _traced(run: Callable[[], None]) -> Iterator[Path]:
    """The folder of a trace of `run`, for as long as it is looked at."""
    options = jax.profiler.ProfileOptions()
    options.python_tracer_level = 0  # it slows the host, whose launches the device waits for
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, profiler_options=options):
            run()
        yield Path(folder)


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
