"""Traces that a run keeps: where they lie, and that no record names one that is not there."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.command_line import TINY
from helpers.inline import Instant
from helpers.mishaps import Disk

from vgbench.errors import InputError
from vgbench.harness import runner
from vgbench.harness.options import RunOptions
from vgbench.harness.outcome import Outcome
from vgbench.harness.plan import Task
from vgbench.measure.trace import KEPT
from vgbench.records.own_files import check_ours, strangers
from vgbench.records.schema import CostRecord, trace_place
from vgbench.records.store import read_record

TRACE = {name: name.encode() * 1000 for name in KEPT}


class Traced(Instant):
    """Hands out records and traces made by hand."""

    def __init__(self, device: str | None, *, trace: bool, **more: Any) -> None:
        super().__init__(device, **more)
        self._traces = trace

    def measure(self, task: Task) -> Outcome:
        outcome = super().measure(task)
        if task.kind == "cell" or not self._traces:
            return outcome
        places = [trace_place(each.id) for each in task.together]
        first, *others = (
            replace(record, trace=place)
            for record, place in zip(outcome.records, places, strict=True)
            if isinstance(record, CostRecord)
        )
        traces = {f"{place}/{name}": content for place in places for name, content in TRACE.items()}
        return Outcome(first, beside=tuple(others), traces=traces)


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(runner, "Local", Traced)
    (tmp_path / "tiny.toml").write_text(TINY)
    return tmp_path / "tiny.toml"


def records(out: Path) -> list[CostRecord]:
    return [read_record(path, CostRecord) for path in out.glob("*/costs/*.json")]


def test_record_names_the_place_of_its_trace(suite: Path, tmp_path: Path) -> None:
    out = runner.run(suite, tmp_path / "out", trace=True)
    (device,) = [path.parent for path in out.glob("*/manifest.json")]
    found = records(out)
    assert found
    for record in found:
        assert record.trace is not None
        assert {name: (device / record.trace / name).read_bytes() for name in KEPT} == TRACE
    assert strangers(device) == []
    check_ours(out, "")


def test_a_run_keeps_no_trace_unasked(suite: Path, tmp_path: Path) -> None:
    out = runner.run(suite, tmp_path / "out")
    assert {record.trace for record in records(out)} == {None}
    assert not list(out.rglob("traces"))


def test_what_workers_are_asked_for_is_the_option() -> None:
    assert [RunOptions(trace=trace).limits["trace"] for trace in (True, False)] == [True, False]


@pytest.mark.parametrize("room", range(2_000, 90_000, 8_000))
def test_on_a_full_disk_no_record_names_a_trace_that_is_not_there(suite: Path, tmp_path: Path, room: int) -> None:
    with Disk(room=room), pytest.raises(InputError, match="every finished measurement is kept"):
        runner.run(suite, tmp_path / "out", trace=True)
    for record in records(tmp_path / "out"):
        (device,) = [path.parent for path in (tmp_path / "out").glob("*/manifest.json")]
        assert record.trace is not None
        assert {name: (device / record.trace / name).read_bytes() for name in KEPT} == TRACE
    again = runner.run(suite, tmp_path / "out", trace=True)
    assert all(record.trace for record in records(again))


def test_record_that_names_another_place_is_damaged(suite: Path, tmp_path: Path) -> None:
    out = runner.run(suite, tmp_path / "out", trace=True)
    record = records(out)[0]
    with pytest.raises(ValueError, match="trace: is not the place of this pair's trace"):
        replace(record, trace="../../etc").check()
