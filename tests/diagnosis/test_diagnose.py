"""The answer: three kinds of it, what is not said together, several seeds, and the command that reads files."""

import json
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from helpers import made
from helpers.command_line import vgbench
from helpers.evidence import BLIND, LAGGING, LAYERS, RECORDS, STILL, STUCK, SWINGS, evidence, names, over_records, rows

import vgbench as vg
from vgbench.diagnosis import Evidence
from vgbench.diagnosis.consistency import consistent
from vgbench.diagnosis.words import MEANINGS, SUGGESTIONS

OPENING = rows(-1.0, -1.0, layers=LAYERS)
OPENING[0, 1:-1] = -np.inf
FROZEN = rows(0.01, 0.01, layers=LAYERS)
FROZEN[:, :4] = 0
FADING = rows(-2.0, -2.1) - np.outer(np.linspace(0, 1, RECORDS), np.linspace(4, 0, 10))
DEAD = rows(0.1, 0.1)
DEAD[:, 4] = 1.0
DYING = np.where(np.arange(RECORDS)[:, None] < 3, 0.1, DEAD)
NAN = np.where(np.arange(RECORDS) < 2, 0.0, 1.0)[:, None] * np.ones(LAYERS)
BROKEN = np.arange(RECORDS) >= 3

FOUND: dict[str, dict[str, Any]] = {
    "not-a-number gradients": {"nonfinite": NAN, "nonfinite_loss": BROKEN},
    "not-a-number loss": {"nonfinite": NAN * 0 + 1, "nonfinite_loss": np.ones(RECORDS, bool)},
    "gradients exactly zero": STUCK | {"gradient": np.full((RECORDS, LAYERS), -np.inf), "signal": None},
    "exploding": STUCK | {"signal": rows(4.0, -2.0)},
    "first loss too large": {"loss": np.linspace(300.0, 2.4, RECORDS), "accuracy": np.full(RECORDS, 0.1)},
    "far from unit scale": STUCK | {"input_scale": 255.0, "scale": rows(2.4, 2.4)},
    "dead units": STUCK | {"dead": DEAD},
    "units that died": STUCK | {"dead": DYING},
    "saturation": STUCK | {"flat": "both", "saturated": rows(0.9, 0.95)},
    "collapse": STUCK | {"distance": rows(-0.1, -9.0)},
    "underflow": STUCK | {"zero": rows(1.0, 0.3, layers=LAYERS), "smallest": 0.01},
    "updates lost to rounding": STUCK | {"swallowed": rows(0.9, 0.9, layers=LAYERS)},
    "updates not applied": STUCK | {"weight": rows(0.5, 0.5, layers=LAYERS)},
    "updates point uphill": {"loss": np.linspace(2.3, 9.0, RECORDS), "accuracy": np.full(RECORDS, 0.1)},
    "attention logits grow": STUCK | {"largest_logit": over_records(3, 400, layers=10)},
    "learning rate too large": STUCK | {"loss": SWINGS, "update": rows(0.5, 0.9, layers=LAYERS)},
    "vanishing": STUCK | STILL | {"signal": rows(-9.0, -2.0), "update": LAGGING},
    "vanishing in training": {"loss": np.full(RECORDS, 1.9), "accuracy": np.full(RECORDS, 0.2), "signal": FADING},
    "saturated loss": {"loss": np.full(RECORDS, 4.0), "accuracy": None, "gradient": over_records(-1.0, -6.0)},
    "learning rate too small": STUCK | STILL | {"update": rows(1e-7, 1e-6, layers=LAYERS)},
    "softmax applied twice": {"loss": np.r_[2.3, 1.9, 1.6, np.full(6, 1.48)]},
    "learned by heart": {"loss": np.r_[2.3, 0.9, np.full(7, 0.01)], "accuracy": np.full(RECORDS, 0.4)},
    "constant answer": STUCK,
    "loss spike": {"loss": np.r_[2.3, 2.0, 1.6, 1.2, 1.0, 7.0, 1.6, 1.5, 1.4]},
    "frozen": {"update": FROZEN},
    "zero by design": {"gradient": OPENING},
    "short of target": {"target": 0.9},
    "learns the training data": {"accuracy": None},
    "converged": {"loss": np.linspace(2.3, 0.1, RECORDS), "accuracy": np.linspace(0.1, 0.99, RECORDS)},
    "risk of vanishing": {"loss": None, "accuracy": None, "signal": rows(-9.0, -2.0)},
    "risk of exploding": {"loss": None, "accuracy": None, "signal": rows(9.0, -2.0)},
    "risk of collapse": {"loss": None, "accuracy": None, "distance": rows(-0.1, -9.0)},
}


def test_every_finding_has_words_something_to_try_and_a_run_that_shows_it() -> None:
    assert MEANINGS.keys() == SUGGESTIONS.keys() == FOUND.keys()


@pytest.mark.parametrize("name", FOUND)
def test_each_is_found_by_its_name(name: str) -> None:
    assert vg.verdict(evidence(**FOUND[name])) == name


