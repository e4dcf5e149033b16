"""Faults through the real command line: each costs the one cell that it happens in, and is reported by its name."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from helpers.faulty import call, install, kill, start, suite, workers_of
from helpers.waiting import until

from vgbench.records.store import device_folders

EXPECTED = {
    "baseline": ("ok", ""),
    "too_big": ("out_of_memory", "Out of memory"),
    "exits": ("crashed", "SystemExit: 3"),
    "hangs": ("timeout", "stopped after 20 seconds (see --timeout)"),
    "nan": ("nonfinite", "activations are not finite from layer 1"),
    "uncompilable": ("compile_error", "no_such_target"),
    "dies": ("crashed", "the worker was ended by SIGKILL; if nobody did, the system may have run out of memory"),
    "leaves": ("crashed", "the worker ended with exit code 0"),
}
MITIGATIONS = {"too_big": "{ width = 60000 }"} | {
    name: f'{{ activation = "{name}" }}' for name in EXPECTED if name not in ("baseline", "too_big")
}


def records(out: Path, kind: str) -> dict[str, dict[str, Any]]:
    """A run's records of one kind by name of the mitigation; as JSON, since the plug-in is not installed here."""
    found = [json.loads(path.read_text())["record"] for path in out.glob(f"*/{kind}s/*.json")]
    return {_name(record["case"]): record for record in found}


def _name(case: dict[str, Any]) -> str:
    name = case["activation"]["name"]
    return "too_big" if case["width"] > 4 else "baseline" if name == "relu" else name


@pytest.mark.slow
def test_every_fault_costs_its_own_cell_alone(tmp_path: Path) -> None:
    """One run in which everything goes wrong but one cell: it is long, so that all that it shows is checked here."""
    site, out = install(tmp_path / "site"), tmp_path / "site" / "out"
    done = call(
        site,
        "run",
        suite(site, MITIGATIONS),
        "--out",
        out,
        "--timeout",
        "20",
        "--memory-limit",
        "3",
        "--precision",
        "1",
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    check_outcomes(records(out, "cell"))
    check_table((out / "table.md").read_text())
    check_costs(records(out, "cost"))
    check_that_json_is_strict(out)
    check_that_failures_stay_until_they_are_asked_for(site, out)


def check_outcomes(cells: dict[str, dict[str, Any]]) -> None:
    assert cells.keys() == EXPECTED.keys()
    for name, (status, reason) in EXPECTED.items():
        assert cells[name]["status"] == status, (name, cells[name]["reason"])
        assert reason in cells[name]["reason"]
        assert "\n" not in cells[name]["reason"]
    attempts = {name: cell["attempts"] for name, cell in cells.items()}
    assert attempts == {**dict.fromkeys(EXPECTED, 1), "dies": 2, "leaves": 2}  # where the worker died


def check_table(page: str) -> None:
    for name, (status, reason) in EXPECTED.items():
        if status != "ok":
            assert f"({status})" in next(line for line in page.splitlines() if line.startswith("|") and name in line)
            (line,) = [line for line in page.splitlines() if line.startswith(f"- {name}: {status}: ")]
            assert reason in line


def check_costs(costs: dict[str, dict[str, Any]]) -> None:
    reported = {name: (cost["status"], cost["reason"]) for name, cost in costs.items()}
    assert reported["baseline"] == reported["nan"] == ("ok", "")
    assert reported["hangs"] == ("skipped", "it could not be measured (timeout)")
    assert [status for status, _ in reported.values()].count("skipped") == 6


def check_that_json_is_strict(out: Path) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    (folder,) = device_folders(out)
    for path in folder.path.rglob("*.json"):
        json.loads(path.read_text(), parse_constant=refuse)


def check_that_failures_stay_until_they_are_asked_for(site: Path, out: Path) -> None:
    again = call(site, "run", site / "faults.toml", "--out", out, "--strict")
    assert again.returncode == 1
    assert again.stderr == (
        "16 of 16 measurements are there already\n12 of them failed (--retry-failed repeats those)\n"
    )
    path = suite(site, {"exits": '{ activation = "exits" }'})
    retried = call(site, "run", path, "--out", out, "--retry-failed")
    assert "measuring exits (2 of 4 done" in retried.stderr
    assert "measuring baseline" not in retried.stderr
    assert records(out, "cell")["exits"]["attempts"] == 2


@pytest.fixture
def hanging(tmp_path: Path) -> tuple[subprocess.Popen[str], Path]:
    """A run whose worker hangs in its second cell."""
    site = install(tmp_path / "site")
    path = suite(site, {"hangs": '{ activation = "hangs" }'})
    process = start(site, "run", path, "--out", site / "out", "--precision", "1")
    note = site / "out" / "running.json"
    until(lambda: note.exists() and "measuring hangs" in note.read_text())
    return process, site


def test_second_run_is_refused_status_tells_and_ctrl_c_twice_ends_at_once(
    hanging: tuple[subprocess.Popen[str], Path],
) -> None:
    process, site = hanging
    reported = call(site, "status", "out").stdout
    assert f"running (process {process.pid}, since " in reported
    assert ": measuring hangs since " in reported
    second = call(site, "run", site / "faults.toml", "--out", site / "out")
    assert second.returncode == 2
    assert second.stderr.startswith(f"vgbench: {site / 'out'}: another run is at work here (process {process.pid}, ")

    (worker,) = workers_of(process.pid)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopping after the current measurement; press Ctrl-C again to stop at once\n" in err
    assert err.splitlines()[-1].startswith("vgbench: stopped with 1 of 4 done, ")
    assert err.endswith("; the same command goes on from here\n")
    assert not Path(f"/proc/{worker}").exists()
    assert len(records(site / "out", "cell")) == 1


@pytest.mark.slow
def test_sigterm_ends_at_once(hanging: tuple[subprocess.Popen[str], Path]) -> None:
    process, _ = hanging
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "vgbench: stopped with 1 of 4 done, " in err


def test_worker_ends_with_its_runner(hanging: tuple[subprocess.Popen[str], Path]) -> None:
    process, site = hanging
    (worker,) = workers_of(process.pid)
    kill(process.pid)
    process.communicate()
    until(lambda: not Path(f"/proc/{worker}").exists())
    assert "not running; the last run was stopped while measuring hangs" in call(site, "status", "out").stdout


SCRIPT = """
import vgbench as vg
from jax._src.xla_bridge import backends_are_initialized
{guard}
    folder = vg.run("faults.toml", "out", precision=1.0)
    print("initialised:", backends_are_initialized())
    vg.write_report(folder)
"""


@pytest.mark.parametrize("guard", ["if __name__ == '__main__':", pytest.param("if True:", marks=pytest.mark.slow)])
def test_runner_never_starts_a_device_and_a_script_without_a_guard_is_reported(tmp_path: Path, guard: str) -> None:
    suite(tmp_path, {})
    (tmp_path / "script.py").write_text(SCRIPT.format(guard=guard))
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    if "name" in guard:
        assert (done.returncode, done.stdout) == (0, "initialised: False\n"), done.stderr
    else:
        assert done.returncode == 1
        assert "a script calls vgbench.run under `if __name__ == '__main__':`" in done.stderr
