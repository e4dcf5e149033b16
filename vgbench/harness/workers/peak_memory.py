"""The most memory that a device held for one case's step: a process's lifetime figure, so each case gets its own."""

import json
import sys
from typing import Any

import jax

from vgbench.harness.workers.own_process import answer_of
from vgbench.measure.executable import Executable
from vgbench.records.provenance import find_device
from vgbench.spec.case import Case

_PEAK = "peak_bytes_in_use"
_SECONDS = 600


def device_peak_bytes(device: str | None, case: Case) -> int | None:
    """Run the case's step in a process of its own and ask the device for the most bytes that were in use.

    Drawing the weights and compiling count, too. None where the device keeps no such statistics, as a CPU does, or
    where that process came to nothing.
    """
    if _PEAK not in (find_device(device).memory_stats() or {}):
        return None
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
