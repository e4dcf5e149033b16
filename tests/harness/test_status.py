"""How a run stands, read by somebody else without disturbing it."""

import dataclasses
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock
from helpers.small_runs import CASES, DEVICES, contents, spoil_manifest, write_run
from typer.testing import CliRunner

from vgbench.cli import app
from vgbench.errors import InputError
from vgbench.harness import run_lock as lock
from vgbench.harness.progress import Progress
from vgbench.harness.run_lock import is_locked, lock_run, read_note, read_status
from vgbench.measure.cost import cost_id
from vgbench.records.runs import read_runs
from vgbench.records.store import Folder, device_folders

HOLD = """
import sys
from pathlib import Path
from vgbench.harness.run_lock import lock_run
from vgbench.harness.progress import Progress
with lock_run(Path(sys.argv[1])) as lock:
    lock.note("measuring it", Progress(1, 0, 3, 60.0))
    print("here", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", {0: ("ok", 1.0), 1: ("timeout", 1.0), 2: ("ok", 1.0)}, costs=[0])


def folder_of(root: Path) -> Folder:
    (folder,) = device_folders(root)
    return folder


def test_measurements_are_counted_by_how_they_ended(run: Path) -> None:
    folder_of(run).cell(CASES[2].cell_id).write_text("{")
    before = contents(run)
    status = read_status(run)
    assert [device.counts for device in status.devices] == [
        {"ok": 1, "timeout": 1, "damaged": 1, "crashed": 1, "missing": 2}
    ]
    assert (status.at_work, status.note) == (False, None)
    assert contents(run) == before


def test_devices_of_one_name_are_distinguished(run: Path) -> None:
    known = dataclasses.replace(DEVICES[0], model="family 6 model 85")
    write_run(run, {0: ("ok", 1.0)}, device=known)
    lines = CliRunner().invoke(app, ["status", str(run)]).output.splitlines()
    assert [line.partition(":")[0] for line in lines[:2]] == [
        "tiny on Xeon (2 CPU cores) [model unknown]",
        f"tiny on Xeon (2 CPU cores) [{known.code}]",
    ]


def test_record_under_another_cells_name_is_damaged(run: Path) -> None:
    cells = folder_of(run)
    shutil.copy(cells.cell(CASES[0].cell_id), cells.cell(CASES[2].cell_id))
    (device,) = read_status(run).devices
    assert device.counts == {"ok": 1, "timeout": 1, "damaged": 1, "crashed": 1, "missing": 2}
    with pytest.raises(InputError, match=rf"damaged record \(it is the record of {CASES[0].cell_id}, under another"):
        read_runs(run)


def test_cost_under_another_pairs_name_is_damaged(run: Path) -> None:
    folder = folder_of(run)
    first, second = (cost_id(CASES[i], CASES[0]) for i in (0, 1))
    shutil.copy(folder.cost(first), folder.cost(second))
    with pytest.raises(InputError, match=rf"damaged record \(it is the record of {first}, under another"):
        read_runs(run)
    spoil_manifest(run, cost_id=second)
    for read in (read_runs, read_status):
        with pytest.raises(InputError, match=rf"manifest\.json: row 0 names '{second}', the cost of another pair$"):
            read(run)


def test_run_at_work_is_seen_from_outside_with_what_it_does(run: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(run)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "here\n"
        status = read_status(run)
        with (
            pytest.raises(InputError, match=rf"another run is at work here \(process {holder.pid}, since "),
            lock_run(run),
        ):
            pass
        holder.communicate()
    assert status.at_work
    assert status.note is not None
    assert (status.note.pid, status.note.now) == (holder.pid, "measuring it")
    assert str(status.note.progress) == "1 of 4 done, about 1 min left"
    assert not is_locked(run)


def test_status_that_looks_while_a_run_starts_does_not_stop_it(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looking = FileLock(run / ".lock", thread_local=False)
    looking.acquire()
    tried = threading.Event()
    sleep = time.sleep

    def slept(seconds: float) -> None:
        tried.set()
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", slept)
    monkeypatch.setattr(lock, "_PATIENCE_SECONDS", 600.0)
    ending = threading.Thread(target=lambda: (tried.wait(), looking.release(force=True)))
    ending.start()
    with lock_run(run):
        assert tried.is_set()
    ending.join()


def test_two_that_look_at_a_time_do_not_take_each_other_for_a_run(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looking = FileLock(run / ".lock", thread_local=False)
    looking.acquire()
    monkeypatch.setattr(lock, "_ASKED_SECONDS", 600.0)
    monkeypatch.setattr(time, "sleep", lambda seconds: looking.release(force=True))
    assert not is_locked(run)


def test_run_that_was_stopped_leaves_word_of_what_it_did(run: Path) -> None:
    def stopped() -> None:
        with lock_run(run) as lock:
            lock.note("measuring it", Progress(1, 0, 3, None))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    status = read_status(run)
    assert (status.at_work, status.note and status.note.now) == (False, "measuring it")


def test_run_that_starts_has_no_records_yet(tmp_path: Path) -> None:
    with lock_run(tmp_path):
        status = read_status(tmp_path)
    assert (status.devices, status.at_work) == ((), True)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"pid": 3}', "\x00", '{"progress": {"done": 1}}'])
def test_note_that_is_rubbish_is_no_note(tmp_path: Path, content: str) -> None:
    (tmp_path / "running.json").write_text(content)
    assert read_note(tmp_path) is None


def test_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(str(tmp_path))}: no records here"):
        read_status(tmp_path)


def test_note_names_this_process(tmp_path: Path) -> None:
    with lock_run(tmp_path) as lock:
        lock.note("measuring it", Progress(0, 0, 1, None))
        note = read_note(tmp_path)
    assert note is not None
    assert note.pid == os.getpid()
    assert not (tmp_path / "running.json").exists()
