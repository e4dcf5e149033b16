"""The second held-out set of reported faults: what it holds, and that the fix bears out each label."""

import sys
from pathlib import Path
from typing import get_args

import pytest

from vgbench.diagnosis.findings import Name

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "diagnosis"))
from answers import FAILS, WORKS
from faults import FAULTS, Fault
from faults.train import train

SECOND = [each for each in FAULTS if each.second]
WRONG = [each for each in SECOND if not each.sound]
SOUND = [each for each in SECOND if each.sound]


def test_the_set_is_large_and_of_many_kinds_and_families() -> None:
    assert len(WRONG) >= 36
    assert len({each.kind for each in WRONG}) >= 12
    assert len({each.family for each in WRONG}) >= 12
    assert len(SOUND) >= 8
    assert len({each.kind for each in SOUND}) == len(SOUND)


def test_every_fault_cites_a_report_that_no_other_fault_cites() -> None:
    assert len({each.source for each in FAULTS}) == len(FAULTS)
    assert all("/" in each.source and each.title and each.build.__doc__ for each in SECOND)
    assert {each.half for each in SECOND} == {"second held-out"}


def test_causes_are_findings_or_one_cause_in_words() -> None:
    in_words = [each for each in WRONG if not {*each.cause} <= {*get_args(Name)}]
    assert all(len(each.cause) == 1 for each in in_words)
    assert 5 <= len(in_words) <= len(WRONG) / 4
    assert {each.cause for each in SOUND} == {("nothing wrong",)}


@pytest.mark.slow
@pytest.mark.parametrize("fault", SECOND, ids=lambda fault: fault.name)
def test_the_fix_bears_out_the_label(fault: Fault) -> None:
    """A broken run fails and the fixed one works; a sound one works, at the latest when it is carried on."""
    setups = [fault.build(broken) for broken in (True, False)]
    broken, fixed = (train(setup).error for setup in setups)
    assert fixed < WORKS
    if not fault.sound:
        assert not broken < FAILS
    elif setups[0].steps >= setups[1].steps:
        assert broken < WORKS
