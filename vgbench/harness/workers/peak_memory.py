"""The most memory that a device held for one case's step: a process's lifetime figure, so each case gets its own."""

import json
import os
import subprocess
import sys
from typing import Any

import jax

from vgbench.measure.executable import Executable
from vgbench.records.provenance import find_device
from vgbench.spec.case import Case

_PEAK = "peak_bytes_in_use"
_SECONDS = 600


def device_peak_bytes(device: str | None, case: Case) -> int | None:
    """Run the case's step in a process of its own and ask the device for the most bytes that were in use.

    Drawing the weights and compiling count, too. None where the device keeps no such statistics, as a CPU does, or
    where that process came to nothing, say because the device has no room beside this one.
    """
    if _PEAK not in (find_device(device).memory_stats() or {}):
        return None
    # Beside this process, which holds most of the device's memory already, it takes what it needs and no more.
    environment = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    given = json.dumps([device, case.model_dump(mode="json")])
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__],
            input=given,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=_SECONDS,
        )
        return int(json.loads(done.stdout.splitlines()[-1])[_PEAK])
    except (OSError, subprocess.SubprocessError, ValueError, LookupError, TypeError):
        return None


def statistics_after_a_step(device: str | None, case: Case) -> dict[str, Any] | None:
    """Run the case's step on the device, and return the device's memory statistics."""
    chosen = find_device(device)
    with jax.default_device(chosen):
        Executable(case).step()
    return chosen.memory_stats()


if __name__ == "__main__":
    name, content = json.loads(sys.stdin.read())
    print(json.dumps(statistics_after_a_step(name, Case.model_validate(content))))
