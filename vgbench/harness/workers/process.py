"""The worker process before it measures: what measuring needs is imported only when something is to be measured.

A run that has nothing left to do thus waits for jax alone.
"""

import os
import threading
from collections.abc import Mapping
from multiprocessing import parent_process
from typing import TYPE_CHECKING, Any

import jax

from vgbench.harness.workers.visible_devices import Visible
from vgbench.records.origin import Provenance
from vgbench.records.provenance import describe_device, find_device, provenance

if TYPE_CHECKING:
    from vgbench.harness.outcome import Outcome
    from vgbench.harness.plan import Task


def begin(environment: dict[str, str], memory_limit: int | None) -> None:
    """Set up a fresh worker process: add to its environment, limit its memory (bytes), and end it with its runner.

    Devices are started later, so that they heed the environment.
    """
    os.environ.update(environment)
    if memory_limit is not None:
        import resource  # not on Windows

        resource.setrlimit(resource.RLIMIT_DATA, (memory_limit, memory_limit))
    # With jax's own frames, an error tells whether it came from the compiler.
    jax.config.update("jax_traceback_filtering", "off")
    runner = parent_process()

    def follow() -> None:
        if runner is not None:
            runner.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def visible(device: str | None) -> Visible:
    """The devices that this process sees of the kind that `device` names, as in `find_device`; with a number, that one.

    Raises:
        InputError: no such device.
    """
    first = find_device(device)
    there = jax.devices(first.platform)
    one = device is not None and ":" in device
    return Visible(first.platform, (there.index(first),) if one else tuple(range(len(there))), len(there))


def origin(device: str | None) -> Provenance:
    """The provenance of all that this process measures on a device, as in `find_device`.

    Raises:
        InputError: no such device.
    """
    return provenance(find_device(device))


def prepare(device: str | None, pickled: bytes) -> Provenance:
    """Check the pickled cases, and say who measures them; as `worker.prepare`."""
    from vgbench.harness.workers import worker

    return worker.prepare(device, pickled)


def execute(task: "Task", device: str | None, *arguments: Any) -> "Outcome":
    """Measure a task; as `worker.execute`. Programs are kept on disk but for those whose compilation is timed."""
    from vgbench.harness.workers import worker
    from vgbench.harness.workers.programs_on_disk import folder, keep_programs

    chosen = find_device(device)
    jax.config.update("jax_default_device", chosen)  # of all threads: jax.default_device is that of one
    keep_programs(folder(describe_device(chosen).slug) if task.kind == "cell" else None)
    return worker.execute(task, device, *arguments)


def step_trace(*arguments: Any) -> tuple[Mapping[str, bytes], str]:
    """Trace a case's steps; as `step_trace.step_trace`."""
    from vgbench.harness.workers import step_trace

    return step_trace.step_trace(*arguments)
