"""The examples, run as they stand."""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from helpers.command_line import vgbench

import vgbench as vg
from vgbench.boundary.run_lines import json_schema, read_run
from vgbench.models import imported

EXAMPLES = Path(__file__).parents[1] / "examples"


def example(name: str) -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


def test_the_linen_model_loses_its_gradient_on_the_way_down(capsys: pytest.CaptureFixture[str]) -> None:
    profile = example("linen_profile")["main"]()
    taps = [each.log10_gradient for each in profile.of("tap")]
    assert taps == sorted(taps)
    assert taps[0] < taps[-1] - 5
    assert "h[11]" in capsys.readouterr().out


def test_the_wider_model_moves_its_hidden_layer_further() -> None:
    check = example("coordinate_check")["main"]()
    (sweep,) = check.sweeps
    assert sweep.modules == ("input", "hidden", "output")
    assert sweep.exponents("hidden", "change", 1).verdict.startswith("grows like width^0.")


def test_the_equinox_run_writes_lines_that_are_diagnosed(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    findings = example("equinox_watch")["main"](path)
    assert findings[0].name == "vanishing"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [record["step"] for record in records] == list(range(0, 101, 10))
    shown = vgbench("diagnose", path)
    assert shown.out.startswith("vanishing (likely) in layers.0.weight to layers.3.weight")


@pytest.mark.parametrize("framework", ["jax", "linen", "nnx", "equinox"])
def test_a_recorded_run_in_every_framework_is_a_run_file_that_is_diagnosed(framework: str, tmp_path: Path) -> None:
    if framework == "equinox":
        pytest.importorskip("equinox", reason="needs equinox")
    path = tmp_path / "run.jsonl"
    recorder = example(f"{framework}_recorder")["main"](str(path))
    assert read_run(path) == recorder.run
    for line in path.read_text().splitlines():
        jsonschema.validate(json.loads(line, parse_constant=pytest.fail), json_schema())
    records = recorder.run.records
    assert [record.step for record in records] == list(range(0, 101, 20))
    assert len(records[0].layers) >= 7
    assert len(records[0].modules) >= 6
    assert {each.activation for each in [*records[0].modules.values()][:6]} == {
        "sigmoid" if framework == "jax" else "relu"
    }
    assert vgbench("diagnose", path).code == 0


def test_a_run_file_from_plain_numpy_is_read_and_fits_the_published_schema(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    example("numpy_run_file")["main"](str(path))
    schema = json.loads((EXAMPLES.parent / "docs" / "_static" / "run-file.schema.json").read_text())
    for line in path.read_text().splitlines():
        jsonschema.validate(json.loads(line), schema)
    run = read_run(path)
    assert run.header.framework == "numpy"
    first = run.records[0]
    signals = [each.signal for each in first.modules.values()]
    assert signals == sorted(signals)
    assert [*first.modules] == [*first.layers] == [f"layer{i}" for i in range(8)]
    assert vgbench("diagnose", path).code == 0


@pytest.fixture
def beside_the_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VGBENCH_ALLOW_IMPORTS", raising=False)
    monkeypatch.chdir(EXAMPLES)
    monkeypatch.setattr(sys, "path", [*sys.path])


def test_a_suite_with_a_model_of_its_own_wants_permission(beside_the_examples: None) -> None:
    refused = vgbench("run", "sine.toml", "--dry-run")
    assert refused.code == 2
    assert "model 'sine:build' is code to be imported: pass --allow-imports if you trust it" in refused.err
    assert "sine" not in sys.modules
    shown = vgbench("run", "sine.toml", "--dry-run", "--allow-imports")
    assert shown.code == 0
    assert "sine, depth 64" in shown.out
    assert "sine" not in sys.modules


@pytest.mark.parametrize("said", ["", " ", "0", "false", "False", "no", "off"])
def test_the_environment_can_refuse_permission(
    beside_the_examples: None, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setenv("VGBENCH_ALLOW_IMPORTS", said)
    assert "pass --allow-imports" in vgbench("run", "sine.toml", "--dry-run").err


@pytest.mark.parametrize("said", ["1", "true", "YES", "on"])
def test_the_environment_can_give_permission(
    beside_the_examples: None, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setenv("VGBENCH_ALLOW_IMPORTS", said)
    assert vgbench("run", "sine.toml", "--dry-run").code == 0


def test_permission_that_is_neither_yes_nor_no_is_refused(
    beside_the_examples: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VGBENCH_ALLOW_IMPORTS", "maybe")
    expected = "vgbench: VGBENCH_ALLOW_IMPORTS: 'maybe' is neither yes (1, true, yes, on) nor no (0, false, no, off)\n"
    assert vgbench("run", "sine.toml", "--dry-run") == (2, "", expected)


def test_a_model_of_ones_own_is_measured_as_any_family(
    beside_the_examples: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = vg.Case(model="sine:build", depth=6, width=64, seeds=(0,), steps=0, learning_rates=(), tuning_seeds=())
    with pytest.raises(vg.InputError, match="pass --allow-imports"):
        vg.measure_gradients(case)
    monkeypatch.setenv("VGBENCH_ALLOW_IMPORTS", "")  # put back afterwards
    imported.allow()
    assert abs(vg.measure_gradients(case).decay.value) < 0.1
    with pytest.raises(vg.InputError, match="model 'sine:no': cannot be imported"):
        vg.measure_gradients(vg.Case(model="sine:no", steps=0, learning_rates=(), tuning_seeds=()))
    with pytest.raises(vg.InputError, match="cannot be imported: No module named 'nowhere'"):
        vg.measure_gradients(vg.Case(model="nowhere:build", steps=0, learning_rates=(), tuning_seeds=()))
