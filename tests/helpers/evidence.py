"""Evidence made by hand, for tests of what reads it."""

from typing import Any

import numpy as np

from vgbench.diagnosis import Evidence

RECORDS, DEPTH = 9, 10
LAYERS = DEPTH + 1


def rows(*ends: float, layers: int = DEPTH) -> np.ndarray:
    """The same row at every record: from its first to its last layer evenly."""
    return np.tile(np.linspace(*ends, layers), (RECORDS, 1))


def over_records(*values: float, layers: int = LAYERS) -> np.ndarray:
    """The same of all layers: these values over the records evenly."""
    return np.interp(np.linspace(0, 1, RECORDS), np.linspace(0, 1, len(values)), values)[:, None] * np.ones(layers)


def evidence(**changes: Any) -> Evidence:
    """A run that learns: a flat signal, updates of a per cent, the loss down to a third."""
    sound: dict[str, Any] = {
        "step": np.arange(RECORDS) * 25,
        "loss": np.linspace(2.3, 0.8, RECORDS),
        "nonfinite_loss": np.zeros(RECORDS, bool),
        "chance": 2.3026,
        "accuracy": np.linspace(0.1, 0.8, RECORDS),
        "chance_accuracy": 0.1,
        "signal": rows(-2.0, -2.1),
        "gradient": rows(-1.0, -1.2, layers=LAYERS),
        "weight": over_records(0.5, 0.6),
        "update": rows(0.01, 0.012, layers=LAYERS),
        "moved": np.linspace(0, 0.5, RECORDS)[:, None] * np.ones(LAYERS),
        "zero": rows(0.0, 0.0, layers=LAYERS),
        "nonfinite": rows(0.0, 0.0, layers=LAYERS),
        "saturated": rows(0.4, 0.4),
        "dead": rows(0.05, 0.05),
        "scale": rows(0.0, 0.1),
        "distance": rows(-0.1, -0.5),
        "flat": "below",
        "names": (*(f"layer {i}" for i in range(1, LAYERS)), "output layer"),
        "places": tuple(f"layer {i}" for i in range(1, LAYERS)),
    }
    return Evidence(**sound | changes)


STUCK: dict[str, Any] = {"loss": np.full(RECORDS, 2.31), "accuracy": np.full(RECORDS, 0.1)}
STILL: dict[str, Any] = {"moved": rows(0.0, 0.001, layers=LAYERS), "weight": over_records(0.5, 0.5001)}
LAGGING = np.tile(np.logspace(-8, -2, LAYERS), (RECORDS, 1))
SWINGS = np.where(np.arange(RECORDS) % 2, 6.0, 2.4)
BLIND: dict[str, Any] = dict.fromkeys(("signal", "saturated", "dead", "scale", "distance"))
"""What `vgbench.watch` does not see."""


def names(answer: Any) -> list[str]:
    """The names of the findings."""
    return [finding.name for finding in answer]