def test_a_sound_run_has_no_finding_and_says_what_was_judged() -> None:
    answer = vg.diagnose(evidence())
    assert list(answer) == []
    assert not answer
    assert answer.verdict == "nothing found"
    assert "the signal reaches the first layers" in answer.judged
    assert "units are alive" in answer.judged
    assert "saturated" not in [each.field for each in answer.missing]
    assert str(answer).startswith("nothing found among what could be judged\n  in order: all numbers are finite; ")


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": None, "accuracy": None},
        {"chance": None, "accuracy": None},
        {name: value[:1] for name, value in vars(evidence()).items() if isinstance(value, np.ndarray)},
        {"loss": np.full(RECORDS, np.nan), "accuracy": None},
    ],
    ids=["no loss", "no constant answer", "one record", "losses that were not recorded"],
)
def test_nothing_is_called_sound_without_what_decides(changes: dict[str, Any]) -> None:
    assert vg.verdict(evidence(**changes)) == "not enough recorded"


def test_a_run_that_learned_less_than_half_on_other_data_is_not_called_sound() -> None:
    assert vg.verdict(evidence(accuracy=np.linspace(0.1, 0.45, RECORDS))) == "not enough recorded"
    assert vg.verdict(evidence(accuracy=np.linspace(0.1, 0.65, RECORDS))) == "nothing found"


def test_what_is_missing_is_named_with_the_line_that_records_it() -> None:
    answer = vg.diagnose(evidence(chance=None, accuracy=None, **BLIND))
    assert [each.field for each in answer.missing] == ["chance", "signal", "dead", "saturated", "accuracy"]
    assert "not recorded: chance, the loss of the best constant answer: vg.Recorder(" in str(answer)
    assert vg.diagnose(evidence()).missing == ()


def test_without_the_constant_answer_nothing_is_called_converged() -> None:
    fell = {"loss": np.geomspace(300.0, 0.001, RECORDS), "accuracy": None}
    assert names(vg.diagnose(evidence(**fell, chance=None))) == []
    assert vg.verdict(evidence(**fell, chance=2.3)) == "learns the training data"
    assert vg.verdict(evidence(**FOUND["converged"])) == "converged"


def test_a_loss_that_never_left_its_start_has_learned_nothing() -> None:
    stuck = {"loss": np.full(RECORDS, 2.31), "accuracy": None, "chance": None}
    assert vg.verdict(evidence(**stuck, **STILL, update=rows(1e-7, 1e-6, layers=LAYERS))) == "learning rate too small"
    assert vg.verdict(evidence(**stuck)) == "not enough recorded"


def test_certain_takes_a_sign_that_only_this_cause_has() -> None:
    vanishing = FOUND["vanishing"]
    assert vg.diagnose(evidence(**vanishing))[0].confidence == "certain"
    by_weights = vanishing | BLIND | {"gradient": rows(-9.0, -1.0, layers=LAYERS)}
    assert vg.diagnose(evidence(**by_weights))[0].confidence == "likely"


def test_findings_that_contradict_each_other_are_not_given_together() -> None:
    both = STUCK | {"loss": SWINGS, "update": rows(0.5, 0.9, layers=LAYERS)}
    assert names(vg.diagnose(evidence(**both))) == ["learning rate too large"]
    found = vg.diagnose(evidence(**FOUND["learning rate too large"])).findings
    small = vg.diagnose(evidence(**FOUND["learning rate too small"])).findings
    assert [each.name for each in consistent([*found, *small])] == ["learning rate too large"]
    done = vg.diagnose(evidence(**FOUND["converged"])).findings
    assert [each.name for each in consistent([*small, *done])] == ["learning rate too small"]


@pytest.mark.parametrize("name", ["vanishing", "collapse", "exploding", "dead units"])
@pytest.mark.parametrize("factor", [1e-6, 1e3])
def test_neither_loss_scale_nor_rate_changes_what_is_said_of_the_signal(name: str, factor: float) -> None:
    run = evidence(**FOUND[name])
    assert run.loss is not None
    assert run.signal is not None
    assert run.gradient is not None
    assert run.update is not None
    signal, gradient = (norms + np.log10(factor) for norms in (run.signal, run.gradient))
    scaled = replace(run, loss=run.loss * factor, chance=2.3026 * factor, signal=signal, gradient=gradient)
    # A constant answer of 2,303 is far from unit scale by itself.
    assert name in names(vg.diagnose(scaled))
    assert vg.verdict(replace(run, update=run.update * min(factor, 1.0))) == name


def test_a_finding_names_layers_steps_and_numbers() -> None:
    found = vg.diagnose(evidence(**STUCK, dead=DYING))[0]
    assert found.layers == ("layer 5",)
    assert found.steps == (75, 200)
    assert str(found) == (
        "units that died (certain) in layer 5, steps 75 to 200: units that worked at the start give nothing any more,"
        " and pass no gradient, for any example; it may also be constant answer or learning rate too large"
        " (dead share 1, dead at first 0.1)"
    )


