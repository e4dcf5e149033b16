"""Records of people's own: what is read of them, whatever is missing, and what is refused."""

import json
from typing import Any

import numpy as np
import pytest
from helpers.command_line import vgbench
from helpers.evidence import STUCK, evidence

import vgbench as vg
from vgbench.diagnosis import Evidence
from vgbench.diagnosis.lines import from_lines
from vgbench.diagnosis.words import SUGGESTIONS

SOUND = {"gradient": -1.0, "weight": 0.5, "update": -2.0, "zero": 0.0, "nonfinite": 0.0}


def lines(run: Evidence) -> list[dict[str, Any]]:
    """The run as `vgbench.watched` would have recorded it, with the signal and the constant answer's loss."""
    assert run.gradient is not None
    assert run.weight is not None
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
                    "weight": float(run.weight[i, j]),
                    "update": finite(np.log10(run.update[i, j]) + run.weight[i, j]) if run.update[i, j] else None,
                    "zero": 0.0,
                    "nonfinite": 0.0,
                }
                for j, name in enumerate(run.names)
            },
        }
        for i, step in enumerate(run.step)
    ]


def losses(*values: float | None, layers: Any = None, **more: Any) -> list[dict[str, Any]]:
    """A record for each loss, of one sound layer that moves."""
    return [
        {"step": 10 * i, "loss": value, "layers": layers or {"a": SOUND | {"weight": 0.5 + 0.01 * i}}, **more}
        for i, value in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("exploding", STUCK | {"signal": evidence().signal + np.linspace(6, 0, 10)}),  # pyright: ignore[reportOperatorIssue]
        ("frozen", {"update": np.where(np.arange(11) < 3, 0.0, evidence().update)}),
        ("learns the training data", {"loss": np.linspace(2.3, 0.1, 9), "accuracy": None}),
    ],
)
def test_a_file_says_the_same_as_the_evidence(name: str, changes: dict[str, Any], tmp_path: Any) -> None:
    run = evidence(**changes)
    written = lines(run)
    assert vg.verdict(run) == vg.verdict(written) == name
    path = tmp_path / "run.jsonl"
    path.write_text("\n".join(map(json.dumps, written)) + "\n\n")
    shown = vgbench("diagnose", path)
    assert shown.code == 0
    assert shown.out.startswith(name)
    assert SUGGESTIONS[name] in shown.out  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_loss_that_is_missing_is_no_broken_run(missing: float | None) -> None:
    found = from_lines(losses(2.0, missing, 1.0, missing))
    assert found.nonfinite_loss is not None
    assert not found.nonfinite_loss.any()
    assert list(vg.diagnose(losses(2.0, missing, 1.0, missing))) == []


def test_a_loss_is_broken_where_it_is_infinite_counted_or_beside_numbers_that_are_not_finite() -> None:
    spoilt = {"a": {"weight": None, "zero": 0.0, "nonfinite": 1.0}}
    for run in (
        losses(2.0, float("inf")),
        [*losses(2.0), {"step": 10, "nonfinite_losses": 3, "layers": {"a": SOUND}}],
        [*losses(2.0), {"step": 10, "loss": None, "layers": spoilt}],
    ):
        found = from_lines(run)
        assert found.nonfinite_loss is not None
        assert list(found.nonfinite_loss) == [False, True]


def test_norms_that_watch_leaves_out_are_of_zeros_or_of_what_is_not_finite() -> None:
    zeros = {"gradient": None, "weight": None, "update": None, "zero": 1.0, "nonfinite": 0.0}
    spoilt = {"gradient": None, "weight": None, "update": None, "zero": 0.0, "nonfinite": 1.0}
    found = from_lines([{"step": i, "layers": {"a": each, "b": SOUND}} for i, each in enumerate((zeros, spoilt))])
    for norms in (found.gradient, found.weight):
        assert norms is not None
        assert np.isneginf(norms[0, 0])
        assert np.isnan(norms[1, 0])
    assert found.update is not None
    assert found.update[0, 0] == 0  # weights of zero that stay so stand still


