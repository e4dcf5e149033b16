"""Risk at initialisation: what is called one, and how often published cells like it trained."""

import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.evidence import evidence, rows

import vgbench as vg
from vgbench.diagnosis.published import CHANGES, PUBLISHED
from vgbench.diagnosis.risk import Risk, cells_like, risk_of

ROOT = Path(__file__).parents[2]
START = {"loss": None, "accuracy": None}


def test_collapse_is_judged_relative_to_the_inputs_and_by_its_trend() -> None:
    falling, level = rows(-0.9, -9.9), np.tile(np.r_[np.linspace(-0.9, -6.0, 5), np.full(5, -6.0)], (9, 1))
    assert risk_of(evidence(distance=falling, **START)) == Risk("risk of collapse", "much", False, 9.0)
    # A residual network's signals come close and stay apart from there on; so do inputs that are alike.
    assert risk_of(evidence(distance=level, **START)) is None
    assert risk_of(evidence(distance=rows(-6.0, -6.5), **START)) is None


@pytest.mark.parametrize(
    ("ends", "name", "amount"),
    [
        ((-4.0, -2.0), "risk of vanishing", "some"),
        ((-9.0, -2.0), "risk of vanishing", "much"),
        ((0.0, -2.0), "risk of exploding", "some"),
    ],
)
def test_the_signal_over_depth_is_a_risk(ends: tuple[float, float], name: str, amount: str) -> None:
    found = risk_of(evidence(signal=rows(*ends), **START))
    assert found is not None
    assert (found.name, found.amount) == (name, amount)


@pytest.mark.parametrize("timed", [False, True])
def test_a_signal_of_exactly_zero_at_the_first_place_is_a_risk_and_said_to_be_zero(timed: bool) -> None:
    cut = rows(-2.0, -2.1)
    cut[:, 0] = -np.inf  # although its neighbours are of usual size, as where all units of a step give nothing
    assert risk_of(evidence(signal=cut, timed=timed, **START)) == Risk("risk of vanishing", "much", timed, float("inf"))
    (found,) = vg.diagnose(evidence(signal=cut, timed=timed, **START))
    assert "is exactly zero at the first" in found.meaning
    assert "inf" not in str(found)
    left = vg.diagnose(evidence(signal=np.where(cut == -np.inf, np.inf, cut), **START))
    assert "leaves its dtype's range" in left[0].meaning


def test_a_risk_tells_how_often_cells_like_it_trained() -> None:
    risk = Risk("risk of collapse", "much", False, 9.0)
    both, plain, invariant = (cells_like(risk, kind) for kind in (None, False, True))
    assert both == (plain[0] + invariant[0], plain[1] + invariant[1])
    answer = vg.diagnose(evidence(distance=rows(-0.9, -9.9), invariant=False, **START))
    assert answer.verdict == "risk of collapse"
    assert answer[0].confidence == "possible"
    assert "loses 9.0 decades over 10 layers" in answer[0].meaning
    assert f"of {plain[1]} published cells like this by plain SGD {plain[0]} trained" in answer[0].meaning
    assert answer[0].evidence["cells measured"] == plain[1]


def test_a_run_that_was_trained_is_at_no_risk() -> None:
    assert risk_of(evidence(signal=rows(-9.0, -2.0))) is not None
    assert not [each for each in vg.diagnose(evidence(signal=rows(-9.0, -2.0))) if each.name.startswith("risk")]


@pytest.mark.slow
def test_the_tables_are_those_of_the_published_cells() -> None:
    sys.path.insert(0, str(ROOT / "benchmarks" / "diagnosis"))
    import calibrate

    rows = list(calibrate.entries(ROOT / "results"))
    assert calibrate.table(rows) == PUBLISHED
    assert calibrate.changes(rows) == CHANGES
