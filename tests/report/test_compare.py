"""Comparing runs: what is worse, better, the same or unclear, of cells that are in both."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.made import BASE, DEVICE, HE, ORIGIN, TEXT, TIMES, cost, gradients, measured, training, write_run
from typer.testing import CliRunner

from vgbench.cli import app
from vgbench.errors import InputError
from vgbench.measure.cost import cost_id
from vgbench.records.origin import Device
from vgbench.records.schema import CellRecord, CostRecord, Manifest, Row
from vgbench.records.store import Folder, write_record
from vgbench.report.compare import Change, compare
from vgbench.spec.case import Case
from vgbench.statistics import bootstrap_ratio


def write(out: Path, case: Case = HE, status: Any = "ok", device: Device = DEVICE, **measured: Any) -> Path:
    """A run of one mitigation that starts and ends as `measured` says."""
    parts = {"gradients": gradients([-1.0, -1.0], [-1.0, -1.0]), "forward": None, "training": training(0.9, 0.95)}
    folder = Folder(out / device.slug)
    origin = dataclasses.replace(ORIGIN, device=device)
    pair = cost_id(case, BASE)
    figures = {name: measured.get(name, part) for name, part in parts.items()}
    write_record(folder.cell(case.cell_id), CellRecord(case, status, "", **figures, **TIMES))
    write_record(folder.cost(pair), CostRecord(case, BASE, "ok", "", measured.get("cost", cost(1.5)), **TIMES))
    row = Row(0, "he", {"depth": 2}, case.cell_id, BASE.cell_id, pair)
    write_record(folder.manifest, Manifest("tiny", "Tiny", "Does it run?", (row,), origin))
    return out


def called(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["compare", *arguments])


def judged(changes: tuple[Change, ...]) -> dict[str, str]:
    return {change.what: change.judgement for change in changes}


def test_a_run_is_the_same_as_itself(tmp_path: Path) -> None:
    run = write(tmp_path / "a")
    found = compare(run, run)
    assert judged(found.changes) == dict.fromkeys(
        ["status", "first/last", "test accuracy", "step ratio", "peak memory"], "SAME"
    )
    assert (found.only_before, found.only_after) == ((), ())
    assert {change.cell for change in found.changes} == {"he, depth 2"}


def heavier(ratio: float, peak: int) -> Any:
    base = cost(ratio)
    return dataclasses.replace(base, memory=dataclasses.replace(base.memory, peak=peak))


@pytest.mark.parametrize(
    ("measured", "what", "judgement"),
    [
        ({"gradients": gradients([-3.0, -1.0], [-3.1, -1.0])}, "first/last", "WORSE"),
        ({"gradients": gradients([2.0, -1.0], [2.1, -1.0])}, "first/last", "WORSE"),
        ({"gradients": gradients([-1.0, -1.0], [-3.0, -1.0])}, "first/last", "UNCLEAR"),
        ({"training": training(0.5, 0.55)}, "test accuracy", "WORSE"),
        ({"training": training(0.99, 0.99)}, "test accuracy", "UNCLEAR"),
        ({"training": training(0.905, 0.955)}, "test accuracy", "SAME"),
        ({"cost": cost(1.6)}, "step ratio", "WORSE"),
        ({"cost": cost(1.2)}, "step ratio", "BETTER"),
        ({"cost": cost(1.52)}, "step ratio", "SAME"),
        ({"cost": heavier(1.5, 2200)}, "peak memory", "WORSE"),
        ({"cost": heavier(1.5, 1500)}, "peak memory", "BETTER"),
        ({"status": "crashed", "gradients": None, "training": None}, "status", "WORSE"),
        ({"status": "diverged"}, "status", "WORSE"),
    ],
)
def test_each_figure_is_judged_by_its_whole_interval(
    tmp_path: Path, measured: dict[str, Any], what: str, judgement: str
) -> None:
    found = compare(write(tmp_path / "a"), write(tmp_path / "b", **measured))
    assert judged(found.changes)[what] == judgement
    assert found.count("SAME") == len(found.changes) - (judgement != "SAME")


def test_fewer_bits_per_byte_are_better(tmp_path: Path) -> None:
    before, after = (write_run(tmp_path / str(bits), [("baseline", measured(TEXT, bits))]) for bits in (2.5, 2.25))
    assert judged(compare(before, after).changes)["test bits/byte"] == "BETTER"
    assert judged(compare(after, before).changes)["test bits/byte"] == "WORSE"


def test_what_was_better_is_worse_the_other_way_round(tmp_path: Path) -> None:
    one, other = write(tmp_path / "a"), write(tmp_path / "b", cost=cost(1.2), status="diverged")
    assert judged(compare(other, one).changes) | {"step ratio": "WORSE", "status": "BETTER"} == judged(
        compare(other, one).changes
    )


def test_cells_of_one_run_alone_are_named(tmp_path: Path) -> None:
    other = HE.model_copy(update={"width": 9})
    found = compare(write(tmp_path / "a"), write(tmp_path / "b", case=other))
    assert (found.changes, found.only_before, found.only_after) == ((), ("he, depth 2",), ("he, depth 2",))


def test_devices_of_one_name_are_not_compared_unless_they_are_one(tmp_path: Path) -> None:
    devices = [DEVICE, *(dataclasses.replace(DEVICE, model=f"family 6 model {model}") for model in (1, 2))]
    unknown, one, other = (write(tmp_path / str(i), device=device) for i, device in enumerate(devices))
    assert len(compare(one, one).changes) == 5
    for a, b in ((unknown, one), (one, other)):
        found = compare(a, b)
        assert found.changes == ()
        (before,), (after,) = found.only_before, found.only_after
        assert (before.startswith("all of Chip"), before == after) == (True, False)
    result = called(str(unknown), str(one))
    assert f"only in {unknown}: all of Chip (2 CPU cores) [model unknown]\n" in result.output
    assert f"only in {one}: all of Chip (2 CPU cores) [{devices[1].code}]\n" in result.output


def test_a_folder_without_records_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no records here"):
        compare(write(tmp_path / "a"), tmp_path / "b")


@pytest.mark.parametrize(
    ("arguments", "code"), [([], 0), (["--fail-on", "regression"], 1), (["--fail-on", "change"], 1)], ids=str
)
def test_command_shows_what_changed_and_fails_if_reported(tmp_path: Path, arguments: list[str], code: int) -> None:
    one, other = write(tmp_path / "a"), write(tmp_path / "b", cost=cost(1.8))
    result = called(str(one), str(other), *arguments)
    assert result.exit_code == code
    assert "he, depth 2" in result.output
    assert "1.50" in result.output
    assert "1.80" in result.output
    assert "5 values of cells that are in both runs: 1 worse, 0 better, 4 same, 0 unclear" in result.output


def test_command_that_may_not_fail_on_gains(tmp_path: Path) -> None:
    one, other = write(tmp_path / "a"), write(tmp_path / "b", cost=cost(1.2))
    assert called(str(one), str(other), "--fail-on", "regression").exit_code == 0
    assert called(str(one), str(other), "--fail-on", "change").exit_code == 1


def test_ratio_of_medians_holds_the_truth_as_often_as_it_says() -> None:
    draw = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        samples, reference = 1.1 * np.exp(0.1 * draw.standard_normal(40)), np.exp(0.1 * draw.standard_normal(30))
        interval = bootstrap_ratio(samples, reference, resamples=500)
        held += interval.low <= 1.1 <= interval.high
    assert held >= 180


def test_across_devices_all_but_the_memory_is_compared(tmp_path: Path) -> None:
    other = dataclasses.replace(DEVICE, kind="Accelerator", model=None)
    here, there = write(tmp_path / "a"), write(tmp_path / "b", device=other, cost=heavier(1.6, 1500))
    assert compare(here, there).changes == ()
    found = compare(here, there, across_devices=True)
    expected = dict.fromkeys(["status", "first/last", "test accuracy"], "SAME")
    assert judged(found.changes) == expected | {"step ratio": "WORSE"}
    assert {change.device for change in found.changes} == {f"{DEVICE}, {other}"}
    assert (found.only_before, found.only_after) == ((), ())
    alone = write(tmp_path / "c", case=Case(**HE.model_dump() | {"width": 12}), device=other)
    assert compare(here, alone, across_devices=True).only_after == ("he, depth 2",)
    assert (
        "4 values of cells that are in both runs: 1 worse" in called(str(here), str(there), "--across-devices").output
    )