def test_a_share_that_rounding_leaves_is_of_none() -> None:
    shares = {"a": SOUND | {"nonfinite": 5.96e-8}, "b": SOUND | {"nonfinite": -1.5e-8}}
    found = from_lines(losses(1.0, 1.0, layers=shares))
    assert found.nonfinite is not None
    assert not found.nonfinite.any()


def test_an_update_that_nobody_recorded_is_none_of_zero() -> None:
    found = from_lines([{"step": i, "layers": {"a": {"gradient": -1.0, "weight": 0.5}}} for i in range(3)])
    assert found.update is None
    assert found.nonfinite is not None
    assert "frozen" not in [each.name for each in vg.diagnose(losses(1, 1, 1, layers={"a": {"gradient": -1.0}}))]


def test_records_of_unequal_fields_and_layers_are_read() -> None:
    found = from_lines(
        [
            {"step": 0, "layers": {"a": SOUND}, "loss": 1.0},
            {"step": 1, "layers": {"a": {"gradient": -1.0}, "b": SOUND}, "signal": (1, None)},
            {"step": 2},
        ]
    )
    assert found.names == ("a", "b")
    assert found.gradient is not None
    np.testing.assert_array_equal(found.gradient, [[-1, np.nan], [-1, -1], [np.nan, np.nan]])
    np.testing.assert_array_equal(found.signal, [[np.nan, np.nan], [1, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(found.loss, [1, np.nan, np.nan])
    vg.diagnose(found)


def test_layers_are_named_by_what_is_recorded_of_them_and_time_steps_are_called_so() -> None:
    signal = list(np.linspace(-12, -1, 40))
    run = [record | {"signal": signal, "chance": 0.7} for record in losses(*[0.69] * 6)]
    found = from_lines(run)
    assert found.timed
    assert found.places[0] == "time step 1"
    finding = vg.diagnose(run)[0]
    assert finding.name == "vanishing"
    assert finding.layers[0] == "time step 1"
    assert "time steps" in finding.meaning
    blocks = {f"block{i}.w": SOUND for i in range(40)}
    assert not from_lines(losses(1, 1, layers=blocks, signal=signal)).timed


def test_a_dtype_tells_the_smallest_number_and_a_loss_scale_lowers_it() -> None:
    header = {"format": "vgbench-run", "dtype": "float16"}
    assert from_lines([header, *losses(1.0, 1.0)]).smallest == 2.0**-24
    assert from_lines([header, *losses(1.0, 1.0, loss_scale=1024.0)]).smallest == 2.0**-34
    assert from_lines(losses(1.0, 1.0)).smallest is None


def test_modules_tell_activations_spread_and_the_inputs_scale() -> None:
    modules = {"h[0]": {"activation": "tanh", "scale": 0.0, "spread": -0.5}, "h[1]": {"scale": 0.0, "spread": -4.0}}
    header = {"format": "vgbench-run", "batch": {"0": {"dtype": "float32", "mean": -3.0, "deviation": 100.0}}}
    found = from_lines([header, *losses(1.0, 1.0, modules=modules)])
    assert found.flat == "both"
    assert found.input_scale == 100
    np.testing.assert_array_equal(found.bounded, [True, False])
    np.testing.assert_array_equal(found.distance, [[-1, -8]] * 2)
    integers = {"format": "vgbench-run", "batch": {"0": {"dtype": "int32", "mean": 500.0}}}
    assert from_lines([integers, *losses(1.0)]).input_scale is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "line 1: not valid JSON"),
        ("[1]", "line 1: needs an object"),
        ("", "no records to read"),
        ('{"layers": {"a": {}}}', "line 1: no field 'step'"),
        ('{"step": 1, "layers": {"a": {"gradient": "x"}}}', "line 1: layers.a.gradient"),
        ('{"step": 1, "signal": 3, "layers": {"a": {}}}', "line 1: signal: needs a list"),
    ],
)
def test_files_that_are_no_records_are_refused_by_line_and_field(text: str, message: str, tmp_path: Any) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(text)
    shown = vgbench("diagnose", path)
    assert shown.code == 2
    assert message in shown.err
    assert shown.err.count("\n") == 1
