"""What was measured of each suggestion."""

import re

import pytest
from helpers.evidence import LAGGING, STILL, STUCK, evidence, rows

import vgbench as vg
from vgbench.diagnosis.advice import MOST, NOT_MEASURED, measured


def test_changes_that_helped_most_often_come_first_with_their_cost() -> None:
    text = measured("collapse", False, False)
    assert re.search(r"skip residual 4 of 4 \(a step takes 1\.\d+ times as long\)", text)
    assert text.index("skip residual 4 of 4") < text.index("optimizer muon 1 of 3")
    assert text.count(" of ") == MOST  # most helpful first
    assert "norm dynamic_erf" not in text  # tried in a single cell
    over_time = measured("vanishing", True, None)
    assert "cell gru 6 of 8" in over_time
    assert "residual" not in over_time


@pytest.mark.parametrize("name", ["units that died", "constant answer", "vanishing in training"])
def test_what_was_not_measured_is_said_to_be_so(name: str) -> None:
    assert measured(name, False, None) == NOT_MEASURED  # pyright: ignore[reportArgumentType]


def test_a_finding_has_it_and_what_is_no_fault_has_none() -> None:
    answer = vg.diagnose(evidence(**STUCK | STILL | {"signal": rows(-9.0, -2.0), "update": LAGGING}))
    assert answer.verdict == "vanishing"
    assert f"  measured: {measured('vanishing', False, None)}" in str(answer).splitlines()
    frozen = rows(0.01, 0.01, layers=11)
    frozen[:, :4] = 0
    assert vg.diagnose(evidence(update=frozen))[0].measured == ""
