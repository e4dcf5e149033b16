"""Records made by hand, for tests of what reads them."""

import json
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vgbench.measure.cost import Cost, cost_id
from vgbench.measure.executable import Compilation, Memory
from vgbench.measure.forward import ForwardProfile
from vgbench.measure.gradients import GradientProfile
from vgbench.measure.matrices import GRADIENT_BINS
from vgbench.measure.snapshot import Snapshots
from vgbench.measure.training import TrainingCurves
from vgbench.records.origin import Device, Provenance
from vgbench.records.schema import CellRecord, CostRecord, Manifest, Row
from vgbench.records.store import Folder, write_record
from vgbench.spec.case import Case
from vgbench.spec.metric import BITS_PER_BYTE

DEVICE = Device("cpu", "Chip", 2)
SOURCE = {"cell": "f" * 16, "cost": "f" * 16}
ORIGIN = Provenance("0.1", "abc", SOURCE, "3.11", {"jax": "1.2", "numpy": "3.4"}, DEVICE, "Xeon", None, None, "")
BASE = Case(depth=2, width=4, activation="tanh", learning_rates=(0.1, 0.2), seeds=(0, 1), steps=4)
HE = Case.model_validate({**BASE.model_dump(), "init": {"name": "he_normal", "gain": 2}})
TEXT = Case.model_validate(
    BASE.model_dump(include={"depth", "width", "learning_rates", "seeds", "steps"})
    | {"model": {"name": "causal_lm", "heads": 2}, "data": {"name": "text", "digest": "0" * 16}}
)
TIMES: Any = {"provenance": ORIGIN, "started": "2026-01-01T00:00:00+00:00", "seconds": 1.0, "attempts": 1}


def gradients(*norms: list[float]) -> GradientProfile:
    """A profile of these log10 norms, a list for each seed."""
    values = np.asarray(norms)
    tiny = float(np.finfo(np.float32).smallest_normal)
    return GradientProfile(
        log10_activation_norm=values,
        log10_parameter_norm=np.pad(values, ((0, 0), (0, 1))),
        log10_largest_activation=np.zeros_like(values),
        states=(),
        log10_state_norm=np.zeros((*values.shape, 0)),
        kinds=(),
        log10_kind_norm=np.zeros((*values.shape, 0)),
        reads_zero=np.zeros(values.shape, bool),
        smallest_normal=tiny,
        epsilon=2.0**-23,
    )


def snapshots(seeds: int, count: int, depth: int) -> Snapshots:
    """So many snapshots of a feed-forward network in which nothing happens, its weights apart."""
    layers = depth + 1
    by_layer, by_weights = np.zeros((seeds, count, depth)), np.zeros((seeds, count, layers))
    return Snapshots(
        log10_activation_norm=by_layer,
        log10_parameter_norm=by_weights,
        **dict.fromkeys(("log10_state_norm", "log10_kind_norm"), np.zeros((seeds, count, depth, 0))),
        gradient_histogram=np.zeros((seeds, count, layers, GRADIENT_BINS), np.int32),
        **dict.fromkeys(("update_to_weight", "log10_weight_norm", "displacement"), by_weights + 1),
        **dict.fromkeys(("preactivation_mean", "preactivation_variance", "mean_slope"), by_layer),
        **dict.fromkeys(("zero_share", "subnormal_share"), by_weights),
        loss_scale=np.ones((seeds, count), np.float32),
        skipped_steps=np.zeros((seeds, count), np.int32),
        **dict.fromkeys(("saturated", "dead"), by_layer),
    )


def training(*test_metric: float, case: Case = BASE) -> TrainingCurves:
    """Curves of a feed-forward case that end at these accuracies, one a seed; its highest rate was chosen."""
    seeds = len(test_metric)
    shape = len(case.learning_rates), len(case.tuning_seeds) if len(case.learning_rates) > 1 else 0
    tuning = np.broadcast_to(np.linspace(0.5, 0.75, shape[0])[:, None], shape)
    return TrainingCurves(
        learning_rates=case.learning_rates,
        metric=case.metric,
        tuning_metric=tuning.astype(np.float32),
        tuning_diverged=np.zeros(shape, bool),
        learning_rate=max(case.learning_rates),
        target=case.target,
        loss=np.ones((seeds, case.steps), np.float32),
        step=np.asarray([case.steps]),
        validation_metric=np.ones((seeds, 1), np.float32),
        snapshots=snapshots(seeds, 1, case.depth),
        test_metric=np.asarray(test_metric, np.float32),
    )


def changed(curves: TrainingCurves, **fields: Any) -> TrainingCurves:
    """The curves with these fields in place of theirs or of their snapshots'."""
    of_snapshots = {name: fields.pop(name) for name in list(fields) if hasattr(curves.snapshots, name)}
    return replace(curves, **fields, snapshots=replace(curves.snapshots, **of_snapshots))


