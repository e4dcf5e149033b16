"""Diagnosis: every finding from curves made by hand, what must not change it, and the command that reads files."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers import made
from helpers.command_line import vgbench

import vgbench as vg
from vgbench.diagnosis import Evidence
from vgbench.diagnosis.evidence import flat_ends, from_curves, from_record
from vgbench.diagnosis.findings import MEANINGS, SUGGESTIONS
from vgbench.diagnosis.lines import from_lines
from vgbench.diagnosis.rules import RULES
from vgbench.records.schema import CellRecord
from vgbench.spec.registry import ACTIVATIONS

RECORDS, DEPTH = 9, 10
LAYERS = DEPTH + 1


def rows(*ends: float, layers: int = DEPTH) -> np.ndarray:
    """The same row at every record: from its first to its last layer evenly."""
    return np.tile(np.linspace(*ends, layers), (RECORDS, 1))


def evidence(**changes: Any) -> Evidence:
    """A run that learns: a flat signal, updates of a per cent, the loss down to a third."""
    sound: dict[str, Any] = {
        "step": np.arange(RECORDS) * 25,
        "loss": np.linspace(2.3, 0.8, RECORDS),
        "chance": 2.3026,
        "accuracy": np.linspace(0.1, 0.8, RECORDS),
        "chance_accuracy": 0.1,
        "signal": rows(-2.0, -2.1),
        "gradient": rows(-1.0, -1.2, layers=LAYERS),
        "update": rows(0.01, 0.012, layers=LAYERS),
        "moved": np.linspace(0, 0.5, RECORDS)[:, None] * np.ones(LAYERS),
        "zero": rows(0.0, 0.0, layers=LAYERS),
        "saturated": rows(0.4, 0.4),
        "dead": rows(0.05, 0.05),
        "scale": rows(0.0, 0.1),
        "distance": np.linspace(-0.1, -0.5, DEPTH),
        "flat": "below",
        "names": (*(f"layer {i}" for i in range(1, LAYERS)), "output layer"),
    }
    return Evidence(**sound | changes)


STUCK = {"loss": np.full(RECORDS, 2.31), "accuracy": np.full(RECORDS, 0.1)}
STILL = {"moved": rows(0.0, 0.001, layers=LAYERS)}
LAGGING = np.tile(np.logspace(-8, -2, LAYERS), (RECORDS, 1))
SWINGS = np.where(np.arange(RECORDS) % 2, 6.0, 2.4)
OPENING = rows(-1.0, -1.0, layers=LAYERS)
OPENING[0, 1:-1] = -np.inf
FROZEN = rows(0.01, 0.01, layers=LAYERS)
FROZEN[:, :4] = 0
FADING = rows(-2.0, -2.1) - np.outer(np.linspace(0, 1, RECORDS), np.linspace(4, 0, DEPTH))
DEAD = rows(0.1, 0.1)
DEAD[:, 4] = 1.0

FOUND = {
    "vanishing": STUCK | STILL | {"signal": rows(-9.0, -2.0), "update": LAGGING},
    "collapse": STUCK | {"distance": np.linspace(-0.1, -9, DEPTH)},
    "exploding": STUCK | {"signal": rows(4.0, -2.0)},
    "dead units": STUCK | {"dead": DEAD},
    "saturation": STUCK | {"flat": "both", "saturated": rows(0.9, 0.95)},
    "vanishing in training": {"loss": np.full(RECORDS, 1.9), "signal": FADING},
    "underflow": STUCK | {"zero": rows(1.0, 0.3, layers=LAYERS), "smallest": 0.01},
    "learning rate too small": STUCK | STILL | {"update": rows(1e-7, 1e-6, layers=LAYERS)},
    "learning rate too large": STUCK | {"loss": SWINGS, "update": rows(0.5, 0.9, layers=LAYERS)},
    "unlearnable": STUCK,
    "frozen": {"update": FROZEN},
    "zero by design": {"gradient": OPENING},
    "converged": {"loss": np.linspace(2.3, 0.1, RECORDS)},
}


def test_every_finding_has_a_rule_words_and_something_to_try() -> None:
    assert MEANINGS.keys() == SUGGESTIONS.keys() == FOUND.keys()
    # Units are dead from the start, or die; gradients read zero from the start, or come to.
    assert len(RULES) == len(FOUND) + 2


@pytest.mark.parametrize("name", FOUND)
def test_each_is_found_by_its_name(name: str) -> None:
    assert vg.verdict(evidence(**FOUND[name])) == name


def test_a_run_that_learns_is_healthy() -> None:
    assert vg.diagnose(evidence()) == []
    assert vg.verdict(evidence()) == "healthy"


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
    assert vg.verdict(scaled) == name
    assert vg.verdict(replace(run, update=run.update * factor)) == name


def test_an_optimizer_that_makes_up_for_a_small_signal_is_not_blamed() -> None:
    small = {"signal": rows(-9.0, -2.0)}
    assert vg.verdict(evidence(**small)) == "healthy"
    # Its early layers move as the others do, so that it is not the gradient's scale that keeps it from learning.
    assert "vanishing" not in [each.name for each in vg.diagnose(evidence(**small, **STUCK))]


def test_homogeneous_networks_vanish_without_any_lag_between_their_weights() -> None:
    alike = {"signal": rows(-9.0, -2.0), "scale": rows(0.0, -6.0), "update": rows(1e-9, 1e-9, layers=LAYERS)}
    found = vg.diagnose(evidence(**STUCK, **STILL, **alike))[0]
    assert found.name == "vanishing"
    assert found.evidence["scale lost in decades"] == pytest.approx(6)


def test_time_steps_that_share_their_weights_cannot_lag_behind_each_other() -> None:
    recurrent = {
        "signal": rows(-20.0, -2.0, layers=100),
        "saturated": None,
        "dead": None,
        "scale": None,
        "distance": None,
    }
    weights = {
        name: rows(value, value, layers=2)
        for name, value in {"update": 0.01, "gradient": -2, "moved": 0.5, "zero": 0}.items()
    }
    assert vg.verdict(evidence(**STUCK, **recurrent, **weights)) == "vanishing"
    assert vg.verdict(evidence(**recurrent, **weights)) == "healthy"  # as a GRU, which learns all the same


def test_a_signal_that_still_shrinks_when_little_was_learned_is_not_healthy() -> None:
    little = {"loss": np.linspace(2.3, 1.9, RECORDS), "update": LAGGING}
    assert vg.verdict(evidence(**little, signal=rows(-9.0, -2.0))) == "vanishing"
    recovers = rows(-9.0, -2.0)
    recovers[-1] = -2.0
    assert vg.verdict(evidence(**little, signal=recovers)) == "healthy"
    assert vg.verdict(evidence(update=LAGGING, signal=rows(-9.0, -2.0))) == "healthy"  # more than a little was learned


def test_a_signal_beyond_all_range_is_told() -> None:
    signal = rows(-2.0, -2.1)
    signal[0, :3] = np.inf
    assert vg.verdict(evidence(loss=np.full(RECORDS, np.nan), signal=signal)) == "exploding"
    nothing = rows(-2.0, -2.1)
    nothing[:, :3] = -np.inf
    (finding,) = vg.diagnose(evidence(loss=None, accuracy=None, signal=nothing))
    assert (finding.name, finding.evidence["decades lost"]) == ("vanishing", np.inf)


def test_a_small_gradient_alone_is_nothing() -> None:
    tiny = {"signal": rows(-12.0, -12.1), "gradient": rows(-11.0, -11.2, layers=LAYERS)}
    assert vg.verdict(evidence(**tiny)) == "healthy"
    assert vg.verdict(evidence(**tiny, loss=np.linspace(2.3, 1e-3, RECORDS))) == "converged"


def test_a_loss_that_starts_high_and_stays_there_does_not_rise() -> None:
    high = STILL | {"loss": np.full(RECORDS, 7.0), "accuracy": np.full(RECORDS, 0.1)}
    assert vg.verdict(evidence(**high, update=rows(1e-7, 1e-6, layers=LAYERS))) == "learning rate too small"
    assert vg.verdict(evidence(**high | {"moved": rows(0.0, 2.0, layers=LAYERS)})) == "learning rate too large"


def test_what_reads_zero_from_the_start_is_the_cause_of_what_is_thrown_about() -> None:
    zero = rows(1.0, 0.3, layers=LAYERS)
    thrown = STUCK | {"loss": SWINGS, "update": rows(0.5, 0.9, layers=LAYERS), "smallest": 0.01}
    later = np.where(np.arange(RECORDS)[:, None] > 0, zero, 0.0)
    found = [[each.name for each in vg.diagnose(evidence(**thrown, zero=share))] for share in (zero, later)]
    assert found == [["underflow", "learning rate too large"], ["learning rate too large", "underflow"]]


def test_labels_are_doubted_where_the_quickest_layer_alone_has_moved() -> None:
    moved = np.tile(np.linspace(0.001, 0.2, LAYERS), (RECORDS, 1))
    assert vg.verdict(evidence(**STUCK, moved=moved)) == "unlearnable"
    assert vg.verdict(evidence(**STUCK, moved=moved / 20)) == "healthy"


def test_what_was_learned_by_heart_is_no_success() -> None:
    by_heart = {"loss": np.linspace(2.3, 0.2, RECORDS), "accuracy": np.full(RECORDS, 0.11)}
    assert [each.name for each in vg.diagnose(evidence(**by_heart))] == ["unlearnable"]


def test_a_broken_loss_is_told_by_where_it_comes_from() -> None:
    broken = {"loss": np.asarray([2.3] * 4 + [np.nan] * 5), "accuracy": np.full(RECORDS, 0.1)}
    assert vg.verdict(evidence(**broken)) == "learning rate too large"
    assert vg.verdict(evidence(**broken, signal=rows(4.0, -2.0))) == "exploding"


def test_a_finding_names_layers_steps_and_numbers() -> None:
    dying = np.where(np.arange(RECORDS)[:, None] < 3, 0.1, DEAD)
    found = vg.diagnose(evidence(**STUCK, dead=dying))[0]
    assert found.layers == ("layer 5",)
    assert found.steps == (75, 200)
    assert found.confidence == "certain"
    assert str(found) == (
        "dead units (certain) in layer 5, steps 75 to 200: units give nothing, and pass no gradient, for any example"
        " (dead share 1)"
    )


def test_what_was_not_recorded_is_not_held_against_a_run() -> None:
    assert vg.diagnose(Evidence(step=np.arange(3))) == []
    blind = replace(evidence(**FOUND["vanishing"]), signal=None, scale=None, dead=None, saturated=None, distance=None)
    assert blind.gradient is not None
    assert vg.verdict(replace(blind, gradient=rows(-9, -1, layers=LAYERS))) == "vanishing"


@pytest.mark.parametrize(
    ("activation", "flat"), [("relu", "below"), ("gelu", "below"), ("tanh", "both"), ("linear", "none")]
)
def test_where_activations_are_flat(activation: str, flat: str) -> None:
    assert flat_ends(ACTIVATIONS.choose(activation)) == flat


def lines(run: Evidence) -> list[dict[str, Any]]:
    """The run as `vgbench.watched` would have recorded it, with the signal beside."""
    assert run.gradient is not None
    assert run.update is not None
    assert run.signal is not None
    assert run.loss is not None
    finite = lambda value: float(value) if np.isfinite(value) else None  # noqa: E731
    return [
        {
            "step": int(step),
            "loss": finite(run.loss[i]),
            "chance": run.chance,
            "signal": [finite(each) for each in run.signal[i]],
            "layers": {
                name: {
                    "gradient": finite(run.gradient[i, j]),
                    "weight": 0.5,
                    "update": finite(np.log10(run.update[i, j]) + 0.5) if run.update[i, j] else None,
                    "zero": 0.0,
                }
                for j, name in enumerate(run.names)
            },
        }
        for i, step in enumerate(run.step)
    ]


@pytest.mark.parametrize(
    "name", ["vanishing", "exploding", "learning rate too small", "learning rate too large", "frozen", "converged"]
)
def test_lines_of_json_say_the_same(name: str, tmp_path: Any) -> None:
    written = lines(evidence(**FOUND[name]))
    assert vg.verdict(written) == name
    path = tmp_path / "run.jsonl"
    path.write_text("\n".join(map(json.dumps, written)) + "\n\n")
    shown = vgbench("diagnose", path)
    assert shown.code == 0
    assert shown.out.startswith(name)
    assert f"try: {SUGGESTIONS[name]}" in shown.out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "line 1: not valid JSON"),
        ("[1]", "line 1: needs an object"),
        ("", "no records to read"),
        ('{"step": 1}', "line 1: no field 'layers'"),
        ('{"step": 1, "layers": {"a": {}}}\n\n{"step": 2, "layers": {"b": {}}}', "line 3: layers: other layers"),
        ('{"layers": {"a": {}}}', "line 1: no field 'step'"),
        ('{"step": true, "layers": {"a": {}}}', "line 1: step: Input should be a valid integer"),
        ('{"step": -1, "layers": {"a": {}}}', "line 1: step: Input should be greater than or equal to 0"),
        ('{"step": 1, "layers": "x"}', "line 1: layers: Input should be a valid dictionary"),
        ('{"step": 1, "layers": {}}', "line 1: layers: Dictionary should have at least 1 item"),
        ('{"step": 1, "layers": {"a": 3}}', "line 1: layers.a: Input should be a valid dictionary"),
        (
            '{"step": 1, "layers": {"a": {"gradient": "x"}}}',
            "line 1: layers.a.gradient: Input should be a valid number",
        ),
        ('{"step": 1, "loss": "x", "layers": {"a": {}}}', "line 1: loss: Input should be a valid number"),
        ('{"step": 1, "loss": [1], "layers": {"a": {}}}', "line 1: loss: Input should be a valid number"),
        ('{"step": 1, "signal": 3, "layers": {"a": {}}}', "line 1: signal: Input should be a valid list"),
        ('{"step": 1, "dead": [1, "x"], "layers": {"a": {}}}', "line 1: dead.1: Input should be a valid number"),
        (
            '{"step": 1, "dead": [1], "layers": {"a": {}}}\n{"step": 2, "dead": [1, 2], "layers": {"a": {}}}',
            "line 2: dead: 2 layers, but 1",
        ),
        ('{"step": 1, "chance": "x", "layers": {"a": {}}}', "line 1: chance: Input should be a valid number"),
        ('{"step": 1, "step": 2, "layers": {"a": {}}}', "line 1: not valid JSON: two fields have the name 'step'"),
        (f'{{"step": 1{"0" * 5000}, "layers": {{"a": {{}}}}}}', "line 1: not valid JSON: an integer of more than 64"),
        ("[" * 10**5 + "]" * 10**5, "line 1: not valid JSON: values are nested more than 32 levels deep"),
        ('{"step": 1, "layers": {"\\ud800": {}}}', "line 1: not valid JSON: 'utf-8' codec can't encode"),
    ],
)
def test_files_that_are_no_records_are_told(text: str, message: str, tmp_path: Any) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(text)
    shown = vgbench("diagnose", path)
    assert shown.code == 2
    assert message in shown.err
    assert shown.err.count("\n") == 1


def test_records_that_contain_themselves_are_told() -> None:
    layers: dict[str, Any] = {}
    layers["a"] = layers
    circle: list[Any] = []
    circle.append(circle)
    for record, field in (({"layers": circle}, "layers"), ({"layers": {"a": {}}, "loss": circle}, "loss")):
        with pytest.raises(vg.InputError, match=f"^record 1: {field}: Input should be a valid"):
            vg.diagnose([{"step": 0, **record}])
    assert vg.diagnose([{"step": 0, "layers": layers}]) == []


def test_what_only_some_records_have_is_missing_in_the_others() -> None:
    records = [
        {"step": i, "layers": {"a": {}}, **more} for i, more in enumerate(({"loss": 1.0}, {"signal": (1, None)}))
    ]
    found = from_lines(records)
    assert found.signal is not None
    np.testing.assert_array_equal(found.signal, [[np.nan, np.nan], [1, np.nan]])
    np.testing.assert_array_equal(found.loss, [1, np.nan])


def test_a_missing_file_is_told(tmp_path: Any) -> None:
    assert "cannot be read" in vgbench("diagnose", tmp_path / "none.jsonl").err


def test_layers_without_an_activation_are_neither_counted_nor_named() -> None:
    unknown = np.full((RECORDS, 1), np.nan)
    dead, saturated = (np.hstack([unknown, run[:, 1:]]) for run in (DEAD, rows(0.9, 0.9)))
    (finding,) = (each for each in vg.diagnose(evidence(**STUCK, dead=dead)) if each.name == "dead units")
    assert finding.layers == ("layer 5",)
    (finding,) = (
        each for each in vg.diagnose(evidence(**STUCK, flat="both", saturated=saturated)) if each.name == "saturation"
    )
    assert finding.layers[0] == "layer 2"


def test_most_seeds_decide() -> None:
    curves = replace(
        made.training(0.1, 0.1),
        step=np.asarray([0, 40]),
        validation_accuracy=np.ones((2, 2), np.float32),
        snapshots=replace(made.snapshots(2, 2, 2), update_to_weight=np.full((2, 2, 3), 0.01)),
    )
    diverged = replace(curves, loss=np.full((2, 40), np.nan, np.float32))
    half = replace(curves, loss=np.stack([np.full(40, np.nan), np.ones(40)]).astype(np.float32))
    assert [each.seeds for each in vg.diagnose(diverged)] == [(2, 2)]
    assert [each.seeds for each in vg.diagnose(half) if each.name == "learning rate too large"] == [(1, 2)]


SHAPE = {"depth": 20, "width": 16, "batch_size": 32}
TRAINED = {**SHAPE, "steps": 75, "seeds": (0, 1), "tuning_seeds": (), "optimizer": "sgd"}


@pytest.mark.parametrize(
    ("slots", "said"),
    [
        ({"init": "he_normal", "learning_rates": (0.05,)}, ["healthy", "converged"]),
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
    untrained = replace(record, training=None)
    assert vg.verdict(untrained) in {"healthy", "vanishing", "exploding"}
    assert len(from_curves(training)) == 2
