"""Energy: counters that begin anew, and GPUs found as CUDA is shown them, with counters and a driver made here."""

import itertools
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vgbench.measure.energy import Energy, Rapl, State, energy_of, meter_of

CPU = SimpleNamespace(platform="cpu")
SPAN = 1000_000_000


def package(root: Path, name: str, microjoules: int) -> Path:
    folder = root / name
    folder.mkdir()
    (folder / "max_energy_range_uj").write_text(str(SPAN))
    (folder / "energy_uj").write_text(str(microjoules))
    return folder


def test_all_packages_count_and_none_of_their_parts(tmp_path: Path) -> None:
    first, second = (package(tmp_path, f"intel-rapl:{i}", 5_000_000) for i in (0, 1))
    package(tmp_path, "intel-rapl:0:0", 0).joinpath("energy_uj").write_text("no number")
    meter: Any = meter_of(CPU, rapl=tmp_path)
    first.joinpath("energy_uj").write_text("7000000")
    second.joinpath("energy_uj").write_text("4000000")  # began anew at its range
    assert meter.joules() == pytest.approx(2 + 999)
    assert meter.joules() == pytest.approx(2 + 999)


def test_a_counter_that_may_not_be_read_is_none(tmp_path: Path) -> None:
    assert meter_of(CPU, rapl=tmp_path) is None
    package(tmp_path, "intel-rapl:0", 0).joinpath("energy_uj").unlink()
    assert meter_of(CPU, rapl=tmp_path) is None


def test_steps_are_metered_for_two_seconds(tmp_path: Path) -> None:
    folder = package(tmp_path, "intel-rapl:0", 0)
    meter, seconds = Rapl([folder]), itertools.count(step=0.5)

    def steps() -> int:
        folder.joinpath("energy_uj").write_text(str(int(folder.joinpath("energy_uj").read_text()) + 30_000_000))
        return 10

    assert energy_of(meter, steps, clock=lambda: next(seconds)) == Energy(3.0, "rapl", None)


class Driver:
    """NVML as `pynvml` shows it, of two GPUs."""

    NVML_CLOCK_SM, NVML_TEMPERATURE_GPU = 1, 0
    names = "NVIDIA A", "NVIDIA B"

    def nvmlInit(self) -> None:  # noqa: N802
        pass

    def __getattr__(self, name: str) -> Any:
        answers = {
            "HandleByIndex": lambda index: index,
            "HandleByUUID": lambda uuid: {"GPU-b": 1}[uuid],
            "Name": lambda handle: self.names[handle],
            "TotalEnergyConsumption": lambda handle: 5000 + handle,
            "CurrentClocksEventReasons": lambda handle: 0x1 | 0x4,
            "ClockInfo": lambda handle, kind: 1980,
            "EnforcedPowerLimit": lambda handle: 700_000,
            "Temperature": lambda handle, kind: 61,
            "ComputeRunningProcesses": lambda handle: [SimpleNamespace(pid=-1), SimpleNamespace(pid=-2)],
        }
        if not name.startswith("nvmlDeviceGet"):
            raise AttributeError(name)
        return answers[name.removeprefix("nvmlDeviceGet")]


@pytest.mark.parametrize(("shown", "place", "index"), [("", 1, 1), ("1", 0, 1), ("GPU-b,0", 1, 0), ("GPU-b", 0, 1)])
def test_a_gpu_is_the_one_that_cuda_is_shown(
    monkeypatch: pytest.MonkeyPatch, shown: str, place: int, index: int
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Driver())
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    gpu = SimpleNamespace(platform="gpu", local_hardware_id=place, device_kind=Driver.names[index])
    meter: Any = meter_of(gpu)
    assert meter.joules() == pytest.approx(5 + index / 1000)
    state = State(1980, 700.0, 61, ("power limit",), 1)
    assert meter.state() == state
    assert Energy(1.0, "nvml", state).disturbance == "clocks lowered: power limit; 1 other process(es)"
    gpu.device_kind = "NVIDIA C"  # numbered in another order
    assert meter_of(gpu) is None


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return SimpleNamespace(platform="gpu", local_hardware_id=0, device_kind="NVIDIA A")


def test_in_a_container_the_process_itself_is_no_other(monkeypatch: pytest.MonkeyPatch, gpu: Any) -> None:
    driver = Driver()
    driver.nvmlDeviceGetComputeRunningProcesses = lambda handle: [SimpleNamespace(pid=-1)]  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    meter: Any = meter_of(gpu)
    assert meter.state().other_processes == 0


def test_energy_is_known_where_the_state_of_a_gpu_is_not(monkeypatch: pytest.MonkeyPatch, gpu: Any) -> None:
    driver = Driver()
    driver.nvmlDeviceGetEnforcedPowerLimit = lambda handle: 1 / 0  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    meter: Any = meter_of(gpu)
    seconds = itertools.count(step=0.5)
    found = energy_of(meter, lambda: 10, clock=lambda: next(seconds))
    assert (found.state, found.counter, found.disturbance) == (None, "nvml", "")


def test_without_the_driver_there_is_no_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    gpu = SimpleNamespace(platform="gpu", local_hardware_id=0, device_kind="NVIDIA A")
    assert meter_of(gpu) is None
