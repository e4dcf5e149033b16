"""The devices of one host dealt out to workers, each of which is shown its own alone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_FORCED = r"--xla_force_host_platform_device_count=\d+"


@dataclass(frozen=True)
class Visible:
    """The devices that a process can see.

    Attributes:
        platform: cpu, gpu or tpu.
        chosen: numbers of those that are to measure.
        total: how many there are of that platform.
    """

    platform: str
    chosen: tuple[int, ...]
    total: int


def shares(visible: Visible, size: int, environment: Mapping[str, str]) -> list[dict[str, str]]:
    """Deal the chosen devices out, `size` to a worker; what is left over idles.

    Args:
        visible: the devices of this host.
        size: devices a worker.
        environment: of the process that saw them.

    Returns:
        For each worker the environment variables that show it its devices alone; one empty table where a single worker
        gets all that there are, or has too few.
    """
    deals = range(0, len(visible.chosen) - size + 1, size)
    groups = [visible.chosen[first : first + size] for first in deals]
    if visible.total in (0, size) or not groups:
        return [{}]
    return [_shown(visible.platform, group, environment) for group in groups]


def _shown(platform: str, numbers: tuple[int, ...], environment: Mapping[str, str]) -> dict[str, str]:
    if platform == "gpu":  # ROCm heeds CUDA's variable, too
        before = environment.get("CUDA_VISIBLE_DEVICES", "")
        names = before.split(",") if before else None
        return {"CUDA_VISIBLE_DEVICES": ",".join(names[i].strip() if names else str(i) for i in numbers)}
    if platform == "tpu":  # https://docs.jax.dev/en/latest/_autosummary/jax.distributed.initialize.html
        bounds = {1: "1,1,1", 2: "1,2,1", 4: "2,2,1"}.get(len(numbers))
        shown = {"TPU_VISIBLE_CHIPS": ",".join(map(str, numbers))}
        return shown | ({"TPU_CHIPS_PER_PROCESS_BOUNDS": bounds, "TPU_PROCESS_BOUNDS": "1,1,1"} if bounds else {})
    # A CPU is one device, unless its host platform is forced to show more.
    forced = f"--xla_force_host_platform_device_count={len(numbers)}"
    return {"XLA_FLAGS": re.sub(_FORCED, forced, environment.get("XLA_FLAGS", ""))}
