"""Input at the edges, through every verb of the command line: one line and exit code 2, and no wrong answer."""

import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from helpers.command_line import TINY, vgbench
from helpers.inline import Instant
from pydantic import ValidationError

from vgbench.cli.log import Log
from vgbench.cli.progress import ProgressBar
from vgbench.errors import InputError
from vgbench.harness import runner
from vgbench.harness.shard import read_shard
from vgbench.records.provenance import find_device
from vgbench.spec.case import Case
from vgbench.spec.suite import Suite, read_suite

LONG = "a" * 300
UNREADABLE = rf"{LONG}.*: (File name too long|no records here .*)$"
"""From Python 3.13 on, looking for files in a folder passes over names that are too long."""
DIGITS = "9" * 5000
RUN = ("run", "tiny.toml", "--dry-run")
NO_PART = r"shard: .* is no part i/n of n, such as 1/4 for the first of four \(up to 4/4\)$"
NO_RANGE = r".*: is not LOW:HIGH, two numbers from 0 to 1000 such as 0.5:2$"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(TINY)
    return tmp_path


def setting(*texts: str) -> tuple[str, ...]:
    return (*RUN, *(part for text in texts for part in ("--set", text)))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((*RUN, "--timeout", "inf"), r"--timeout inf: is not a finite number$"),
        *(
            ((*RUN, "--shard", text), NO_PART)
            for text in (f"1/{DIGITS}", f"{DIGITS}/1", "\uff11/\uff14", "", " 1/4", "1/4\n", "1/2/3")
        ),
        (setting("depth=8\nsteps=0"), r"suite 'tiny', baseline: depth: Input should be a valid integer$"),
        (setting("depth=8]\nsteps=[0"), r"--set depth=8\] steps=\[0: needs the values of one field alone$"),
        (setting("=8\nx"), r"--set =8 x: needs FIELD=VALUE, with further values after commas$"),
        (setting("depth=8] #"), r"suite 'tiny', baseline: depth: Input should be a valid integer$"),
        (setting("depth=" + "[" * 5000), r"--set depth=\[{28}\.\.\.: is nested too deeply$"),
        (setting("init=" + "{name=" * 500), r"--set init=.*\.\.\.: is nested too deeply$"),
        (
            setting("init=" + "[" * 90 + "]" * 90),
            r"suite 'tiny', baseline: init: init takes a name or a table .*\.\.\.",
        ),
        (
            setting("depth=2", "depth=3"),
            r"--set depth=3: depth is set already; write all its values in one --set, after",
        ),
        (setting(f"depth={DIGITS}"), r"suite 'tiny', baseline: depth: Input should be a valid integer$"),
        (setting("depth=\uff11"), r"suite 'tiny', baseline: depth: Input should be a valid integer$"),
        *(
            (setting(f"seeds={seed}"), r"suite 'tiny', baseline: seeds\.0: Input should be [^\n]+$")
            for seed in ("-1", "x", 2**32)
        ),
        (setting("learning_rates=nan"), r"suite 'tiny', baseline: learning_rates\.0: Input should be a finite number$"),
        (setting(f"data=npz:{LONG}"), rf"suite 'tiny', baseline: data: {LONG}: cannot be read: File name too long$"),
        (("run", "tiny.toml", "--out", LONG), rf".*{LONG}.*: cannot write records here: File name too long"),
        (("run", "tiny.toml", "--log-file", LONG), rf"--log-file {LONG}: cannot be written: File name too long$"),
        (("run", f"{LONG}.toml"), rf"{LONG}\.toml: cannot read this suite: File name too long$"),
        *(((verb, LONG), UNREADABLE) for verb in ("status", "report", "diagnose", "theory")),
        (("merge", "out", LONG), UNREADABLE),
        (("publish", LONG, "results"), UNREADABLE),
        (("compare", LONG, LONG), UNREADABLE),
        (("list", LONG), rf"unknown kind '{LONG}' "),
        *(
            (("theory", "--activation", "tanh", option, ends), option + NO_RANGE)
            for option in ("--gains", "--biases")
            for ends in ("nan:1", "0:inf", "\uff11:2", "0:1e-320", "0:1e200", f"{DIGITS}:1", ":", "1:2:3")
        ),
    ],
    ids=lambda each: " ".join(each)[:40] if isinstance(each, tuple) else "",
)
def test_edge_of_an_option_ends_in_one_line_and_code_2(arguments: tuple[str, ...], expected: str, folder: Path) -> None:
    result = vgbench(*arguments)
    assert (result.code, result.out) == (2, "")
    assert re.match(f"vgbench: {expected}", result.err), result.err
    assert result.err.count("\n") == 1, result.err
    assert not list(folder.rglob("*.json"))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("memory-limit", value) for value in ("0", "-1", "1e30", "inf", "nan")),
        *(("timeout", value) for value in ("0", "nan")),
        *(("precision", value) for value in ("0", "nan", "inf")),
    ],
)
def test_number_that_no_machine_has_ends_with_code_2_and_names_the_option(option: str, value: str) -> None:
    result = vgbench(*RUN, f"--{option}", value)
    assert (result.code, result.out) == (2, "")
    assert f"--{option}" in result.err


