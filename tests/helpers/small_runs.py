"""Runs of four small cases whose records hold no measurement."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helpers.made import gradients
from vgbench.measure.cost import cost_id
from vgbench.records.origin import Device, Provenance
from vgbench.records.schema import RESULTS, CellRecord, CostRecord, Manifest, Row
from vgbench.records.store import Folder, read_record, write_record
from vgbench.spec.case import Case

CASES = tuple(Case(width=width, depth=2, seeds=(0,), steps=0) for width in (1, 2, 3, 4))


DEVICES = (Device("cpu", "Xeon", 2), Device("gpu", "H100", 1))


SOURCE = {"cell": "a", "cost": "b"}


ORIGIN = Provenance("0.1", None, SOURCE, "3.11", {"jax": "0.10.2"}, DEVICES[0], "Xeon", None, None, "")


def write_run(
    root: Path,
    cells: dict[int, tuple[str, float]],
    *,
    device: Device = DEVICES[0],
    costs: Sequence[int] = (),
    suite: str = "tiny",
    **origin: Any,
) -> Path:
    """A run that set out to measure all cases, with records of some: by their place, status and duration."""
    provenance = dataclasses.replace(ORIGIN, device=device, **origin)
    folder = Folder(root / device.slug)
    rows = tuple(
        Row(i, f"m{i}", {"width": case.width}, case.cell_id, CASES[0].cell_id, cost_id(case, CASES[0]))
        for i, case in enumerate(CASES)
        if i in cells or i in costs or i == 0
    )
    write_record(folder.manifest, Manifest(suite, "T", "Q", rows, provenance))
    started = "2026-01-01T00:00:00+00:00"
    for i, (status, seconds) in cells.items():
        profile = gradients([-1.0, -1.0]) if status in RESULTS else None
        record: Any = CellRecord(CASES[i], status, "", profile, None, None, provenance, started, seconds, 1)  # pyright: ignore[reportArgumentType]
        write_record(folder.cell(CASES[i].cell_id), record)
    for i in costs:
        record = CostRecord(CASES[i], CASES[0], "crashed", "x", None, provenance, started, 1.0, 1)
        write_record(folder.cost(cost_id(CASES[i], CASES[0])), record)
    return root


def contents(root: Path) -> dict[str, bytes]:
    files = [path for path in root.rglob("*") if path.is_file() and path.name != ".lock"]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def spoil_manifest(root: Path, **fields: Any) -> None:
    """Change fields of the first row of a run's manifest."""
    (path,) = root.glob("*/manifest.json")
    manifest = read_record(path, Manifest)
    rows = (dataclasses.replace(manifest.rows[0], **fields), *manifest.rows[1:])
    write_record(path, dataclasses.replace(manifest, rows=rows))
