"""A trace of a case's steps to look at, taken by a worker when nothing is timed any more."""

from collections.abc import Callable, Mapping

import jax

from vgbench.measure.executable import Executable
from vgbench.measure.trace import recorded
from vgbench.records.provenance import find_device
from vgbench.spec.case import Case

STEPS = 5
LARGEST = 32 * 2**20
"""Bytes that a trace may have."""


def step_trace(device: str | None, case: Case, largest: int = LARGEST) -> tuple[Mapping[str, bytes], str]:
    """The files of a trace of the case's plain step, compiled anew and warmed up; without any, the reason.

    Five steps are traced, or one where those are too large. Whatever goes wrong, such as a full disk, is a reason.

    Args:
        device: as in `find_device`.
        case: whose step it is.
        largest: bytes that the files may have together.
    """
    try:
        with jax.default_device(find_device(device)):
            step = Executable(case).step
            step()
            for steps in (STEPS, 1):
                files = recorded(lambda: _take(step, steps))  # noqa: B023
                if sum(map(len, files.values())) <= largest:
                    return files, ""
    except Exception as error:  # of the profiler, the device or the disk
        return {}, f"{type(error).__name__}: {error}"
    return {}, f"one step has more than {largest >> 20} MiB"


def _take(step: Callable[[], None], steps: int) -> None:
    for number in range(steps):
        with jax.profiler.StepTraceAnnotation("step", step_num=number):
            step()