@pytest.mark.parametrize("text", ["cpu:\uff11", f"cpu:{DIGITS}"])
def test_number_of_a_device_has_a_few_plain_digits(text: str) -> None:
    with pytest.raises(InputError, match="is not one of cpu, gpu, tpu"):
        find_device(text)


@pytest.mark.parametrize("ends", ["0:0.001", "999:1000"])
def test_widest_phase_diagrams_are_drawn_without_a_warning(ends: str) -> None:
    for option in ("--gains", "--biases"):
        result = vgbench("theory", "--activation", "tanh", option, ends)
        assert (result.code, result.err) == (0, "")


def test_largest_shard_is_read() -> None:
    assert read_shard(f"1/{'9' * 9}").count == 10**9 - 1


def nested() -> list[Any]:
    """A list in a list, so deep that Python cannot print it."""
    inner: list[Any] = []
    for _ in range(5_000):
        inner = [inner]
    return inner


def circle(kind: type) -> Any:
    """A list or a table that is in itself."""
    if kind is list:
        items: list[Any] = []
        items.append(items)
        return items
    table: dict[str, Any] = {"name": "he_normal"}
    table["gain"] = table
    return table


@pytest.mark.parametrize("make", [nested, lambda: circle(list), lambda: circle(dict)])
@pytest.mark.parametrize(
    "use",
    [
        *(
            lambda value, field=field: Case(**{field: value})
            for field in ("model", "init", "data", "seeds", "depth", "dtype")
        ),
        lambda value: read_suite("tiny.toml").select({"init": [value]}).cells(),
        lambda value: Suite(name="a", title="t", question="q", baseline={}, sweep={"init": [value]}).cells(),
        lambda value: Suite(name="a", title="t", question="q", baseline={}, claims=value),
    ],
)
def test_value_without_an_end_is_refused_with_a_message(make: Callable[[], Any], use: Callable[[Any], Any]) -> None:
    with pytest.raises((InputError, ValidationError)) as refused:
        use(make())
    assert len(str(refused.value)) < 2000


def command(*arguments: str, out: str = os.devnull, err: str = "err") -> tuple[int, str]:
    """The exit code of the command with its output sent to these files, and what it says there of errors."""
    with Path(out).open("w") as stdout, Path(err).open("w") as stderr:
        done = subprocess.run([sys.executable, "-m", "vgbench", *arguments], stdout=stdout, stderr=stderr, check=False)
    return done.returncode, "" if err == out else Path(err).read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_full_disk_behind_the_output_is_one_line() -> None:
    expected = "vgbench: the output cannot be written: No space left on device\n"
    assert command("--help", out="/dev/full") == (2, expected)
    assert command("--help", out="/dev/full", err="/dev/full") == (2, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_full_disk_behind_the_log_file_names_that_file() -> None:
    with pytest.raises(InputError) as refused:
        Log(Path("/dev/full")).stopping()
    assert str(refused.value) == (
        "--log-file /dev/full: cannot be written: No space left on device; every finished measurement is kept"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_run_whose_log_file_is_full_names_that_file_and_not_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "Local", Instant)
    result = vgbench("run", "tiny.toml", "--log-file", "/dev/full")
    assert (result.code, result.out) == (2, "")
    assert re.match(r"vgbench: --log-file /dev/full: cannot be written: No space left on device; every", result.err)


def test_closed_outputs_are_no_reason_to_end(folder: Path) -> None:
    command = [sys.executable, "-m", "vgbench", "--help"]
    source = f"import os; os.close(1); os.close(2); os.execv({command[0]!r}, {command!r})"
    assert subprocess.run([sys.executable, "-c", source], check=False).returncode == 0


def test_what_nobody_can_read_is_no_reason_to_stop_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(StringIO):
        def write(self, _: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full())
    ProgressBar().stopping()


def test_output_that_cannot_hold_a_character_holds_its_escape() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vgbench", "run", "tiny.toml", "--dry-run", "--only", "é"],
        capture_output=True, check=False, env={"PYTHONIOENCODING": "ascii", "PATH": "", "HOME": "."},
    )  # fmt: skip
    assert done.returncode == 2
    assert b"unknown mitigation '\\xe9'" in done.stderr
