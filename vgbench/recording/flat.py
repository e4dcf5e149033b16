"""Records as rows of a frame, and as flat dictionaries for the loggers that people have."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from vgbench.boundary.run_file import Layer, Module, Record

_NUMBERS = "loss", "nonfinite_losses", "validation_loss", "accuracy", "learning_rate", "loss_scale"


def scalars_of(record: Record) -> dict[str, float]:
    """A record's numbers by flat names, such as "layers/NAME/gradient", for TensorBoard, W&B, MLflow or clu."""
    found = {name: float(value) for name in _NUMBERS if (value := getattr(record, name)) is not None}
    for kind, places in (("layers", record.layers), ("modules", record.modules)):
        for place, each in places.items():
            found |= {f"{kind}/{place}/{name}": value for name, value in _numbers(each)}
    return found


def _numbers(each: Layer | Module) -> Iterator[tuple[str, float]]:
    for part in dataclasses.fields(each):
        value = getattr(each, part.name)
        if isinstance(value, float):
            yield part.name, value
        elif part.name == "entropy" and value is not None:
            yield from ((f"entropy/{head}", one) for head, one in enumerate(value))


def frame_of(records: Sequence[Record]) -> pd.DataFrame:
    """A row for each layer and module at each record, with `step`, `loss`, `kind`, `name` and all their fields."""
    kinds: tuple[tuple[str, str, type], ...] = (("layer", "layers", Layer), ("module", "modules", Module))
    columns = ["step", "loss", "kind", "name"]
    columns += list(dict.fromkeys(part.name for _, _, kind in kinds for part in dataclasses.fields(kind)))
    rows: list[dict[str, Any]] = [
        {"step": record.step, "loss": record.loss, "kind": kind, "name": name, **vars(each)}
        for record in records
        for kind, places, _ in kinds
        for name, each in getattr(record, places).items()
    ]
    return pd.DataFrame(rows, columns=columns)
