"""The corpus of faults that people reported: what it holds, how answers are scored, and its page."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from helpers.rounding import differences

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks" / "diagnosis"))
import reported
import symptoms
from answers import Answer
from faults import FAULTS
from reported_page import page

from vgbench.diagnosis.words import MEANINGS

FIRST = [each for each in FAULTS if not each.collected]
BY_WAY = {"bare": ["not enough recorded"], "default": ["learning rate too large"], "full": ["vanishing", "loss spike"]}
SOUND = {way: ["converged"] for way in BY_WAY}


SYMPTOMS = {"AutoTrainer": ["vanishing gradient"], "DLCheck": ["dying ReLU", "small updates"], "SageMaker Debugger": []}


def answer(
    errors: tuple[float, float] = (1.0, 0.1),
    fixed: dict[str, list[str]] = SOUND,
    cause: tuple[str, ...] = ("vanishing",),
    broken: dict[str, list[str]] = BY_WAY,
) -> Answer:
    alarms: dict[str, list[str]] = {tool: [] for tool in SYMPTOMS}
    return Answer("name", "held-out", "recurrent", "somewhere", cause, errors, broken, fixed, SYMPTOMS, alarms)


def test_the_digest_of_rules_covers_their_code_and_no_words_about_it() -> None:
    source = 'MANY = 3\n"""Of them."""\n\ndef rule():\n    """Say it."""\n    return MANY, "text"\n'
    assert reported.code_of(source) == reported.code_of(source.replace("Say it.", "Say so.").replace("Of them", "All"))
    assert reported.code_of(source) == reported.code_of(source.replace("MANY = 3", "MANY = 3  # some"))
    for other in (source.replace("3", "4"), source.replace("text", "word")):
        assert reported.code_of(source) != reported.code_of(other)


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
    assert [given.undecided(way) for way in BY_WAY] == [True, False, False]


def test_what_was_not_told_apart_from_the_first_finding_counts_and_what_comes_second_does_not() -> None:
    listed = answer(broken={**BY_WAY, "default": ["constant answer or vanishing or collapse"]})
    assert [listed.named("default"), listed.outright("default")] == [True, False]
    second = answer(broken={**BY_WAY, "default": ["constant answer", "vanishing"]})
    assert [second.named("default"), second.misled("default")] == [False, True]
    assert answer(broken={**BY_WAY, "default": ["vanishing or saturation"]}).outright("default")


def test_a_training_loss_that_falls_names_no_cause_and_calls_no_run_sound() -> None:
    given = answer(broken={**BY_WAY, "default": ["learns the training data"]})
    assert [given.named("default"), given.misled("default"), given.undecided("default")] == [False, False, True]
    sound = answer(
        errors=(0.1, 0.1), cause=("nothing wrong",), broken={way: ["learns the training data"] for way in BY_WAY}
    )
    assert sound.named("default")
    assert not sound.undecided("default")


def test_a_label_counts_where_the_fix_bears_it_out_and_a_fixed_run_is_not_to_be_accused() -> None:
    assert answer().borne_out
    assert answer((float("nan"), 0.1)).borne_out
    assert not answer((0.2, 0.1)).borne_out
    assert not answer((1.0, float("nan"))).borne_out
    assert not answer().accused("full")
    assert answer(fixed={**SOUND, "full": ["exploding"]}).accused("full")


def test_of_a_run_with_nothing_wrong_nothing_may_be_found() -> None:
    sound = answer(errors=(0.1, 0.1), cause=("nothing found", "converged"), broken={**SOUND, "full": ["vanishing"]})
    assert sound.borne_out
    assert [sound.named(way) for way in BY_WAY] == [True, True, False]
    assert [sound.misled(way) for way in BY_WAY] == [False, False, True]
    grows = answer(cause=("attention logits grow",), broken={**BY_WAY, "full": ["attention logits grow"]})
    assert not grows.sound
    assert grows.named("full")


def test_of_a_cause_that_no_finding_names_silence_is_right_and_any_other_cause_misleads() -> None:
    silent = {"bare": ["not enough recorded"], "default": ["nothing found"], "full": ["vanishing"]}
    given = answer(cause=("the labels of terminal states are ignored",), broken=silent)
    assert given.group == "a cause that no finding names"
    assert [given.named(way) for way in BY_WAY] == [True, True, False]
    assert [given.misled(way) for way in BY_WAY] == [False, False, True]


def test_a_tool_is_right_where_one_of_its_symptoms_may_have_the_cause() -> None:
    given = answer()
    assert [given.recognised(tool) for tool in SYMPTOMS] == [True, True, False]
    assert [given.mistaken(tool) for tool in SYMPTOMS] == [False, False, False]
    assert answer(cause=("saturation",)).mistaken("AutoTrainer")


def test_symptoms_are_those_of_causes_that_are_known() -> None:
    assert {cause for causes in symptoms.MEANS.values() for cause in causes} <= MEANINGS.keys()


def test_tools_report_what_a_run_file_shows() -> None:
    layer = {"weight": 0.5, "update": -2.0, "zero": 0.0, "nonfinite": 0.0, "histogram": [0.0] * 14 + [1.0] + [0.0] * 6}
    layers = {"a": layer | {"gradient": -9.0}, "b": layer | {"gradient": -1.0}}
    modules = {"h": {"activation": "relu", "zero": 0.95, "dead": 0.9}}
    lines = [{"step": i, "loss": 2.3, "accuracy": 0.1, "layers": layers, "modules": modules} for i in range(6)]
    reports = symptoms.symptoms_of(lines)
    assert reports["AutoTrainer"] == ["vanishing gradient"]
    assert reports["SageMaker Debugger"] == ["vanishing gradient", "dying ReLU"]
    assert reports["DeepDiagnosis"] == ["dying ReLU"]
    assert reports["DLCheck"] == ["dying ReLU", "vanishing gradient"]
    assert reports["TheDeepChecker"] == ["vanishing gradient", "dying ReLU", "stagnating loss"]


def test_the_first_scoring_of_a_half_stays_and_the_page_says_whether_rules_changed_after_it() -> None:
    row = asdict(answer())
    origin = {"packages": {"jax": "0"}, "cpu": "a CPU", "commit": "c", "python": "3"}
    scoring = {"rules": "before", "command": "", "provenance": origin, "rows": [row]}
    once = reported.updated({}, scoring)
    assert "have not been changed after it" in page(once)
    assert "1 runs whose label" in page(once)
    twice = reported.updated(once, scoring | {"rules": "after", "rows": [row | {"broken": SOUND}]})
    assert twice["held-out"]["first"]["rows"] == [row]
    assert "**The rules were changed after that.**" in page(twice)
    again = reported.updated(twice, scoring | {"rules": "later"})
    assert (again["held-out"]["first"]["rules"], again["held-out"]["now"]["rules"]) == ("before", "later")


def test_the_published_page_is_made_from_what_was_said() -> None:
    folder = ROOT / "results" / "diagnosis"
    content = json.loads((folder / "reported.json").read_text())
    assert differences(page(content), (folder / "reported.md").read_text()) == []
