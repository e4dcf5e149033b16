"""The corpus of faults that people reported: what it holds, how answers are scored, and its page."""

import json
import sys
from pathlib import Path

from helpers.rounding import differences

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks" / "diagnosis"))
import reported
from faults import FAULTS

from vgbench.diagnosis.words import MEANINGS

FIRST = [each for each in FAULTS if not each.second]
BY_WAY = {"bare": ["not enough recorded"], "default": ["learning rate too large"], "full": ["vanishing", "loss spike"]}
SOUND = {way: ["converged"] for way in BY_WAY}


def answer(errors: tuple[float, float] = (1.0, 0.1), fixed: dict[str, list[str]] = SOUND) -> reported.Answer:
    return reported.Answer("name", "held-out", "recurrent", "somewhere", ("vanishing",), errors, BY_WAY, fixed)


def test_faults_have_sources_of_their_own_kinds_and_families() -> None:
    new = [each for each in FIRST if not each.shown]
    assert len(new) >= 40
    assert len({each.cause[0] for each in new}) >= 12
    assert len({each.family for each in FIRST}) == 8
    assert len({each.source for each in FAULTS}) == len(FAULTS)
    assert {name for each in FIRST for name in each.cause} <= MEANINGS.keys()
    assert all(each.build.__doc__ for each in FAULTS)


def test_halves_part_sources_and_what_rules_were_written_with_is_not_held_out() -> None:
    held_out = {each.source for each in FAULTS if each.half == "held-out"}
    assert len(held_out) >= 20
    assert not held_out & {each.source for each in FAULTS if each.half == "tuning" or each.shown}


def test_an_answer_names_the_cause_misleads_or_is_open() -> None:
    given = answer()
    assert [given.named(way) for way in BY_WAY] == [False, False, True]
    assert [given.misled(way) for way in BY_WAY] == [False, True, False]
    assert [given.untold(way) for way in BY_WAY] == [True, False, False]


def test_a_label_counts_where_the_fix_bears_it_out_and_a_fixed_run_is_not_to_be_accused() -> None:
    assert answer().borne_out
    assert answer((float("nan"), 0.1)).borne_out
    assert not answer((0.2, 0.1)).borne_out
    assert not answer((1.0, float("nan"))).borne_out
    assert not answer().accused("full")
    assert answer(fixed={**SOUND, "full": ["exploding"]}).accused("full")


def test_the_published_page_is_made_from_what_was_said() -> None:
    folder = ROOT / "results" / "diagnosis"
    content = json.loads((folder / "reported.json").read_text())
    assert differences(reported.page(content), (folder / "reported.md").read_text()) == []
