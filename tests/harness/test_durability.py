"""What is finished stays, whatever kills the run, and the resumed run is the uninterrupted one."""

import random
import resource
import stat
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from helpers.command_line import vgbench
from helpers.faulty import call, kill, start, suite, without_privileges, workers_of
from helpers.inline import Inline

from vgbench.errors import InputError
from vgbench.harness import runner
from vgbench.records.schema import CellRecord
from vgbench.records.store import device_folders, read_record
from vgbench.report import write_report

CELLS = {f"target_{i}": f"{{ target = 0.{i:02} }}" for i in range(1, 20)}
CELLS["target_19"] = "{ steps = 30, learning_rates = [0.1, 0.2], tuning_seeds = [7], norm = 'batch' }"
NO_COST = "[protocol]\ntime_to_depth = 0\n"


def cells(out: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of every finished cell."""
    paths = out.glob("*/cells/*.json")
    return {path.stem: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


def measured(out: Path) -> dict[str, CellRecord]:
    (folder,) = device_folders(out)
    return {path.stem: read_record(path, CellRecord) for path in (folder.path / "cells").glob("*.json")}


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [3, 20])
def test_killed_at_random_moments_loses_and_repeats_nothing_and_ends_with_the_same_bits(
    tmp_path: Path, rounds: int
) -> None:
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
    (tmp_path / "reversed").mkdir()
    path = suite(tmp_path / "reversed", dict(reversed(CELLS.items())), NO_COST)
    done = call(tmp_path, "run", path, "--out", tmp_path / "uninterrupted")
    assert done.returncode == 0, done.stderr
    check_that_bits_are_the_same(measured(out), measured(tmp_path / "uninterrupted"))


def check_that_bits_are_the_same(here: dict[str, CellRecord], there: dict[str, CellRecord]) -> None:
    """Another process and another order change neither profile nor curve."""
    assert here.keys() == there.keys()
    assert sum(record.training is not None for record in here.values()) == 1
    for cell_id, record in here.items():
        ours, theirs = asdict(record), asdict(there[cell_id])
        for part in ("gradients", "forward", "training"):
            np.testing.assert_equal(ours[part], theirs[part], err_msg=part)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A suite with a cell that the finished run beside it has not, and that run."""
    monkeypatch.setattr(runner, "Local", Inline)
    out = runner.run(suite(tmp_path, {"one": "{ target = 0.1 }"}, NO_COST), tmp_path / "out")
    write_report(out)
    many = f"{{ target = 0.2, seeds = {list(range(20, 99))} }}"
    return suite(tmp_path, {"one": "{ target = 0.1 }", "many": many}, NO_COST), out


def only_line(stderr: str) -> str:
    (line,) = [line for line in stderr.splitlines() if line.startswith("vgbench:")]
    assert "Traceback" not in stderr
    return line


def test_disk_that_is_full_gives_one_clear_line_and_keeps_what_is_finished(run: tuple[Path, Path]) -> None:
    path, out = run
    kept = cells(out)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (7000, 7000))

    done = call(out.parent, "run", path, "--out", out, preexec_fn=limit)
    assert done.returncode == 2
    assert ": cannot write records here: File too large; every finished measurement is kept" in only_line(done.stderr)
    assert cells(out) == kept
    assert not list(out.rglob(".*.part"))


def test_folder_that_is_read_only_gives_one_clear_line(run: tuple[Path, Path]) -> None:
    path, out = run
    kept = cells(out)
    folders = [out, *(each for each in out.rglob("*") if each.is_dir())]
    for each in folders:
        each.chmod(stat.S_IRUSR | stat.S_IXUSR)
    (out / ".lock").chmod(stat.S_IRUSR)
    refused = call(out.parent, "run", path, "--out", out, preexec_fn=without_privileges)
    for each in folders:
        each.chmod(stat.S_IRWXU)
    assert refused.returncode == 2
    assert ": cannot write records here: Permission denied; every finished" in only_line(refused.stderr)
    assert cells(out) == kept


def test_bit_flipped_in_a_record_is_noticed_set_aside_and_measured_again(run: tuple[Path, Path]) -> None:
    path, out = run
    victim = sorted(out.glob("*/cells/*.json"))[0]
    content = bytearray(victim.read_bytes())
    content[len(content) * 3 // 4] ^= 1  # in the arrays
    victim.write_bytes(content)
    with pytest.raises(InputError, match=f"^{victim}: damaged record"):
        write_report(out)
    done = vgbench("run", path, "--out", out)
    assert done.code == 0
    assert f"{victim}: damaged record" in done.err
    assert done.err.count("measuring ") == 2
    assert victim.with_suffix(".json.damaged").exists()
    assert len(measured(out)) == 3
