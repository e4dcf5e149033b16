"""The halves of reported faults that were collected as a whole: what they hold, and whether fixes bear labels out."""

import sys
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

from vgbench.diagnosis.findings import Name

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "diagnosis"))
from answers import FAILS, WORKS
from faults import FAULTS, Fault
from faults.registry import Half
from faults.train import train

COLLECTED = [each for each in FAULTS if each.collected]
HALVES: tuple[Half, ...] = (
    "second held-out",
    "third held-out",
    "fourth held-out",
    "fifth held-out",
    "sixth held-out",
    "seventh held-out",
    "eighth held-out",
    "ninth held-out",
    "tenth held-out",
    "eleventh held-out",
    "twelfth held-out",
    "thirteenth held-out",
)
NAMES = frozenset(get_args(Name))


def wrong(half: Half) -> list[Fault]:
    return [each for each in COLLECTED if each.half == half and not each.sound]


def sound(half: Half) -> list[Fault]:
    return [each for each in COLLECTED if each.half == half and each.sound]


@pytest.mark.parametrize("half", HALVES)
def test_a_half_is_large_and_of_many_kinds_and_families(half: Half) -> None:
    assert len(wrong(half)) >= 36
    assert len({each.kind for each in wrong(half)}) >= 12
    assert len({each.family for each in wrong(half)}) >= 10
    assert len(sound(half)) >= 8
    assert len({each.kind for each in sound(half)}) == len(sound(half))


def test_every_fault_has_a_name_and_a_report_of_its_own() -> None:
    assert len({each.source for each in FAULTS}) == len(FAULTS)
    assert len({each.name for each in FAULTS}) == len(FAULTS)
    assert all("/" in each.source and each.title and each.build.__doc__ for each in COLLECTED)
    assert {each.half for each in COLLECTED} == {*HALVES}


@pytest.mark.parametrize("half", HALVES)
def test_causes_are_findings_or_one_cause_in_words(half: Half) -> None:
    in_words = [each for each in wrong(half) if not {*each.cause} <= NAMES]
    assert all(len(each.cause) == 1 for each in in_words)
    assert 5 <= len(in_words) <= len(wrong(half)) / 4
    assert {each.cause for each in sound(half)} == {("nothing wrong",)}


@pytest.mark.parametrize(
    ("half", "causes"),
    [
        ("third held-out", 12),
        ("fourth held-out", 14),
        ("fifth held-out", 14),
        ("sixth held-out", 14),
        ("seventh held-out", 14),
        ("eighth held-out", 14),
        ("ninth held-out", 14),
        ("tenth held-out", 14),
        ("eleventh held-out", 14),
        ("twelfth held-out", 14),
        ("thirteenth held-out", 14),
    ],
)
def test_later_halves_have_many_causes_and_none_often(half: Half, causes: int) -> None:
    counts = Counter(each.cause[0] for each in wrong(half) if each.cause[0] in NAMES)
    assert len(counts) >= causes
    assert max(counts.values()) <= 4


@pytest.mark.slow
@pytest.mark.parametrize("fault", COLLECTED, ids=lambda fault: fault.name)
def test_the_fix_bears_out_the_label(fault: Fault) -> None:
    """A broken run fails and the fixed one works; a sound one works, at the latest when it is carried on."""
    setups = [fault.build(broken) for broken in (True, False)]
    broken, fixed = (train(setup).error for setup in setups)
    assert fixed < WORKS
    if not fault.sound:
        assert not broken < FAILS
    elif setups[0].steps >= setups[1].steps:
        assert broken < WORKS
