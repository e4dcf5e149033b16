"""Determines the provenance of a record: versions, source and device, but never the name of the host."""

import hashlib
import os
import platform
import re
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

from vgbench.errors import InputError
from vgbench.measure.numerics import usable_cores
from vgbench.records.git import opened
from vgbench.records.origin import Device, Kind, Provenance
from vgbench.records.processor import processor
from vgbench.spec.registry import plugin_packages

_PACKAGE = Path(__file__).parents[1]
_MEASURING_SOURCE = (
    "spec/case.py",
    "spec/fingerprint.py",
    "spec/metric.py",
    "spec/registry.py",
    "statistics.py",
    "instruments/activation.py",
    "instruments/coordinate_steps.py",
    "instruments/cuts.py",
    "instruments/graph.py",
    "instruments/model.py",
    "instruments/modules.py",
    "instruments/passes.py",
    "instruments/probe.py",
    "instruments/tap.py",
    "instruments/tracing.py",
    "instruments/tree.py",
    "mitigations",
    "models",
    "data",
    "measure",
)
_COST = (
    *("cost.py", "energy.py", "executable.py", "pairs.py", "peaks.py", "roofs.py", "room.py", "round_robin.py"),
    *("timing.py", "trace.py"),
)
_STEP = ("__init__.py", "draw.py", "effort.py", "mesh.py", "numerics.py", "shared.py", "step.py")
"""The files of `measure` that the cost of a step depends on; gradients and training depend on all but `_COST`."""
_PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy")


def find_device(spec: str | None) -> Any:
    """Find the device that `cpu`, `gpu`, `tpu` or e.g. `gpu:1` names; if None, the first one of the default backend.

    Raises:
        InputError: there is no such device; the message names the existing ones.
    """
    if spec is None:
        return jax.devices()[0]
    match = re.fullmatch(r"(cpu|gpu|tpu)(?::([0-9]{1,9}))?", spec)
    if match is None:
        raise InputError(f"device: {spec!r} is not one of cpu, gpu, tpu, or one of them with a number such as gpu:1")
    name, index = match[1], int(match[2] or 0)
    try:
        devices = jax.devices(name)
    except RuntimeError:
        raise InputError(f"device: this machine has no {name} (there is: {jax.default_backend()})") from None
    if index >= len(devices):
        raise InputError(f"device: {spec!r} is out of range (there are {len(devices)}, counted from 0)")
    return devices[index]


def describe_device(device: Any) -> Device:
    """Describe a jax device without anything that identifies this host."""
    if device.platform == "cpu":
        host = processor()
        return Device("cpu", host.name, usable_cores(), host.model, host.instructions)
    return Device(device.platform, device.device_kind, len(jax.devices(device.platform)), _accelerator_model(device))


def provenance(device: Any) -> Provenance:
    """Describe the current source and versions, and the device."""
    return Provenance(
        vgbench=version("vgbench"),
        commit=_commit(),
        source={"cell": source_digest("cell"), "cost": source_digest("cost")},
        python=platform.python_version(),
        packages={name: version(name) for name in _PACKAGES} | {each.name: each.version for each in plugin_packages()},
        device=describe_device(device),
        cpu=f"{processor().name} ({usable_cores()} cores)",
        memory_bytes=_memory_bytes(device),
        driver=None if device.platform == "cpu" else " ".join(device.client.platform_version.split()),
        xla_flags=os.environ.get("XLA_FLAGS", ""),
    )


@cache
def source_digest(kind: Kind) -> str:
    """Hash the source files that a measurement of this kind depends on: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for name in _MEASURING_SOURCE:
        path = _PACKAGE / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            if name == "measure" and (file.name in _COST if kind == "cell" else file.name not in (*_COST, *_STEP)):
                continue
            digest.update(file.relative_to(_PACKAGE).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _accelerator_model(device: Any) -> str:
    """The properties that distinguish accelerators with the same name; a GPU slice (MIG) has its own name."""
    capability, cores = (getattr(device, name, None) for name in ("compute_capability", "core_count"))
    limit = _memory_bytes(device)
    parts = [
        f"compute capability {capability}" if capability else "",
        f"{cores} {'multiprocessors' if device.platform == 'gpu' else 'cores'}" if cores else "",
        f"{limit / _memory_share(device) / 2**30:.0f} GiB" if limit else "",
    ]
    return ", ".join(filter(None, parts)) or device.device_kind


def _memory_share(device: Any) -> float:
    """The share of a device's memory that JAX allocates, which its statistics report as the limit."""
    if device.platform != "gpu":
        return 1.0
    names = "XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION"
    return float(next(filter(None, map(os.environ.get, names)), 0.75))


def _memory_bytes(device: Any) -> int | None:
    if device.platform != "cpu":
        return (device.memory_stats() or {}).get("bytes_limit")
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


@cache
def _commit() -> str | None:
    if not (_PACKAGE.parent / ".git").exists():
        return None
    with opened(_PACKAGE.parent) as checkout:
        return checkout and checkout.commit()