def test_no_field_is_needed_but_the_step() -> None:
    whole = evidence(**FOUND["vanishing"])
    for name in ("loss", "gradient", "weight", "update", "zero", "nonfinite", "signal", "moved", "accuracy", "dead"):
        vg.diagnose(replace(whole, **{name: None}))
    assert vg.verdict(Evidence(step=np.arange(3))) == "not enough recorded"


def test_most_seeds_decide() -> None:
    wrong, looks = np.zeros((2, 2), np.float32), {"step": np.asarray([0, 40]), "snapshots": made.snapshots(2, 2, 2)}
    curves = replace(made.training(0.1, 0.1), validation_metric=wrong, **looks)
    curves = made.changed(curves, update_to_weight=np.full((2, 2, 3), 0.5))
    breaks = np.r_[np.ones(10), np.full(30, np.nan)]
    diverged = replace(curves, loss=np.stack([breaks] * 2).astype(np.float32))
    calm = np.stack([np.full((2, 3), 0.5), np.full((2, 3), 0.01)])
    half = made.changed(curves, loss=np.stack([breaks, np.ones(40)]).astype(np.float32), update_to_weight=calm)
    assert [each.seeds for each in vg.diagnose(diverged)] == [(2, 2)]
    assert [each.seeds for each in vg.diagnose(half) if each.name == "not-a-number loss"] == [(1, 2)]


def test_seeds_that_differ_are_said_to_with_the_verdict_on_each(monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module("vgbench.diagnosis.diagnose")

    def of(*seeds: dict[str, Any]) -> vg.Diagnosis:
        monkeypatch.setattr(module, "_runs", lambda _: [evidence(**each) for each in seeds])
        return vg.diagnose([])

    open_ended: dict[str, Any] = {"accuracy": np.linspace(0.1, 0.45, RECORDS)}
    answer = of(FOUND["vanishing"], open_ended, open_ended)
    assert answer.verdict == "seeds differ"
    assert str(answer).startswith("seeds differ: vanishing, not enough recorded, not enough recorded\n")
    assert of(FOUND["vanishing"], {}, {}).by_seed == ("vanishing", "nothing found", "nothing found")
    assert of(FOUND["vanishing"], FOUND["vanishing"], open_ended).verdict == "vanishing"
    assert of(open_ended, open_ended, open_ended).verdict == "not enough recorded"
    assert of(FOUND["converged"], {}, {}).verdict == "nothing found"


def test_seeds_that_show_opposites_are_not_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    start: dict[str, Any] = {"loss": None, "accuracy": None}
    gains, loses, level = (start | {"signal": rows(end, -2.0)} for end in (3.0, -7.0, -2.1))

    def of(*seeds: dict[str, Any]) -> vg.Diagnosis:
        monkeypatch.setattr(import_module("vgbench.diagnosis.diagnose"), "_runs", lambda _: [*map(made_of, seeds)])
        return vg.diagnose([])

    def made_of(seed: dict[str, Any]) -> Evidence:
        return evidence(**seed)

    assert (answer := of(level, gains, loses, level)).verdict == "seeds differ"
    assert "risk of exploding" in answer.by_seed
    assert of(gains, loses).verdict == "seeds differ"
    mostly = of(gains, gains, loses, gains)
    assert [(each.name, each.seeds) for each in mostly] == [("risk of exploding", (3, 4))]


def test_the_command_says_what_was_found_judged_and_missing(tmp_path: Any) -> None:
    path = tmp_path / "run.jsonl"
    layer = {"gradient": -1.0, "update": -2.0, "zero": 0.0, "nonfinite": 0.0}
    lines = [
        {"step": i, "loss": 2.0 - 0.1 * i, "layers": {name: layer | {"weight": 0.5 + 0.01 * i} for name in "ab"}}
        for i in range(5)
    ]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    shown = vgbench("diagnose", path)
    assert shown.code == 0
    assert shown.out.splitlines()[0] == "not enough recorded to tell"
    assert "in order: all numbers are finite" in shown.out
    assert "not recorded: chance" in shown.out
    path.write_text("\n".join(json.dumps(line | {"chance": 2.0, "loss": 0.01}) for line in lines))
    assert vgbench("diagnose", path).out.startswith("not enough recorded")  # since the loss never moved
    path.write_text("\n".join(json.dumps(line | {"chance": 2.0, "loss": 2.0 / 2**i}) for i, line in enumerate(lines)))
    assert vgbench("diagnose", path).out.startswith("learns the training data (certain), steps 0 to 4")


def test_a_missing_file_is_an_error_of_one_line(tmp_path: Any) -> None:
    shown = vgbench("diagnose", tmp_path / "none.jsonl")
    assert shown.code == 2
    assert "cannot be read" in shown.err
    assert shown.err.count("\n") == 1


def test_what_holds_for_no_other_data_and_a_signal_that_is_cut_off_are_not_called_in_order() -> None:
    by_chance = vg.diagnose(evidence(accuracy=np.full(RECORDS, 0.1)))
    assert "it holds for other data" not in by_chance.judged
    cut = rows(-1.0, -1.0)
    cut[:, :2] = -np.inf
    assert "the signal reaches the first layers" not in vg.diagnose(evidence(signal=cut)).judged
