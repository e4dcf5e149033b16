"""The provenance of a record: the device, the source and the versions that measured it."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator

from vgbench.boundary.schema import Count, Positive

Kind = Literal["cell", "cost"]
"""The kind of a record: gradients and training of a cell, or the cost of a pair."""


def _of_both_kinds(source: dict[str, str]) -> dict[str, str]:
    if source.keys() != set(get_args(Kind)):
        raise ValueError(f"needs digests of {', '.join(get_args(Kind))}, and no others")
    return source


@dataclass(frozen=True)
class Device:
    """A device, described by properties that are the same on every host with such a device.

    Attributes:
        platform: cpu, gpu or tpu.
        kind: the manufacturer's name for it.
        count: the number of such devices that the worker saw; for a CPU, of cores.
        model: what distinguishes it from devices with the same name: a CPU's vendor, family, model and stepping; a
            GPU's compute capability, multiprocessors and memory. None in old records.
        instructions: the instruction sets for arithmetic that a CPU offers.
    """

    platform: str
    kind: str
    count: Positive
    model: str | None = None
    instructions: tuple[str, ...] = ()

    @property
    def code(self) -> str | None:
        """Six hexadecimal digits that distinguish devices with the same name; None if the model is unknown."""
        if self.model is None:
            return None
        return hashlib.sha256(" ".join([self.model, *self.instructions]).encode()).hexdigest()[:6]

    @property
    def slug(self) -> str:
        """The name of the device's folder; it ends with the code, if there is one."""
        words = f"{self.platform} {self.kind} {self.count} {self.code or ''}"
        return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")

    @property
    def long_name(self) -> str:
        """The device's name with its code."""
        return f"{self} [{self.code or 'model unknown'}]"

    def __str__(self) -> str:
        return f"{self.kind} ({self.count} {'CPU cores' if self.platform == 'cpu' else self.platform + ' device(s)'})"


def device_names(devices: Iterable[Device]) -> dict[Device, str]:
    """A name for each device: short if it is unique, otherwise with the code."""
    shared = Counter(map(str, different := set(devices)))
    return {device: device.long_name if shared[str(device)] > 1 else str(device) for device in different}


@dataclass(frozen=True)
class Provenance:
    """What produced a record.

    Attributes:
        vgbench: version of vgbench.
        commit: the commit of the checkout, with `-dirty` if files differ from it; None outside a checkout.
        source: digests of the source that measures a `cell` and a `cost`; a record with another digest is stale.
        python: version of Python.
        packages: versions of jax, jaxlib, flax, optax and numpy, and of the packages of plug-ins.
        device: the device that was measured.
        cpu: the host's processor and the number of cores that vgbench may use.
        memory_bytes: memory of the device, if known.
        driver: version of the device's runtime, if it has one.
        xla_flags: the environment variable XLA_FLAGS. (The case's `matmul_precision` alone determines the precision of
            matrix products.)
        workers: the number of workers that shared the host. On a CPU, pairs were nevertheless timed one at a time.
    """

    vgbench: str
    commit: str | None
    source: Annotated[dict[str, str], AfterValidator(_of_both_kinds)]
    python: str
    packages: dict[str, str]
    device: Device
    cpu: str
    memory_bytes: Count | None
    driver: str | None
    xla_flags: str
    workers: Positive = 1

    def differences(self, other: "Provenance", kind: Kind) -> list[str]:
        """The differences from `other` that may change a measurement of this kind, as text."""
        names = sorted(self.packages.keys() | other.packages.keys())
        versions = {name: (other.packages.get(name, "none"), self.packages.get(name, "none")) for name in names}
        changed = [f"{name} {then} -> {now}" for name, (then, now) in versions.items() if then != now]
        if self.device != other.device:
            changed.append(f"the device {other.device.long_name} -> {self.device.long_name}")
        if self.source[kind] != other.source[kind]:
            changed.append("vgbench's own source")
        if self.xla_flags != other.xla_flags:
            changed.append(f"XLA_FLAGS {other.xla_flags!r} -> {self.xla_flags!r}")
        return changed

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {version}" for name, version in self.packages.items())
        commit = f" (commit {self.commit})" if self.commit else ""
        on = f" on {self.cpu}" if self.device.platform != "cpu" else ""
        model = f", {self.device.model} [{self.device.code}]" if self.device.model else ""
        memory = f", {self.memory_bytes / 2**30:.0f} GiB" if self.memory_bytes else ""
        driver = f"; {self.driver}" if self.driver else ""
        flags = f"; XLA_FLAGS {self.xla_flags.strip()}" if self.xla_flags.strip() else ""
        alone = ", pairs timed one at a time" if self.device.platform == "cpu" else ""
        beside = f"; {self.workers} workers a host{alone}" if self.workers > 1 else ""
        return (
            f"{self.device}{model}{memory}{on}{driver}{beside}; vgbench {self.vgbench}{commit};"
            f" Python {self.python}, {versions}{flags}"
        )
