"""A real Ray cluster of two nodes on this host: whatever is lost, the run's records are those of a run without it."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.faulty import BASELINE
from helpers.made import DEVICE, ORIGIN
from helpers.waiting import until

from vgbench.errors import InputError
from vgbench.harness.runner import run
from vgbench.harness.workers import ray as executor
from vgbench.harness.workers import ray_cluster
from vgbench.records.schema import CellRecord, CostRecord
from vgbench.records.store import device_folders, read_record
from vgbench.report import load

TIMINGS = [
    *("step_ratio", "step_ratio_low", "step_ratio_high", "step_verdict", "rounds", "outlying_rounds", "latency"),
    *("examples_per_second", "compile_seconds", "flops_per_second", "utilisation", "on_front"),
]
MITIGATIONS = "\n".join(f"m{i} = {{ target = 0.{i} }}" for i in range(1, 6))
SUITE = f"""{BASELINE}
[sweep]
depth = [2, 3, 4, 5, 6]
[mitigations]
{MITIGATIONS}
[protocol]
time_to_depth = 2
"""
RECORDS = 30 + 6


def test_missing_ray_is_reported_with_the_extra_that_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "faults.toml").write_text(BASELINE)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"^executor 'ray': install the extra `ray` \(pip install 'vgbench\[ray\]'\)$"):
        run(tmp_path / "faults.toml", tmp_path / "out", executor="ray")


class Nodes:
    """Nodes as `ray start` makes them, on the loopback interface alone."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 1, "include_dashboard": False, "node_ip_address": "127.0.0.1"}
        self._cluster: Any = Cluster(initialize_head=True, head_node_args=head)
        self._second: Any = self._cluster.add_node(num_cpus=1, node_ip_address="127.0.0.1")
        self.address: str = self._cluster.address

    def lose_second(self) -> None:
        self._cluster.remove_node(self._second, allow_graceful=False)

    def lose_head(self) -> None:
        self._cluster.head_node.kill_all_processes(check_alive=False, allow_graceful=False)

    def close(self) -> None:
        self._cluster.shutdown()


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    """A cluster of two nodes with a CPU slot each."""
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # As on the other systems, Ray then takes 127.0.0.1 for the address of this host.
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    from ray._private import ray_constants

    monkeypatch.setattr(ray_constants, "ENABLE_RAY_CLUSTER", False)
    made = Nodes()
    yield made
    made.close()


def start(place: Path, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "vgbench", "run", "suite.toml", "--precision", "1", *arguments]
    return subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def cells(out: Path) -> int:
    return len(list(out.glob("*/cells/*.json")))


def read_all(out: Path) -> dict[str, CellRecord | CostRecord]:
    (folder,) = device_folders(out)
    kinds = {"cells": CellRecord, "costs": CostRecord}
    return {
        f"{kind}/{path.stem}": read_record(path, form)
        for kind, form in kinds.items()
        for path in (folder.path / kind).glob("*.json")
    }


