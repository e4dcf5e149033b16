"""Evidence from vgbench's own measurements, and real runs of one network."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers import made

import vgbench as vg
from vgbench.diagnosis.measured import flat_ends, from_curves, from_record
from vgbench.records.schema import CellRecord
from vgbench.spec.registry import ACTIVATIONS

SHAPE = {"depth": 20, "width": 16, "batch_size": 32}
TRAINED = {**SHAPE, "steps": 75, "seeds": (0, 1), "tuning_seeds": (), "optimizer": "sgd"}


@pytest.mark.parametrize(
    ("activation", "flat"), [("relu", "below"), ("gelu", "below"), ("tanh", "both"), ("linear", "none")]
)
def test_where_activations_are_flat(activation: str, flat: str) -> None:
    assert flat_ends(ACTIVATIONS.choose(activation)) == flat


def test_chance_and_target_come_from_the_record() -> None:
    curves = replace(made.training(0.5, 0.5), chance=0.31)
    run, _ = from_curves(curves)
    assert (run.chance, run.chance_accuracy, run.target) == (None, 0.31, curves.target)
    older, _ = from_curves(replace(curves, chance=float("nan")))
    assert older.chance_accuracy is None


def test_bits_per_byte_are_evidence_as_losses_in_nats() -> None:
    curves = replace(made.in_bits(made.training(2.0, 2.0), target=2.5), chance=4.0)
    run, _ = from_curves(curves)
    assert run.accuracy is None
    assert run.validation_loss == pytest.approx(curves.validation_metric[0] * np.log(2))
    assert (run.chance, run.target) == pytest.approx((4 * np.log(2), 2.5 * np.log(2)))


def test_a_record_that_misses_its_target_is_neither_sound_nor_converged() -> None:
    record = made.measured(made.HE, accuracy=0.6)
    answer = vg.diagnose(record)
    assert answer.verdict not in ("nothing found", "converged")
    reached = vg.diagnose(made.measured(made.HE, accuracy=0.99))
    assert reached.verdict == "converged"


@pytest.mark.parametrize(
    ("slots", "said"),
    [
        ({"init": "he_normal", "learning_rates": (0.05,)}, ["nothing found", "converged", "short of target"]),
        ({"init": {"name": "he_normal", "gain": 0.5}, "learning_rates": (0.05,)}, ["vanishing"]),
        ({"init": "he_normal", "learning_rates": (1e-7,)}, ["learning rate too small"]),
        ({"init": {"name": "he_normal", "gain": 2.5}, "learning_rates": (0.05,)}, ["exploding"]),
    ],
    ids=str,
)
def test_real_runs_of_one_network(slots: dict[str, Any], said: list[str]) -> None:
    case = vg.Case(**TRAINED, **slots)
    training = vg.measure_training(case)
    record = CellRecord(case, "ok", "", vg.measure_gradients(case), None, training, **made.TIMES)
    assert len(from_record(record)) == 2
    assert vg.verdict(record) in said
    untrained = vg.diagnose(replace(record, training=None))
    assert untrained.verdict == "not enough recorded" or untrained.verdict.startswith("risk of ")
    assert np.isfinite(from_curves(training)[0].step).all()
