"""Recordings that are changed so that the fault stays what it is."""

import sys
from pathlib import Path

import numpy as np
from helpers.evidence import LAGGING, LAYERS, RECORDS, STUCK, evidence, rows

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "diagnosis"))
import changed

from vgbench.diagnosis import diagnose

VANISHES = evidence(**STUCK, signal=rows(-8.0, -2.0), update=LAGGING)


def test_a_loss_of_another_scale_is_diagnosed_as_before() -> None:
    larger = changed.scaled(VANISHES, 100.0)
    assert larger.loss is not None
    assert larger.chance is not None
    assert larger.signal is not None
    assert np.allclose(larger.loss / larger.chance, 2.31 / 2.3026)
    assert np.allclose(larger.signal[0, [0, -1]], [-6.0, 0.0])
    assert diagnose(larger).verdict == diagnose(VANISHES).verdict == "vanishing"


def test_records_that_are_left_out_leave_the_others_and_their_peaks() -> None:
    peaks = np.where(np.arange(RECORDS) == 3, 9.0, 2.31)
    sparse = changed.sparser(evidence(**STUCK, peak=peaks))
    assert sparse.step.tolist() == [0, 50, 100, 150, 200]
    assert sparse.peak is not None
    assert sparse.peak.tolist() == [2.31, 2.31, 9.0, 2.31, 2.31]
    short = changed.shorter(evidence(nonfinite_since={"loss": 60, "updates": 170}))
    assert short.step[-1] == 125
    assert short.nonfinite_since == {"loss": 60}


def test_names_without_an_order_keep_what_each_layer_shows() -> None:
    named = evidence(gradient=np.tile(np.arange(LAYERS, dtype=float), (RECORDS, 1)))
    other = changed.without_order(named)
    assert other.gradient is not None
    assert sorted(other.gradient[0]) == list(range(LAYERS))
    assert not set(other.names) & set(named.names)
