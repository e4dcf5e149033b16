"""Records from anybody: what they say is refused or reported in one line, and nothing that they name is read or run."""

import faulthandler
import json
import os
import re
import shutil
import signal
import struct
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.command_line import vgbench
from helpers.forged import Change, changes, forge, pack, rename, sign
from helpers.made import DEVICE, measured, write_run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vgbench.boundary import archive
from vgbench.errors import InputError, OtherVersionError
from vgbench.harness.run_lock import read_note
from vgbench.records.runs import read_runs
from vgbench.records.schema import CellRecord, CostRecord, Manifest
from vgbench.records.store import COMPRESSED, Folder, read_record, write_record
from vgbench.spec.case import Case
from vgbench.spec.claim import Claim

RESULTS = Path(__file__).parents[2] / "results"
FORMS: dict[str, type[CellRecord | CostRecord]] = {"cells": CellRecord, "costs": CostRecord}
CASES = [
    Case(depth=3, width=4, seeds=(0, 1), learning_rates=(0.1, 0.2), init=init)
    for init in ("glorot_normal", "he_normal")
]
CLAIM: dict[str, Any] = {
    "sentence": "It trains",
    "hypothesis": "More than half is right",
    "statistic": "test_accuracy",
    "cells": [{"mitigation": "he", "at": {"depth": 3}, "reference": "baseline"}],
    "rule": {"above": 0.5},
}
CPU_SECONDS = 5
Limit = Callable[[], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two cells that train and a recurrent one that does not, each timed, with a claim."""
    recurrent = Case(model="recurrent", cell="lstm", depth=3, width=4, seeds=(0, 1))
    cells = [
        *(("baseline" if not i else "he", measured(case)) for i, case in enumerate(CASES)),
        ("lstm", measured(recurrent, None)),
    ]
    out = write_run(tmp_path_factory.mktemp("whole") / "run", cells)
    path = Folder(out / DEVICE.slug).manifest
    write_record(path, replace(read_record(path, Manifest), claims=(Claim(**CLAIM),)))
    return out


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


@pytest.fixture
def lone(whole: Path, tmp_path: Path) -> Path:
    """The record of a cell in two files, under a name that says nothing of what it holds."""
    path = tmp_path / "cell.json"
    for suffix in (".json", ".npz"):
        if cell_of(whole).with_suffix(suffix).exists():
            shutil.copy(cell_of(whole).with_suffix(suffix), path.with_suffix(suffix))
    forge(path, unchanged)
    return path


def unchanged(body: Any, arrays: dict[str, np.ndarray]) -> None:
    """Change nothing."""


def cell_of(run: Path) -> Path:
    return Folder(run / DEVICE.slug).cell(measured(CASES[0]).case.cell_id)


def refusal(path: Path, form: type = CellRecord) -> str:
    """The one line with which a record is refused, from its place on."""
    with pytest.raises(InputError) as refused:
        read_record(path, form)
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < 1000
    return message.removeprefix(f"{path}: ")


class LateError(BaseException):
    """No error that a command could take for one of its own."""


@contextmanager
def limited() -> Iterator[None]:
    """At most `CPU_SECONDS` of work, whatever else the machine does; a trace of where a process waits for good."""

    def late(*_: object) -> None:
        raise LateError(f"over {CPU_SECONDS} seconds of work")

    before = signal.signal(signal.SIGPROF, late)
    faulthandler.dump_traceback_later(120, exit=True)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGPROF, before)


def check_commands(run: Path, forms: str, limit: Limit = nullcontext) -> None:
    """Every command that reads records says what they hold, or in one line what is wrong with them."""
    merged = run.parent / "merged"
    commands: list[list[str | Path]] = [
        *(["report", run, "--format", forms], ["status", run], ["compare", run, run], ["diagnose", run]),
        *(["merge", merged, run], ["theory", run]),
    ]
    for command in commands:
        with limit():
            ended = vgbench(*command)
        if ended.code != 0:
            assert ended.code == 2, command
            assert re.fullmatch(r"vgbench: .*\n", ended.err), (command, ended.err)


def check_forged(whole: Path, record: int, change: Change, forms: str, limit: Limit = nullcontext) -> None:
    with tempfile.TemporaryDirectory() as place:
        run = Path(shutil.copytree(whole, Path(place) / "run"))
        records = sorted(run.glob("*/**/*.json"))
        chosen = records[record % len(records)]
        with suppress(ValueError, TypeError):  # what cannot be written is left as it was
            forge(chosen, change)
        if chosen.parent.name == "cells":
            with suppress(KeyError, ValueError, TypeError, AttributeError):  # nor can what is no case have a name
                rename(chosen)
        check_commands(run, forms, limit)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.integers(0, 11), changes())
def test_forged_record_is_refused_in_a_line_or_reported(whole: Path, record: int, change: Change) -> None:
    check_forged(whole, record, change, "md,csv,latex")


@pytest.mark.slow
@settings(max_examples=1000, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.integers(0, 11), changes())
def test_a_thousand_forged_records_are_refused_in_a_line_or_reported_at_once(
    whole: Path, record: int, change: Change
) -> None:
    check_forged(whole, record, change, "md,csv,latex,html", limited)


@pytest.mark.slow
def test_every_published_record_is_read() -> None:
    read = [
        read_record(path, FORMS.get(path.parent.name, Manifest))
        for path in sorted(each for end in ("", COMPRESSED) for each in RESULTS.glob(f"*/*/**/*.json{end}"))
        if path.name == "manifest.json" or path.parent.name in FORMS
    ]
    assert len(read) > 400


def test_a_published_run_is_read() -> None:
    assert all(entry.cell and entry.cost for run in read_runs(RESULTS / "quickstart") for entry in run.entries)


def at(place: str, value: Any) -> Change:
    """A change of one field."""

    def change(body: Any, arrays: dict[str, np.ndarray]) -> None:
        *holders, name = place.split(".")
        for holder in holders:
            body = body[holder]
        body[name] = value

    return change


def without(part: str) -> Change:
    """A change that leaves out a measurement and its arrays."""

    def change(body: Any, arrays: dict[str, np.ndarray]) -> None:
        body[part] = None
        for name in [name for name in arrays if name.startswith(f"{part}.")]:
            del arrays[name]

    return change


def array(name: str, value: Any) -> Change:
    """A change of one array."""

    def change(body: Any, arrays: dict[str, np.ndarray]) -> None:
        arrays[name] = value(arrays[name])

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (at("attempts", "1"), "attempts: Input should be a valid integer"),
        (at("attempts", True), "attempts: Input should be a valid integer"),
        (at("attempts", -1), "attempts: Input should be greater than or equal to 0"),
        (at("seconds", {"$float": "nan"}), "seconds: Input should be a finite number"),
        (at("started", "yesterday"), "started: Invalid isoformat string: 'yesterday'"),
        (at("status", "fine"), "status: Input should be 'ok', "),
        (at("case.seeds", [0, -1]), "case.seeds.1: Input should be greater than or equal to 0"),
        (at("case.seeds", [0]), "1 seeds in the case, but 2 in log10_activation_norm"),
        (at("case.depth", 10**9), "1000000000 depth in the case, but 3 in log10_activation_norm"),
        (at("case.depth", 10**10), "case.depth: Input should be less than 2147483648"),
        (at("gradients.states", ["c"]), "1 states in the case, but 0 in log10_state_norm"),
        (without("gradients"), "status 'ok' with missing or surplus measurements"),
        (without("training"), "status 'ok' with missing or surplus measurements"),
        (at("training.learning_rate", 0.3), "training: learning rates or target differ"),
        (at("training.metric.better", "lower"), "training: accuracy is not better where it is lower"),
        (at("training.metric.better", "nearer"), "training.metric.better: Input should be 'higher' or 'lower'"),
        (at("training.chance", 1.5), "training: chance: 1.5 is no accuracy"),
        (at("gradients.smallest_normal", 0), "gradients.smallest_normal: Input should be greater than 0"),
        (at("provenance.source", {"cell": "f"}), "provenance.source: needs digests of cell, cost"),
        (array("training.loss", lambda loss: loss[:, :-1]), "50 steps in the case, but 49 in loss"),
        (
            array("training.loss", lambda loss: loss.astype(int)),
            "training.loss: int64[2, 50] is not Float[seeds, steps]",
        ),
        (array("training.loss", lambda loss: loss[0]), "training.loss: float32[50] is not Float[seeds, steps]"),
        (
            array("training.step", lambda step: step[::-1]),
            "training: step does not increase to the 50 steps of the case",
        ),
        (array("training.test_metric", lambda each: each * np.nan), "training.test_metric: an entry is nan"),
        (array("training.test_metric", lambda each: each + 1), "training: test_metric: 1.95 is no accuracy"),
        (
            array("training.snapshots.gradient_histogram", lambda each: -each),
            "training.snapshots.gradient_histogram: an entry is -1",
        ),
        (
            array("training.snapshots.gradient_histogram", lambda each: each[..., :9]),
            "256 bins in the case, but 9 in gradient_",
        ),
        (
            array("training.snapshots.zero_share", lambda each: each - 1),
            "training.snapshots.zero_share: an entry is -1",
        ),
    ],
)
def test_field_that_is_not_what_the_schema_says_is_named(lone: Path, change: Change, message: str) -> None:
    forge(lone, change)
    said = refusal(lone)
    assert said.startswith("not a valid record (")
    assert message in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda body, _: body["rows"][0].update(cell_id="../../../etc/passwd"), "rows.0.cell_id: String should match"),
        (at("rows", {}), "rows: Input should be a valid tuple"),
        (lambda body, _: body["rows"][0]["axes"].update(verdict=1), "unknown axis 'verdict'"),
        (lambda body, _: body["rows"][0].update(axes={"depth": {"a": 1}}), "rows.0.axes.depth"),
        (lambda body, _: body["provenance"]["device"].update(count=0), "provenance.device.count"),
    ],
)
def test_manifest_that_names_what_it_may_not_is_refused(run: Path, change: Change, message: str) -> None:
    path = Folder(run / DEVICE.slug).manifest
    forge(path, change)
    assert message in refusal(path, Manifest)


@pytest.mark.parametrize("change", [at("extra", 1), lambda body, _: body.pop("attempts"), at("case.model", "future")])
def test_other_fields_and_members_are_another_versions(lone: Path, change: Change) -> None:
    forge(lone, change)
    with pytest.raises(OtherVersionError, match="written by another version of vgbench"):
        read_record(lone, CellRecord)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"digest": "0", "digest": "1", "record": {}}', "two fields have the name 'digest'"),
        ('{"digest": "0", "record": 1' + "0" * 30 + "}", "an integer of more than 64 bits"),
        ('{"digest": "0", "record": 1' + "0" * 5000 + "}", "an integer of more than 64 bits"),
        ('{"digest": "0", "record": 1e999}', "a number beyond the range of float64"),
        ('{"digest": "0", "record": NaN}', "NaN is not JSON"),
        ('{"digest": "0", "record": ' + "[" * 40 + "]" * 40 + "}", "values are nested more than 32 levels deep"),
        ('{"digest": "0", "record": ' + "[" * 10**5 + "]" * 10**5 + "}", "values are nested more than 32 levels deep"),
        ('{"digest": "0", "record": "\\ud800"}', "surrogates not allowed"),
    ],
)
def test_json_that_means_several_things_or_nothing_is_refused(lone: Path, text: str, message: str) -> None:
    lone.write_text(text)
    said = refusal(lone)
    assert said.startswith("damaged record (")
    assert message in said


def bomb(member: str, declared: int | None) -> bytes:
    """An archive of one array of zeros that says it is another size than it is."""
    packed = bytearray(pack({member: np.zeros(10**6)}))
    if declared is not None:
        start = packed.rindex(b"PK\x01\x02")
        packed[start + 24 : start + 28] = struct.pack("<I", declared)
    return bytes(packed)


def stored(names: list[str], content: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of these members, whatever they hold."""
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", method) as packed:
            for name in names:
                packed.writestr(name, content)
        file.seek(0)
        return file.read()


HEAD = b"\x93NUMPY\x01\x00v\x00"


def npy(head: bytes, content: bytes = b"") -> bytes:
    return HEAD + head.ljust(117) + b"\n" + content


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        (bomb("a", 2**31), "its arrays take more than"),
        (bomb("a", 160), "its arrays cannot be unpacked: Bad CRC-32"),
        (stored(["a.npy"], b"\x80\x04."), "'a.npy' is not an array of numbers"),
        (stored(["a"], pack({"a": np.ones(2)})), "'a' is not an array of numbers"),
        (
            stored(["a.npy"], npy(b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }")),
            "is not an array of numbers",
        ),
        (
            stored(["a.npy"], npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (__import__('os'),), }")),
            "is not an a",
        ),
        (
            stored(["a.npy"], npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }", b"x" * 8)),
            "is not an array",
        ),
        (
            stored(["a.npy"], npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", b"x" * 8)),
            "does not match",
        ),
        (
            stored(["a.npy"], npy(b"{'descr': '|b1', 'fortran_order': False, 'shape': (1,), }", b"\x07")),
            "does not match",
        ),
        (
            stored(
                ["a.npy"], npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999, 999999999999), }")
            ),
            "h",
        ),
        (b"PK", "File is not a zip file"),
    ],
)
def test_archive_that_is_not_what_it_says_is_refused(lone: Path, packed: bytes, message: str) -> None:
    body = json.loads(lone.read_text())["record"]
    sign(lone, body, packed)
    said = refusal(lone)
    assert said.startswith("damaged record (")
    assert message in said


