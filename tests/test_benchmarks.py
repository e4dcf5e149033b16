"""The benchmark programs beside those of pytest-benchmark: their pure parts, and tiny runs of those without PyTorch."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers.tiny_suite import TINY

import vgbench as vg
from vgbench.harness.plan import tasks_of
from vgbench.measure.draw import training_of
from vgbench.statistics import Interval

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path[:0] = [str(BENCHMARKS), str(BENCHMARKS / "diagnosis")]
import against_nnx
import against_torch
import limit
import overhead
import page_faults
import scale
import score
import side_by_side
import summary
import sweep
import watching


def compared() -> side_by_side.Comparison:
    over, under = ("PyTorch", [0.004, 0.008, 0.006]), ("vgbench", [0.002, 0.002, 0.002])
    return side_by_side.Comparison({"depth": 3}, over, under, ">= 2 x", {})


def test_ratio_is_the_median_over_rounds_of_what_stands_above_by_what_stands_below() -> None:
    assert compared().ratio == Interval(3.0, 2.0, 4.0)


def test_table_shows_both_times_the_ratio_and_the_aim() -> None:
    head, rule, row = side_by_side.table([compared()]).splitlines()
    assert head == "| depth | PyTorch | vgbench | ratio [95 %] | aim |"
    assert rule == "| --- | --- | --- | --- | --- |"
    assert row == "| 3 | 6 ms | 2 ms | 3.00 [2.00, 4.00] | >= 2 x |"


def test_file_holds_raw_samples_versions_and_processor(tmp_path: Path) -> None:
    side_by_side.write_comparisons(tmp_path / "new" / "a.json", [compared()], torch="2")
    content = json.loads((tmp_path / "new" / "a.json").read_text())
    assert content["comparisons"][0]["over"] == ["PyTorch", [0.004, 0.008, 0.006]]
    assert content["comparisons"][0]["ratio"] == [3.0, 2.0, 4.0]
    assert content["packages"] == {"torch": "2"}
    assert {"cpu", "packages", "commit"} <= content["provenance"].keys()
    assert content["table"] == side_by_side.table([compared()])


def test_evenness_is_of_the_depth_line_alone() -> None:
    points = [(10, 128, 9.0), (50, 128, 1.0), (200, 128, 1.2), (1000, 128, 1.1), (5000, 128, 3.0), (50, 64, 0.1)]
    rows = [{"depth": depth, "width": width, "step": [cost * depth]} for depth, width, cost in points]
    rows = [{**row, "step": row["step"] * 3, "profile": [1.0] * 3, "compile_seconds": 1.0} for row in rows]
    rows = [{**row, "update": [row["step"][0] - 0.8 * row["depth"]] * 3} for row in rows]
    assert scale.uneven(rows) == {"step": pytest.approx(0.2), "rest": pytest.approx(0.0, abs=1e-9)}
    assert len(scale.table(rows).splitlines()) == 2 + len(rows)
    assert {"step", "update", "profile"} == set(scale.MEASURED)
    scale.picture(rows).to_dict()  # validates


def test_a_layers_cpu_time_is_its_own_and_the_systems() -> None:
    rows = [
        {"depth": 1000, "width": 128, "steps": 1, "own": [0.15] * 3, "system": [0.05] * 3, "faults": [36000.0] * 3},
        *page_faults.measure(((2, 8),), rounds=2),
    ]
    assert page_faults.table(rows).splitlines()[2] == "| 1,000 | 128 | 1 | 200 us [200, 200] | 50 us | 36,000 |"
    assert [row["steps"] for row in rows[1:]] == [*page_faults.STEPS]
    assert all(sum(row["own"]) + sum(row["system"]) > 0 for row in rows)


def test_the_cells_of_the_overhead_suite_share_one_program() -> None:
    cells = overhead.suite(5, 25).cells()
    assert len(cells) == 5
    assert len({training_of(cell.case).cell_id for cell in cells}) == 1


@pytest.mark.slow
def test_the_overhead_program_measures_every_cell_but_the_first(tmp_path: Path) -> None:
    overhead.main(str(tmp_path / "overhead.json"), "3")
    measured = json.loads((tmp_path / "overhead.json").read_text())
    for times in (measured["seconds"], measured["worker_seconds"]):
        assert {steps: len(cells) for steps, cells in times.items()} == {"25": 2, "50": 2}


def test_both_sides_of_the_comparison_with_nnx_give_the_norms_of_every_step_and_layer() -> None:
    case = limit.case_of(3, 8)
    theirs, ours = (np.asarray(run(case, 25)) for run in (against_nnx.script, against_nnx.ours))
    assert theirs.shape == ours.shape == (25, 4)
    assert (ours > 0).all()
    assert (theirs > 0).all()


def test_norms_beside_pytorch_are_those_of_the_profile_at_the_first_step() -> None:
    case = limit.case_of(3, 8, seeds=(0,))
    mantissa, exponent = limit.with_norms(case, 2)()
    expected = vg.measure_gradients(case).log10_parameter_norm[0]
    found = np.log10(mantissa[0]) + exponent[0] * np.log10(2)
    found[:3] = np.roll(found[:3], 1)  # in the order of the tree, in which blocks come before the input layer
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("steps", [1, 2])
def test_the_hand_written_step_runs(steps: int) -> None:
    run = limit.hand_written(limit.case_of(3, 8), steps)
    assert side_by_side.sampler(run, steps)() > 0


def test_the_products_alone_run() -> None:
    assert side_by_side.sampler(against_torch.products(2, 8, steps=3), 3)() > 0


def test_a_watched_optimizer_takes_the_steps_of_the_plain_one() -> None:
    weights = [jax.random.normal(key, (8, 8)) for key in jax.random.split(jax.random.key(0), 3)]
    batch = jax.random.normal(jax.random.key(1), (4, 8)), jnp.arange(4)
    plain, watched = (
        watching.Training(each, watching.loss_of, weights, batch)
        for each in (optax.adam(0.1), vg.watch(optax.adam(0.1), every=5))
    )
    for run in (plain, watched):
        run()
    moved = [np.abs(a - b).max() for a, b in zip(plain.carry[0], weights, strict=True)]
    assert min(moved) > 0.5
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-3), plain.carry[0], watched.carry[0])


def test_summary_has_a_section_for_each_result_that_is_there(tmp_path: Path) -> None:
    side_by_side.write_comparisons(tmp_path / "torch.json", [compared()], torch="2.13")
    summary.main(str(tmp_path))
    page = (tmp_path / "README.md").read_text()
    assert page.count("\n## ") == 1
    assert "torch 2.13" in page
    assert side_by_side.table([compared()]) in page


def configuration(label: str, verdict: str, *, alarm: bool = False, verified: bool = True) -> dict[str, Any]:
    row = score.Row("held-out", "mlp", label, "abc", verified, verdict, {"Tool": alarm})
    return dataclasses.asdict(row)


def test_diagnoses_are_scored_by_what_was_built_and_borne_out() -> None:
    rows = [
        *[configuration("vanishing", "collapse", alarm=True)] * 3,
        configuration("vanishing", "healthy"),
        configuration("vanishing", "vanishing", verified=False),
        configuration("trains", "converged", alarm=True),
        configuration("exploding", "vanishing"),
        configuration("saturation", "vanishing"),
    ]
    origin = {"cpu": "Chip", "commit": "abc", "python": "3.11", "packages": {"jax": "1"}}
    page = score.page({"command": "--half held-out", "provenance": origin, "rows": rows})
    assert "7 configurations whose label an intervention bore out; left out, since none did: vanishing 1." in page
    assert "| vgbench | 0.750 [0.301, 0.954] (3/4) | 0.750 [0.301, 0.954] (3/4) |" in page
    assert "| Tool | 0.750 [0.301, 0.954] (3/4) | 0.750 [0.301, 0.954] (3/4) | 1 | 1 | 1 |" in page
    assert "| exploding | 1.000 [0.207, 1.000] (1/1) | 0.000 [0.000, 0.793] (0/1) |" in page
    assert "| trains | 1.000 [0.207, 1.000] (1/1) |" in page
    assert "`python benchmarks/diagnosis --half held-out` on Chip, commit abc" in page


def test_the_whole_sweep_is_estimated_from_a_part_of_its_cells_and_pairs() -> None:
    cells = sweep.Part("cells", 40, ["a", "b"], [20.0, 40.0], [4.0, 8.0])
    pairs = sweep.Part("pairs", 10, ["a", "b", "c"], [12.0, 12.0, 12.0], [3.0, 3.0, 3.0])
    over, under, ratio = sweep.estimate([cells, pairs], resamples=50)
    assert (over, under) == (40 * 30 + 10 * 12, 40 * 6 + 10 * 3)
    assert ratio.value == over / under
    assert 4 < ratio.low <= ratio.value <= ratio.high < 5
    page = sweep.report([cells, pairs], programs=7)
    assert "| cells | 2 of 40 | 30,000 ms | 6,000 ms | 5.00 [5.00, 5.00] | >= 5 x |" in page
    assert "22.0 min one by one and 4.5 min with vgbench" in page


def test_pairs_of_the_sweep_are_grouped_as_a_run_groups_them() -> None:
    tasks = tasks_of(TINY.select({"depth": [2, 3]}).cells())
    assert [len(group.together) for group in sweep.groups(tasks)] == [2, 2]


@pytest.mark.slow
def test_both_ways_of_the_sweep_run() -> None:
    tasks = tasks_of(TINY.cells())
    for task in (tasks[0], sweep.groups(tasks)[0]):
        part = sweep.measured("tiny", 2, [task])
        assert len(part.labels) == len(part.over) == len(part.under) == len(task.together)
        assert min(part.over) > min(part.under) > 0


@pytest.mark.slow
def test_a_cell_on_its_own_comes_to_the_same_accuracies_as_in_a_sweep() -> None:
    fields = {
        "depth": 3,
        "width": 16,
        "steps": 60,
        "learning_rates": (0.003, 0.03),
        "tuning_seeds": (7,),
        "seeds": (0, 1),
    }
    case = vg.Case(**fields, optimizer="sgd", batch_size=32)
    np.testing.assert_allclose(sweep.alone(case), vg.measure_training(case).test_metric, atol=0.01)
