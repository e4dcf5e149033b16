"""The energy of a step, by the counters of NVIDIA's GPUs (NVML) and of Linux CPUs (RAPL), and the device's state."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vgbench.boundary.schema import Count, NonNegative

WINDOW_SECONDS = 2.0
"""The counters move every 20 to 100 ms (NVML) or 1 ms (RAPL), so that shorter windows blur."""
RAPL = Path("/sys/class/powercap")
_PACKAGE = "intel-rapl:[0-9]*"  # AMD's too; a colon more would be a part of a package
_THROTTLING = {
    0x4: "power limit",
    0x8: "hardware slowdown",
    0x20: "temperature",
    0x40: "hardware temperature",
    0x80: "power brake",
}
"""Bits of NVML's reasons for lower clocks that slow work down; idle and user settings are no such reasons."""


@dataclass(frozen=True)
class State:
    """A GPU right after work.

    Attributes:
        clock_mhz: of its multiprocessors.
        power_limit_watts: that is enforced.
        temperature_celsius: of the chip.
        throttled: why its clocks are lower than they could be; empty if they are not.
        other_processes: that compute on it beside this one, which NVML counts with them. Their ids say nothing: in a
            container they are those of the host.
    """

    clock_mhz: Count
    power_limit_watts: NonNegative
    temperature_celsius: Count
    throttled: tuple[str, ...]
    other_processes: Count


@dataclass(frozen=True)
class Energy:
    """The energy of training steps in a queue.

    Attributes:
        joules_per_step: of the device; on a CPU of all its packages, whatever else runs on them.
        counter: `nvml` or `rapl`.
        state: of a GPU after the steps; None on a CPU, and where the driver does not say it, as of a virtual GPU.
    """

    joules_per_step: NonNegative
    counter: Literal["nvml", "rapl"]
    state: State | None

    @property
    def disturbance(self) -> str:
        """What slowed the device, or shared it, in words; empty if nothing did that is known."""
        if self.state is None:
            return ""
        slowed = [f"clocks lowered: {' and '.join(self.state.throttled)}"] if self.state.throttled else []
        others = [f"{self.state.other_processes} other process(es)"] if self.state.other_processes else []
        return "; ".join([*slowed, *others])


class Rapl:
    """The packages of a Linux host, by the counters that this process may read."""

    name: Literal["nvml", "rapl"] = "rapl"

    def __init__(self, packages: list[Path]) -> None:
        self._packages = packages
        self._ranges = [int((each / "max_energy_range_uj").read_text()) for each in packages]
        self._last, self._total = self._read(), 0.0

    def _read(self) -> list[int]:
        return [int((each / "energy_uj").read_text()) for each in self._packages]

    def joules(self) -> float:
        """Since the first reading; a counter that began anew since the reading before is seen as such."""
        now = self._read()
        pairs = zip(now, self._last, self._ranges, strict=True)
        self._total += sum((new - old) % span for new, old, span in pairs) * 1e-6
        self._last = now
        return self._total

    def state(self) -> None:
        """Nothing is known of it."""


class Nvml:
    """An NVIDIA GPU, by the module `pynvml` (extra `cuda`)."""

    name: Literal["nvml", "rapl"] = "nvml"

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml, self._handle = nvml, handle
        self.joules()  # raises where the GPU has no counter

    def joules(self) -> float:
        """Since the driver was loaded."""
        return self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle) * 1e-3

    def state(self) -> State | None:
        """Of the GPU now; None where the driver does not say all of it."""
        with suppress(Exception):  # a virtual GPU has no power limit, a partition no temperature
            return self._state()

    def _state(self) -> State:
        nvml, handle = self._nvml, self._handle
        reasons = nvml.nvmlDeviceGetCurrentClocksEventReasons(handle)
        return State(
            clock_mhz=nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM),
            power_limit_watts=nvml.nvmlDeviceGetEnforcedPowerLimit(handle) * 1e-3,
            temperature_celsius=nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU),
            throttled=tuple(words for bit, words in _THROTTLING.items() if reasons & bit),
            other_processes=max(0, len(nvml.nvmlDeviceGetComputeRunningProcesses(handle)) - 1),
        )


def meter_of(device: Any, rapl: Path = RAPL) -> Rapl | Nvml | None:
    """The energy counter of a `jax.Device`; None where there is none that this process may read.

    A case of several devices has none, since the counter is one device's.
    """
    with suppress(Exception):  # whatever a driver or a system does instead of answering: it has no counter for us
        if device.platform == "cpu":
            packages = sorted(each for each in rapl.glob(_PACKAGE) if each.name.count(":") == 1)
            return Rapl(packages) if packages else None
        if device.platform == "gpu":
            return _nvml(device)
    return None


def _nvml(device: Any) -> Nvml | None:
    import pynvml  # pyright: ignore[reportMissingImports]

    pynvml.nvmlInit()
    shown, place = os.environ.get("CUDA_VISIBLE_DEVICES", ""), int(device.local_hardware_id)
    which = shown.split(",")[place].strip() if shown else str(place)
    by_index, by_uuid = pynvml.nvmlDeviceGetHandleByIndex, pynvml.nvmlDeviceGetHandleByUUID
    handle = by_index(int(which)) if which.isdigit() else by_uuid(which)
    name = pynvml.nvmlDeviceGetName(handle)
    # CUDA may number different GPUs in another order than NVML does.
    return Nvml(pynvml, handle) if name == device.device_kind else None


def energy_of(meter: Rapl | Nvml, steps: Callable[[], int], clock: Callable[[], float] = time.perf_counter) -> Energy:
    """Meter queues of steps for at least two seconds.

    Args:
        meter: of the device.
        steps: takes some steps, waits for them and returns how many they were.
        clock: the seconds now.
    """
    taken, begin, before = 0, clock(), meter.joules()
    while clock() - begin < WINDOW_SECONDS:
        taken += steps()
    return Energy((meter.joules() - before) / taken, meter.name, meter.state())
