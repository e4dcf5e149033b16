"""The device's own count of its memory, taken in a process that does nothing else."""

import json
import subprocess
from typing import Any

import pytest

from vgbench.harness.workers import peak_memory as fresh
from vgbench.spec.case import Case

SMALL = Case(depth=3, width=8, batch_size=16)


class Counting:
    """A device that keeps statistics, as accelerators do."""

    def memory_stats(self) -> dict[str, int]:
        return {"peak_bytes_in_use": 1}


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh, "find_device", lambda _: Counting())


def test_a_device_without_statistics_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(subprocess, "run")
    assert fresh.device_peak_bytes("cpu", [SMALL]) == [None]


@pytest.mark.usefixtures("counting")
def test_the_process_of_its_own_gets_device_and_case_and_no_memory_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def answer(command: list[str], **given: Any) -> subprocess.CompletedProcess[str]:
        seen.update(given)
        return subprocess.CompletedProcess(command, 0, 'a line of somebody else\n{"peak_bytes_in_use": 77}\n')

    monkeypatch.setattr(subprocess, "run", answer)
    assert fresh.device_peak_bytes("gpu:1", [SMALL]) == [77]
    assert json.loads(seen["input"]) == ["gpu:1", SMALL.model_dump(mode="json")]
    assert seen["env"]["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"


@pytest.mark.usefixtures("counting")
def test_a_process_that_found_no_room_beside_others_runs_once_more_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def answer(command: list[str], **given: Any) -> subprocess.CompletedProcess[str]:
        depth = json.loads(given["input"])[1]["depth"]
        asked.append(depth)
        if depth == 5 or (depth == 4 and asked.count(4) == 1):
            raise subprocess.CalledProcessError(1, command)
        return subprocess.CompletedProcess(command, 0, json.dumps({"peak_bytes_in_use": depth}))

    monkeypatch.setattr(subprocess, "run", answer)
    cases = [SMALL.model_copy(update={"depth": depth}) for depth in (3, 4, 5)]
    assert fresh.device_peak_bytes("gpu", cases) == [3, 4, None]
    assert sorted(asked) == [3, 4, 4, 5, 5]


@pytest.mark.usefixtures("counting")
def test_a_process_that_really_runs_and_has_nothing_to_tell_gives_none() -> None:
    assert fresh.device_peak_bytes("cpu", [SMALL]) == [None]  # it runs the step on the CPU, which keeps no statistics


def test_the_step_runs_where_it_should() -> None:
    assert fresh.statistics_after_a_step("cpu", SMALL) is None
