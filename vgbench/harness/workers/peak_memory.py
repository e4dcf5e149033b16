"""The most memory that a device held for one case's step: a process's lifetime figure, so each case gets its own."""

import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax

from vgbench.harness.workers.own_process import answer_of
from vgbench.measure.executable import Executable
from vgbench.measure.numerics import usable_cores
from vgbench.records.provenance import find_device
from vgbench.spec.case import Case

_PEAK = "peak_bytes_in_use"
_SECONDS = 600
_AT_ONCE, _CORES_EACH = 4, 4
"""How many processes run side by side at most, and the cores that each has: most of their time is compilation."""


def device_peak_bytes(device: str | None, cases: Sequence[Case]) -> list[int | None]:
    """Run each case's step in a process of its own and ask the device for the most bytes that were in use.

    Drawing the weights and compiling count, too. Some of these processes run side by side; one that came to nothing,
    say because the others left it no memory, runs once more alone. None where the device keeps no such statistics, as
    a CPU does, or where a process comes to nothing alone.
    """
    if _PEAK not in (find_device(device).memory_stats() or {}):
        return [None] * len(cases)
    with ThreadPoolExecutor(max(1, min(_AT_ONCE, usable_cores() // _CORES_EACH))) as beside:
        peaks = list(beside.map(lambda case: _peak(device, case), cases))
    return [_peak(device, case) if peak is None else peak for case, peak in zip(cases, peaks, strict=True)]


def _peak(device: str | None, case: Case) -> int | None:
    statistics = answer_of(__name__, [device, case.model_dump(mode="json")], _SECONDS)
    return int(statistics[_PEAK]) if isinstance(statistics, dict) and _PEAK in statistics else None


def statistics_after_a_step(device: str | None, case: Case) -> dict[str, Any] | None:
    """Run the case's step on the device, and return the device's memory statistics."""
    chosen = find_device(device)
    with jax.default_device(chosen):
        Executable(case).step()
    return chosen.memory_stats()


if __name__ == "__main__":
    name, content = json.loads(sys.stdin.read())
    print(json.dumps(statistics_after_a_step(name, Case.model_validate(content))))
