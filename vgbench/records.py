"""What is kept of a run: a record for every cell, one for the cost of every pair, and the manifest of the whole."""

import re
from dataclasses import dataclass
from typing import Any, Literal

from vgbench.case import Case
from vgbench.measure.cost import Cost
from vgbench.measure.forward import ForwardProfile
from vgbench.measure.gradients import GradientProfile
from vgbench.measure.training import TrainingCurves

Status = Literal["ok", "diverged", "forward_underflow", "nonfinite", "crashed"]


@dataclass(frozen=True)
class Device:
    """A device in words that are the same wherever such a device is met.

    Attributes:
        platform: cpu, gpu or tpu.
        kind: the model's name.
        count: devices of this kind; for a CPU its cores.
    """

    platform: str
    kind: str
    count: int

    @property
    def slug(self) -> str:
        """The device as a folder's name."""
        return re.sub(r"[^a-z0-9]+", "-", f"{self.platform} {self.kind} {self.count}".lower()).strip("-")

    def __str__(self) -> str:
        return f"{self.kind} ({self.count} {'CPU cores' if self.platform == 'cpu' else self.platform + ' device(s)'})"


@dataclass(frozen=True)
class Provenance:
    """What produced a record.

    Attributes:
        vgbench: version of vgbench.
        commit: of the checkout, with `-dirty` where files differ from it; None outside a checkout.
        source: digest of the source that measures; a record with another one is stale.
        python: version of Python.
        packages: versions of jax, jaxlib, flax, optax and numpy, and of the packages of plug-ins.
        device: where it ran.
        xla_flags: the environment's XLA_FLAGS.
    """

    vgbench: str
    commit: str | None
    source: str
    python: str
    packages: dict[str, str]
    device: Device
    xla_flags: str

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {version}" for name, version in self.packages.items())
        commit = f" (commit {self.commit})" if self.commit else ""
        return f"{self.device}; vgbench {self.vgbench}{commit}; Python {self.python}, {versions}"


@dataclass(frozen=True)
class CellRecord:
    """What a cell yielded on a device.

    Attributes:
        case: what was measured.
        status: how it ended; anything but `ok` has a `reason`.
        reason: in words; empty if ok.
        gradients: the profile at initialisation; None if it crashed.
        forward: the forward signal at initialisation; None if it crashed, or a batch holds no pair.
        training: the curves; None if the case does not train, or crashed.
        provenance: what produced the record.
        started: when, ISO 8601, UTC.
        seconds: how long it took.
    """

    case: Case
    status: Status
    reason: str
    gradients: GradientProfile | None
    forward: ForwardProfile | None
    training: TrainingCurves | None
    provenance: Provenance
    started: str
    seconds: float


@dataclass(frozen=True)
class CostRecord:
    """What the steps of a pair cost on a device; fields as in `CellRecord`."""

    case: Case
    reference: Case
    status: Status
    reason: str
    cost: Cost | None
    provenance: Provenance
    started: str
    seconds: float


@dataclass(frozen=True)
class Row:
    """One row of a run's table and the records that it is made of."""

    mitigation: str
    axes: dict[str, Any]
    cell_id: str
    reference_id: str
    cost_id: str


@dataclass(frozen=True)
class Manifest:
    """What a run set out to measure on a device, written before anything is measured."""

    suite: str
    title: str
    question: str
    rows: tuple[Row, ...]
    provenance: Provenance
