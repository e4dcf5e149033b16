"""Runs that look odd and are in order, and mistakes that no finding names: no cause may be said of either."""

from typing import Any

import numpy as np
import pytest
from helpers.evidence import BLIND, LAYERS, RECORDS, STILL, evidence, names, over_records, rows

import vgbench as vg

TURNS = np.where(np.arange(RECORDS) % 2, 0.4, -0.4)
SOUND: dict[str, dict[str, Any]] = {
    "rates that come and go": {
        "loss": np.linspace(2.2, 0.7, RECORDS) * (1 + TURNS),
        "update": np.where(np.arange(RECORDS)[:, None] % 2, 0.2, 1e-3) * np.ones(LAYERS),
    },
    "a long plateau before anything is learned": {
        "loss": np.r_[np.full(6, 2.3), 1.8, 0.9, 0.5],
        "accuracy": np.r_[np.full(6, 0.1), 0.4, 0.7, 0.8],
    },
    "weights that were trained before, by steps that are tiny": STILL
    | {
        "loss": np.linspace(0.2, 0.19, RECORDS),
        "accuracy": np.full(RECORDS, 0.95),
        "update": rows(1e-6, 1e-6, layers=LAYERS),
    },
    "examples that get harder halfway": {
        "loss": np.r_[2.3, 1.0, 0.5, 0.3, 1.5, 1.3, 1.1, 1.0, 0.9],
        "accuracy": np.r_[0.1, 0.3, 0.35, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75],
    },
    "margins that all examples keep at last": {
        "loss": np.r_[1.0, 0.3, 0.1, 0.01, np.zeros(5)],
        "chance": 1.0,
        "accuracy": np.linspace(0.5, 0.97, RECORDS),
        "chance_accuracy": 0.5,
        "gradient": np.where(np.arange(RECORDS)[:, None] < 4, -1.0, -np.inf) * np.ones(LAYERS),
    },
}
UNNAMED: dict[str, dict[str, Any]] = {
    # Nine tenths of what the loss counts is padding, and the accuracy is that of the rest.
    "padding that the loss counts": {
        "loss": np.r_[1.8, 0.4, 0.3, np.full(RECORDS - 3, 0.25)],
        "chance": float(np.log(6)),
        "accuracy": np.full(RECORDS, 0.22),
        "chance_accuracy": 0.2,
    },
    # Twenty times the entropy of ten equal answers is the least of the loss, and is reached at once.
    "an entropy bonus that is too large": BLIND
    | {
        "loss": np.r_[-44.0, -46.0, np.full(RECORDS - 2, -46.05)],
        "chance": None,
        "accuracy": np.full(RECORDS, 0.1),
        "gradient": over_records(0.0, -3.0, -5.0),
    },
    "values that are learned from a network that never follows": {
        "loss": np.r_[1.1, 0.2, np.full(RECORDS - 2, 0.01)],
        "chance": 1.0,
        "accuracy": None,
    },
}


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("hidden", [{}, BLIND], ids=["full", "default"])
def test_nothing_is_said_against_a_run_that_looks_odd(name: str, hidden: dict[str, Any]) -> None:
    assert set(names(vg.diagnose(evidence(**SOUND[name] | hidden)))) <= {"converged"}


@pytest.mark.parametrize("name", UNNAMED)
def test_no_cause_is_named_for_a_mistake_that_no_finding_describes(name: str) -> None:
    assert set(names(vg.diagnose(evidence(**UNNAMED[name])))) <= {"learns the training data"}
