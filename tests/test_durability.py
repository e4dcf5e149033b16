"""What is finished stays, whatever kills the run, and the resumed run is the uninterrupted one."""

import random
import resource
import stat
import time
from pathlib import Path

import numpy as np
import pytest
from faulty import call, install, kill, start, suite, without_privileges, workers_of

from vgbench.records import CellRecord
from vgbench.store import device_folders, read_record

CELLS = {f"seeds_{i}": f"{{ seeds = [{i}] }}" for i in range(1, 20)}
CELLS["seeds_19"] = "{ steps = 30, rates = [0.1, 0.2], tuning_seeds = [7], norm = 'batch' }"
NO_COST = "[protocol]\ntime_to_depth = 0\n"


def cells(out: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of every finished cell."""
    paths = out.glob("*/cells/*.json")
    return {path.stem: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


def measured(out: Path) -> dict[str, CellRecord]:
    (folder,) = device_folders(out)
    return {path.stem: read_record(path, CellRecord) for path in (folder.path / "cells").glob("*.json")}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in the opposite order, that nothing disturbs."""
    site = tmp_path_factory.mktemp("site")
    path = suite(site, dict(reversed(CELLS.items())), NO_COST)
    done = call(site, "run", path, "--out", site / "out")
    assert done.returncode == 0, done.stderr
    return site / "out"


@pytest.mark.parametrize("rounds", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_moments_loses_and_repeats_nothing(tmp_path: Path, uninterrupted: Path, rounds: int) -> None:
    chance = random.Random(rounds)
    path, out = suite(tmp_path, CELLS, NO_COST), tmp_path / "out"
    for turn in range(rounds):
        before = cells(out)
        process = start(tmp_path, "run", path, "--out", out)
        new = chance.randrange(3)
        while process.poll() is None and len(cells(out)) < min(len(before) + new, 20 - rounds + turn):
            time.sleep(0.001)
        time.sleep(chance.random() * (0.05 if new else 4))
        victims = [process.pid] if turn % 2 == 0 else workers_of(process.pid)
        for victim in victims:
            kill(victim)
        if turn % 2:  # the run goes on without its worker, which is replaced; now the runner, too
            time.sleep(chance.random())
            process.kill()
        process.communicate()
        after = cells(out)
        assert before.items() <= after.items()
    before = cells(out)
    done = call(tmp_path, "run", path, "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("measuring ") == 20 - len(before)
    assert before.items() <= cells(out).items()
    assert not list(out.rglob(".*.part"))
    assert len(cells(out)) == 20
    assert {record.status for record in measured(out).values()} == {"ok"}


def test_same_case_gives_the_same_bits_in_another_process_and_order(tmp_path: Path, uninterrupted: Path) -> None:
    done = call(tmp_path, "run", suite(tmp_path, CELLS, NO_COST), "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    here, there = measured(tmp_path / "out"), measured(uninterrupted)
    assert here.keys() == there.keys()
    assert sum(record.training is not None for record in here.values()) == 1
    for cell_id, record in here.items():
        for part in ("gradients", "forward", "training"):
            ours, theirs = getattr(record, part), getattr(there[cell_id], part)
            for name, value in vars(ours).items() if ours else ():
                np.testing.assert_array_equal(value, getattr(theirs, name), err_msg=f"{part} {name}")


def test_disk_that_is_full_gives_one_clear_line_and_keeps_what_is_finished(tmp_path: Path) -> None:
    mitigations = {"one": "{ seeds = [1] }", "many": f"{{ seeds = {list(range(2, 99))} }}"}
    path, out = suite(tmp_path, mitigations), tmp_path / "out"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))

    done = call(tmp_path, "run", path, "--out", out, preexec_fn=limit)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("vgbench:")]
    assert ": cannot write records here: File too large; every finished measurement is kept" in line
    assert "Traceback" not in done.stderr
    kept = cells(out)
    assert len(kept) == 2
    assert not list(out.rglob(".*.part"))
    resumed = call(tmp_path, "run", path, "--out", out)
    assert (resumed.returncode, kept.items() <= cells(out).items()) == (0, True)


def test_folder_that_is_read_only_gives_one_clear_line(tmp_path: Path) -> None:
    path, out = suite(tmp_path, {}), tmp_path / "out"
    done = call(tmp_path, "run", path, "--out", out)
    assert done.returncode == 0, done.stderr
    kept = cells(out)
    folders = [out, *(each for each in out.rglob("*") if each.is_dir())]
    for each in folders:
        each.chmod(stat.S_IRUSR | stat.S_IXUSR)
    (out / ".lock").chmod(stat.S_IRUSR)
    (tmp_path / "more").mkdir()
    refused = call(
        tmp_path,
        "run",
        suite(tmp_path / "more", {"one": "{ seeds = [1] }"}),
        "--out",
        out,
        preexec_fn=without_privileges,
    )
    for each in folders:
        each.chmod(stat.S_IRWXU)
    assert refused.returncode == 2
    (line,) = [line for line in refused.stderr.splitlines() if line.startswith("vgbench:")]
    assert ": cannot write records here: Permission denied; every finished measurement is kept" in line
    assert cells(out) == kept


def test_bit_flipped_in_a_record_is_noticed_set_aside_and_measured_again(tmp_path: Path) -> None:
    site = install(tmp_path / "site")
    path, out = suite(site, {"one": "{ seeds = [1] }"}, NO_COST), site / "out"
    assert call(site, "run", path, "--out", out).returncode == 0
    victim = sorted(out.glob("*/cells/*.npz"))[0]
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    report = call(site, "report", out)
    assert report.returncode == 2
    assert f"{victim.with_suffix('.json')}: damaged record" in report.stderr
    done = call(site, "run", path, "--out", out)
    assert done.returncode == 0
    assert "its content does not match its digest" in done.stderr
    assert done.stderr.count("measuring ") == 1
    assert victim.with_suffix(".npz.damaged").exists()
    assert call(site, "report", out).returncode == 0