def cost(ratio: float, case: Case = BASE) -> Cost:
    """A step of a hundredth of a second, `ratio` times the reference's."""
    steps = np.full(30, 0.01)
    return Cost(
        form=case.timed_form,
        step_seconds=steps,
        reference_seconds=steps / ratio,
        queued_seconds=np.full(5, 0.008),
        compilation=Compilation(trace=0.25, lower=0.125, compile=0.5, first_run=9.0, persistent_cache=False),
        memory=Memory(parameters=360, optimizer=720, temporary=77, peak=2000),
        reference_memory=Memory(parameters=360, optimizer=720, temporary=77, peak=1000),
        parameters=90,
        step_flops=3200,
        xla_flops=3300.0,
        product_flops_per_second=np.full(5, 4e6),
        batch_size=case.batch_size,
    )


def forward(depth: int) -> ForwardProfile:
    """A signal of two seeds that keeps its scale, and loses a decade of what tells inputs apart at every layer."""
    scale, distance = np.zeros((2, depth)), np.tile(-np.arange(depth, dtype=float), (2, 1))
    return ForwardProfile(
        log10_activation_scale=scale,
        mean_slope=np.ones((2, depth)),
        log10_pair_distance=distance,
        token_distance=np.full((2, depth), np.nan),
    )


def learned(depth: int, accuracy: float, case: Case = BASE) -> TrainingCurves:
    """Curves of two seeds over 50 steps with three snapshots; the gradient shrinks by layer and step."""
    back, step = np.arange(depth)[::-1], np.arange(3)
    norms = np.tile(-(back + step[:, None].astype(float)), (2, 1, 1))
    histogram = np.zeros((2, 3, depth + 1, GRADIENT_BINS), np.int32)
    histogram[..., 120:123] = [1, 2, 1]
    return replace(
        training(accuracy, accuracy, case=case),
        loss=np.asarray([np.linspace(2, 1, 50), np.linspace(4, 1, 50)], np.float32),
        step=np.asarray([0, 25, 50]),
        validation_metric=np.asarray([[0.1, 0.5, accuracy], [0.1, 0.25, accuracy]], np.float32),
        snapshots=replace(
            snapshots(2, 3, depth),
            log10_activation_norm=norms,
            log10_parameter_norm=np.pad(norms, ((0, 0), (0, 0), (0, 1))),
            gradient_histogram=histogram,
        ),
    )


def in_bits(curves: TrainingCurves, target: float) -> TrainingCurves:
    """The same numbers as bits per byte, with this target."""
    return replace(curves, metric=BITS_PER_BYTE, target=target)


def measured(case: Case, accuracy: float | None = 0.95) -> CellRecord:
    """All that the cell of a feed-forward case of two seeds can hold after 50 steps; of a recurrent one what it has."""
    case = case.model_copy(update={"steps": 0 if accuracy is None else 50})
    curves = None if accuracy is None else learned(case.depth, accuracy, case)
    signal = forward(case.depth) if case.cell.name == "none" else None
    profile = gradients(*[list(np.linspace(-case.depth, -1, case.depth))] * 2)
    return CellRecord(case, "ok", "", profile, signal, curves, **TIMES)


def write_run(
    out: Path, cells: Sequence[tuple[str, CellRecord]], suite: str = "tiny", origin: Provenance = ORIGIN
) -> Path:
    """A run of these mitigations and cells, swept over depth, each half as slow again as the first of its depth."""
    folder, rows = Folder(out / origin.device.slug), []
    references: dict[int, Case] = {}
    for name, cell in cells:
        case = cell.case
        reference = references.setdefault(case.depth, case)
        pair = CostRecord(case, reference, "ok", "", cost(1.0 if case == reference else 1.5, case), **TIMES)
        axes = {"depth": case.depth}
        rows.append(Row(len(rows), name, axes, case.cell_id, reference.cell_id, cost_id(case, reference)))
        write_record(folder.cell(case.cell_id), replace(cell, provenance=origin))
        write_record(folder.cost(rows[-1].cost_id), replace(pair, provenance=origin))
    write_record(folder.manifest, Manifest(suite, suite.title(), "Does it run?", tuple(rows), origin))
    return out


def two_files(path: Path) -> None:
    """Have a record lie on disk as records once did: its arrays in a file beside it."""
    content = json.loads(path.read_bytes())
    arrays = b64decode(content.pop("arrays"))
    if arrays:
        path.with_suffix(".npz").write_bytes(arrays)
    path.write_text(f"{json.dumps(content, indent=1, ensure_ascii=False)}\n", encoding="utf-8")