def test_arrays_of_one_name_are_refused(lone: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        packed = stored(["a.npy", "a.npy"], b"")
    sign(lone, json.loads(lone.read_text())["record"], packed)
    assert "two arrays have the same name" in refusal(lone)


def test_array_that_is_named_in_the_place_of_another_is_damage(lone: Path) -> None:
    forge(lone, at("gradients.log10_activation_norm", {"$array": "training.loss"}))
    assert refusal(lone) == "damaged record (gradients.log10_activation_norm: names an array that is missing)"


def test_more_arrays_than_the_record_has_are_refused(lone: Path) -> None:
    forge(lone, lambda body, arrays: arrays.update(more=np.ones(3)))
    assert "no field holds the array 'more'" in refusal(lone)


@pytest.mark.parametrize("place", range(0, 400, 7))
def test_flipped_bit_of_a_signed_archive_is_damage(lone: Path, place: int) -> None:
    def flip(packed: bytes) -> bytes:
        return packed[:place] + bytes([packed[place] ^ 4]) + packed[place + 1 :]

    whole = read_record(lone, CellRecord)
    forge(lone, lambda *_: None, flip)
    try:
        read = read_record(lone, CellRecord)
    except InputError:
        assert re.match(r"(damaged|not a valid) record \(", refusal(lone))
    else:  # the bit was of a date, or of what else says nothing in an archive
        assert read.training is not None
        assert whole.training is not None
        np.testing.assert_array_equal(read.training.loss, whole.training.loss)


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_pipe_is_refused_and_not_waited_for(run: Path, suffix: str) -> None:
    cell = cell_of(run)
    forge(cell, unchanged)
    file = cell.with_suffix(suffix)
    file.unlink()
    os.mkfifo(file)
    assert refusal(cell_of(run)) == f"damaged record ({file.name} is not a regular file)"
    check_commands(run, "md")


@pytest.mark.parametrize("suffix", [".json", ".npz"])
@pytest.mark.parametrize("target", ["/dev/zero", "elsewhere"])
def test_link_out_of_the_folder_is_refused(run: Path, suffix: str, target: str) -> None:
    cell = cell_of(run)
    forge(cell, unchanged)
    file = cell.with_suffix(suffix)
    outside = run.parent / "elsewhere"
    shutil.copy(file, outside)
    file.unlink()
    file.symlink_to(outside if target == "elsewhere" else target)
    assert refusal(cell).startswith(f"damaged record ({file.name} is ")


def test_folder_that_is_a_link_out_of_the_run_is_refused(run: Path) -> None:
    cell = cell_of(run)
    shutil.move(cell.parent, run.parent / "moved")
    cell.parent.symlink_to(run.parent / "moved")
    assert "is a link that leads out of the folder" in refusal(cell)


def test_link_within_the_run_is_followed(run: Path) -> None:
    path = cell_of(run)
    forge(path, unchanged)
    path.with_suffix(".npz").rename(path.with_name("kept.npz"))
    path.with_suffix(".npz").symlink_to("kept.npz")
    assert read_record(path, CellRecord).status == "ok"


def test_pipe_in_place_of_the_note_is_no_note(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "running.json")
    assert read_note(tmp_path) is None


def test_files_that_a_record_names_are_not_read(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret.npz"
    secret.write_bytes(b"secret")
    monkeypatch.setattr("vgbench.spec.case.fingerprint", lambda path: pytest.fail(f"{path} was read"))
    forge(cell_of(run), at("case.data", {"name": "npz", "path": str(secret), "digest": "", "split_seed": 0}))
    data: Any = read_record(rename(cell_of(run)), CellRecord).case.data
    assert (data.path, data.digest) == (str(secret), "")
    check_commands(run, "md,html")


def test_modules_that_a_record_names_are_not_imported(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil_net.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("VGBENCH_ALLOW_IMPORTS", "1")
    forge(cell_of(run), at("case.model", {"name": "imported", "build": "evil_net:build"}))
    assert read_record(rename(cell_of(run)), CellRecord).case.model.name == "imported"
    check_commands(run, "md,html")
    assert "evil_net" not in sys.modules


def test_arrays_beyond_the_limit_are_refused_before_they_are_read(lone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LARGEST", 1 << 10)
    assert "its arrays take more than 0 MiB" in refusal(lone)
