"""What is kept of a run: a record for every cell, one for the cost of every pair, and the manifest of the whole."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vgbench.errors import InputError
from vgbench.measure.cost import Cost, pair_id
from vgbench.measure.forward import ForwardProfile
from vgbench.measure.gradients import GradientProfile
from vgbench.measure.training import TrainingCurves
from vgbench.records.store import Folder
from vgbench.spec.case import Case, case_id
from vgbench.spec.claim import Claim

Status = Literal[
    "ok",
    "diverged",
    "forward_underflow",
    "nonfinite",
    "out_of_memory",
    "compile_error",
    "timeout",
    "crashed",
    "skipped",
]
"""How a measurement ended. The first four are results: the measurement came to its end, and its numbers show what the
network does. The others are failures, after which there are no numbers, or not all of them."""

RESULTS: tuple[Status, ...] = ("ok", "diverged", "forward_underflow", "nonfinite")


Kind = Literal["cell", "cost"]
"""What a record tells: of a cell its gradients and training, or the cost of a pair."""


@dataclass(frozen=True)
class Device:
    """A device in words that are the same wherever such a device is met.

    Attributes:
        platform: cpu, gpu or tpu.
        kind: the model's name.
        count: devices of this kind that the worker saw; for a CPU its cores.
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
        source: digests of the source that measures a `cell` and a `cost`; a record is stale where its own is another.
        python: version of Python.
        packages: versions of jax, jaxlib, flax, optax and numpy, and of the packages of plug-ins.
        device: where it ran.
        cpu: the host's processor and the cores that vgbench may use.
        memory_bytes: of the device, where known.
        driver: version of the device's runtime, where it has one.
        xla_flags: the environment's XLA_FLAGS. The precision of matrix products is the case's `matmul_precision`,
            whatever the environment says.
        workers: that measured on the host at a time. On a CPU a pair was timed all the same while no other worked.
    """

    vgbench: str
    commit: str | None
    source: dict[str, str]
    python: str
    packages: dict[str, str]
    device: Device
    cpu: str
    memory_bytes: int | None
    driver: str | None
    xla_flags: str
    workers: int = 1

    def differences(self, other: "Provenance", kind: Kind) -> list[str]:
        """What may make a measurement of this kind come out otherwise than in `other`, in words."""
        names = sorted(self.packages.keys() | other.packages.keys())
        versions = {name: (other.packages.get(name, "none"), self.packages.get(name, "none")) for name in names}
        changed = [f"{name} {then} -> {now}" for name, (then, now) in versions.items() if then != now]
        if self.source[kind] != other.source[kind]:
            changed.append("vgbench's own source")
        if self.xla_flags != other.xla_flags:
            changed.append(f"XLA_FLAGS {other.xla_flags!r} -> {self.xla_flags!r}")
        return changed

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {version}" for name, version in self.packages.items())
        commit = f" (commit {self.commit})" if self.commit else ""
        on = f" on {self.cpu}" if self.device.platform != "cpu" else ""
        memory = f", {self.memory_bytes / 2**30:.0f} GiB" if self.memory_bytes else ""
        driver = f"; {self.driver}" if self.driver else ""
        flags = f"; XLA_FLAGS {self.xla_flags.strip()}" if self.xla_flags.strip() else ""
        alone = ", pairs timed one at a time" if self.device.platform == "cpu" else ""
        beside = f"; {self.workers} workers a host{alone}" if self.workers > 1 else ""
        return (
            f"{self.device}{memory}{on}{driver}{beside}; vgbench {self.vgbench}{commit};"
            f" Python {self.python}, {versions}{flags}"
        )


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
        attempts: how often it was begun.
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
    attempts: int

    @staticmethod
    def id_of(body: Mapping[str, Any]) -> str:
        """The id of the cell whose record this is, as JSON."""
        return case_id(body["case"])


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
    attempts: int

    @staticmethod
    def id_of(body: Mapping[str, Any]) -> str:
        """The id of the pair whose record this is, as JSON."""
        return pair_id(case_id(body["case"]), case_id(body["reference"]))


@dataclass(frozen=True)
class Row:
    """One row of a run's table and the records that it is made of.

    Attributes:
        place: among the rows of its suite, counted from 0; those of merged runs may share one.
        mitigation: its name.
        axes: the values of the swept axes.
        cell_id: of its cell.
        reference_id: of its baseline's cell.
        cost_id: of the pair; None where it is not timed.
    """

    place: int
    mitigation: str
    axes: dict[str, Any]
    cell_id: str
    reference_id: str
    cost_id: str | None


@dataclass(frozen=True)
class Fixed:
    """The commit in which the rules of a suite's claims became what they are.

    Attributes:
        commit: abbreviated.
        date: of the commit, ISO 8601, UTC.
    """

    commit: str
    date: str


@dataclass(frozen=True)
class Manifest:
    """What a run set out to measure on a device, written before anything is measured.

    Attributes:
        suite: name of the suite.
        title: its title.
        question: that it answers.
        rows: of its table, in order.
        provenance: what the run's last start measured with.
        claims: what its records are to decide about.
        fixed: when their rules were fixed; None without claims, or where no commit holds them as they are.
    """

    suite: str
    title: str
    question: str
    rows: tuple[Row, ...]
    provenance: Provenance
    claims: tuple[Claim, ...] = ()
    fixed: Fixed | None = None


def places(folder: Folder, manifest: Manifest) -> Iterator[tuple[Kind, Path]]:
    """Where the records lie that the rows of a folder's manifest name; those of several rows come once for each.

    Raises:
        InputError: what a row names is no id, lies outside the folder, or is not the pair of the row's cells.
    """
    for row in manifest.rows:
        yield "cell", folder.cell(row.cell_id)
        yield "cell", folder.cell(row.reference_id)
        if row.cost_id is not None:
            if row.cost_id != pair_id(row.cell_id, row.reference_id):
                raise InputError(f"{folder.manifest}: row {row.place} names {row.cost_id!r}, the cost of another pair")
            yield "cost", folder.cost(row.cost_id)