@pytest.mark.slow
def test_run_that_loses_a_node_has_every_record_once_and_the_table_of_a_local_run(nodes: Nodes, tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text(SUITE)
    process = start(
        tmp_path, "--out", "ray", "--executor", "ray", "--address", nodes.address, "--log-file", "log", "--strict"
    )
    until(lambda: cells(tmp_path / "ray") >= 8 or process.poll() is not None)
    nodes.lose_second()
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    records = read_all(tmp_path / "ray")
    assert len(records) == RECORDS
    assert {record.status for record in records.values()} == {"ok"}
    assert {record.provenance.workers for record in records.values()} == {2}
    lines = (tmp_path / "log").read_text().splitlines()
    assert sum(" ok after " in line for line in lines) == RECORDS
    assert sorted({record.attempts for record in records.values()}) in ([1], [1, 2])
    run(tmp_path / "suite.toml", tmp_path / "local", precision=1.0)
    ray, local = (load(tmp_path / name).drop(columns=TIMINGS, errors="ignore") for name in ("ray", "local"))
    assert ray.to_csv() == local.to_csv()


@pytest.mark.slow
def test_head_that_is_lost_is_reported_and_the_folder_can_be_resumed(nodes: Nodes, tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text(SUITE)
    process = start(tmp_path, "--out", "out", "--executor", "ray", "--address", nodes.address)
    until(lambda: cells(tmp_path / "out") >= 4 or process.poll() is not None)
    began = time.monotonic()
    nodes.lose_head()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2, err
    assert "vgbench: the head of the Ray cluster does not answer any more; every finished measurement is kept" in err
    assert "Traceback" not in err
    assert time.monotonic() - began < 45  # before Ray ends the process by itself
    kept = {name: record.started for name, record in read_all(tmp_path / "out").items()}
    assert 4 <= len(kept) < RECORDS
    run(tmp_path / "suite.toml", tmp_path / "out", precision=1.0)
    records = read_all(tmp_path / "out")
    assert len(records) == RECORDS
    assert kept.items() <= {name: record.started for name, record in records.items()}.items()


@pytest.mark.slow
def test_sigterm_ends_at_once_and_what_is_finished_stays(nodes: Nodes, tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text(SUITE)
    process = start(tmp_path, "--out", "out", "--executor", "ray", "--address", nodes.address)
    until(lambda: cells(tmp_path / "out") >= 2 or process.poll() is not None)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, err
    assert "; the same command goes on from here\n" in err
    assert len(read_all(tmp_path / "out")) >= 2


@pytest.mark.slow
def test_cluster_that_does_not_answer_or_has_no_such_device_is_reported(nodes: Nodes, tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text(SUITE)
    process = start(tmp_path, "--executor", "ray", "--address", nodes.address, "--device", "gpu")
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err.splitlines()[-1]) == (
        2,
        "vgbench: device: the Ray cluster has no gpu (there is: cpu)",
    )


@pytest.mark.parametrize(
    ("device", "size", "reported"),
    [
        ("gpu:1", 1, "device: 'gpu:1' names one device, but Ray chooses which: say cpu, gpu or tpu"),
        ("tpu", 1, r"device: the Ray cluster has no tpu \(there is: gpu, cpu\)"),
        (None, 8, "devices: 8 are asked for, and no node of the Ray cluster has so many"),
    ],
)
def test_device_that_a_cluster_cannot_give_is_reported(device: str | None, size: int, reported: str) -> None:
    with pytest.raises(InputError, match=f"^{reported}$"):
        executor._slots(Fake(), device, size)


def test_nodes_of_one_name_and_two_models_are_not_alike() -> None:
    other = replace(ORIGIN, device=replace(DEVICE, model="family 6 model 85"))
    executor._check_alike(ORIGIN, replace(ORIGIN, workers=3))
    with pytest.raises(InputError, match=r"^nodes of the Ray cluster differ in the device Chip .*\[.*\] -> Chip .*\["):
        executor._check_alike(ORIGIN, other)


class Fake:
    """What `ray.nodes` says of two nodes on one host and one that is gone."""

    def nodes(self) -> list[dict[str, Any]]:
        node = {"Alive": True, "NodeManagerAddress": "10.0.0.1", "Resources": {"CPU": 8.0, "GPU": 5.0}}
        return [node, node, {**node, "Alive": False, "NodeManagerAddress": "10.0.0.2"}]


def test_cluster_has_a_worker_for_each_group_of_devices_that_one_node_holds() -> None:
    assert executor._slots(Fake(), None, 2) == ("gpu", {"10.0.0.1": 4})
    assert executor._slots(Fake(), "cpu", 1) == ("cpu", {"10.0.0.1": 16})


@pytest.fixture
def fake_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has another process find a `ray` whose `init` does what is asked."""

    def write(body: str) -> None:
        (tmp_path / "ray.py").write_text(f"import os, time\ndef init(address, **_):\n    {body}\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return write


UNREACHABLE = r"^the Ray cluster at 'head:1' does not let this host join it: .* an address that cannot be reached"


def test_cluster_that_lets_this_host_in_is_joined(fake_ray: Callable[[str], None]) -> None:
    fake_ray("assert address == 'head:1'")
    ray_cluster._try_to_join("head:1")


def test_cluster_that_refuses_is_reported(fake_ray: Callable[[str], None]) -> None:
    fake_ray("raise ConnectionError('nobody\\n  there')")
    with pytest.raises(InputError, match=r"^no Ray cluster answers at 'head:1' \(nobody there\); "):
        ray_cluster._try_to_join("head:1")


def test_address_that_cannot_be_reached_and_ends_the_process_is_reported(fake_ray: Callable[[str], None]) -> None:
    fake_ray("os._exit(1)")
    with pytest.raises(InputError, match=UNREACHABLE):
        ray_cluster._try_to_join("head:1")


def test_address_that_cannot_be_reached_and_never_answers_is_reported_in_time(
    fake_ray: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ray_cluster._JOIN_SECONDS + ray_cluster._REACH_SECONDS < 30
    monkeypatch.setattr(ray_cluster, "_JOIN_SECONDS", 0.1)
    fake_ray("time.sleep(600)")
    with pytest.raises(InputError, match=UNREACHABLE):
        ray_cluster._try_to_join("head:1")


def test_node_that_cannot_be_reached_at_the_address_that_it_advertises_is_named() -> None:
    def node(port: int, *, alive: bool = True) -> dict[str, Any]:
        return {"Alive": alive, "NodeManagerAddress": "127.0.0.1", "NodeManagerPort": port}

    with socket.create_server(("127.0.0.1", 0)) as here, socket.create_server(("127.0.0.1", 0)) as gone:
        port, lost = here.getsockname()[1], gone.getsockname()[1]
        gone.close()
        ray_cluster.check_reachable(SimpleNamespace(nodes=lambda: [node(port), node(lost, alive=False)]))
        with pytest.raises(InputError, match=rf"at the addresses that they advertise: 127\.0\.0\.1:{lost}; "):
            ray_cluster.check_reachable(SimpleNamespace(nodes=lambda: [node(port), node(lost)]))
