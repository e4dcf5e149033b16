"""The command line: what people see, and that bad input ends in one line and exit code 2."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any, NoReturn

import pytest
from helpers.command_line import TINY, Result, vgbench
from helpers.inline import Inline

from vgbench.cli import main
from vgbench.harness import runner
from vgbench.harness.options import RunOptions
from vgbench.harness.workers import worker
from vgbench.measure import shared
from vgbench.report.columns import COLUMNS
from vgbench.report.components import members_page
from vgbench.report.frames import load
from vgbench.spec.registry import LISTED
from vgbench.spec.suite import read_suite

HEAVY = {"jax", "flax", "optax", "numpy", "pandas", "altair", "scipy", "sklearn"}


def python(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Call Python in a process of its own."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    return subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False, env=environment
    )


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with a suite, in which nothing else may appear unasked."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(TINY)
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A run of the baseline and one mitigation, from the command line, that really measures."""
    shared.forget()  # programs that earlier tests of this process have left
    place = tmp_path_factory.mktemp("cli")
    (place / "tiny.toml").write_text(TINY)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runner, "Local", Inline)
        return place / "out", vgbench("run", place / "tiny.toml", "--only", "relu", "--out", place / "out")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measurements in this process that all fail."""

    def boom(*_: object, **__: object) -> NoReturn:
        raise RuntimeError("boom")

    monkeypatch.setattr(runner, "Local", Inline)
    monkeypatch.setattr(worker, "train_and_profile", boom)
    monkeypatch.setattr(worker, "measure_profiles", boom)
    monkeypatch.setattr(worker, "measure_costs", boom)


def test_help_names_the_verbs() -> None:
    result = vgbench("--help")
    assert (result.code, result.err) == (0, "")
    assert all(verb in result.out for verb in ("run", "status", "report", "publish", "merge", "list"))


def test_help_of_run_shows_every_option_in_its_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    groups = vgbench("run", "--help").out.split("╭─ ")
    for name, field in RunOptions.model_fields.items():
        shown: Any = field.json_schema_extra
        (group,) = (group for group in groups if group.startswith(f"{shown['group']} "))
        assert f" --{name.replace('_', '-').replace('settings', 'set')} " in group
        assert (field.description or "").split("\n")[0][:40] in group


def test_list_and_dry_run_say_what_a_suite_needs() -> None:
    needs = "needs the extra `sequences`, which carries the series: pip install 'vgbench[sequences]'"
    listed = " ".join(vgbench("list", "suite").out.replace("│", " ").split())
    assert listed.count("; needs ") == 1
    assert needs in listed
    assert vgbench("run", "real-sequences", "--dry-run").out.splitlines()[-1] == f"suite real-sequences {needs}"
    assert "needs" not in vgbench("run", "recurrent", "--dry-run").out


def test_version_is_printed_alone() -> None:
    assert vgbench("--version") == (0, f"vgbench {version('vgbench')}\n", "")


def test_no_arguments_show_the_help() -> None:
    assert "Usage: " in "".join(vgbench()[1:])


def test_help_and_bad_usage_import_nothing_heavy() -> None:
    source = f"""
import sys
from vgbench.cli import main
VERBS = ("run", "status", "report", "publish", "merge", "list")
for arguments in (["--help"], ["--version"], ["run"], *([verb, "--help"] for verb in VERBS)):
    sys.argv = ["vgbench", *arguments]
    try:
        main()
    except SystemExit:
        pass
import vgbench
print("heavy:", sorted({HEAVY!r} & set(sys.modules)))
"""
    done = python("-c", source)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "heavy: []"


def test_module_is_the_command_and_ends_without_a_traceback() -> None:
    done = python("-m", "vgbench", "run", "none.toml")
    expected = "vgbench: none.toml: cannot read this suite: No such file or directory\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


def test_installed_command_is_main() -> None:
    (script,) = entry_points(group="console_scripts", name="vgbench")
    assert script.load() is main


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "quikstart"], r"unknown suite 'quikstart'; did you mean 'quickstart'\? \(choose from: "),
        (["run", "none.toml"], r"none\.toml: cannot read this suite: No such file or directory$"),
        (["run", "tiny.toml", "--set", "width"], r"--set width: needs FIELD=VALUE, with further values after commas$"),
        (["run", "tiny.toml", "--set", "=3"], r"--set =3: needs FIELD=VALUE"),
        (["run", "tiny.toml", "--set", "width="], r"--set width=: needs FIELD=VALUE"),
        (["run", "tiny.toml", "--set", "width= "], r".*width"),
        (["run", "tiny.toml", "--set", "depth= "], r".*depth"),
        (["run", "tiny.toml", "--set", f"width=1{'0' * 5000}"], r".*width"),
        (["run", "tiny.toml", "--set", "widht=3"], r"unknown field 'widht'; did you mean 'width'\? \(choose from: "),
        (["run", "tiny.toml", "--set", "width=x"], r"suite 'tiny', baseline: width: Input should be a valid integer$"),
        (["run", "tiny.toml", "--set", "width=0", "--dry-run"], r"suite 'tiny', baseline: width: Input should be gre"),
        (["run", "tiny.toml", "--set", "norm=bach"], r".* unknown norm 'bach'; did you mean 'batch'\? \(choose from"),
        (["run", "tiny.toml", "--only", "rleu"], r"unknown mitigation 'rleu'; did you mean 'relu'\? \(choose from: ba"),
        (["run", "tiny.toml", "--only", "relu,"], r"unknown mitigation ''"),
        (["run", "tiny.toml", "--quick"], r"suite 'tiny' has no quick version: add a table \[quick\] of settings"),
        (["run", "tiny.toml", "--log-file", "none/log"], r"--log-file none/log: cannot be written: No such file or di"),
        (["status", "none"], r"none: no records here \(a run writes DEVICE/manifest\.json into its folder\)$"),
        (["merge", "all", "none"], r"none: no records here \(a run writes DEVICE/manifest\.json into its folder\)$"),
        (["run", "tiny.toml", "--device", "abacus"], r"device: 'abacus' is not one of cpu, gpu, tpu, or one of them"),
        (["run", "tiny.toml", "--device", "cpu:99"], r"device: 'cpu:99' is out of range \(there are \d+, counted fro"),
        (["run", "tiny.toml", "--device", "gpu"], r"device: this machine has no gpu \(there is: cpu\)$"),
        (["run", "tiny.toml", "--out", "tiny.toml/x"], r"tiny\.toml/x.*: cannot write records here: Not a directory"),
        (["report", "none"], r"none: no records here \(a run writes DEVICE/manifest\.json into its folder\)$"),
        (["report", "tiny.toml"], r"tiny\.toml: no records here "),
        (["list", "norm", "--markdown"], r"--markdown prints one page of all kinds; leave out 'norm'$"),
        (
            ["list", "nrom"],
            r"unknown kind 'nrom'; did you mean 'norm'\? \(choose from: activation, cell, data, gradient_transform",
        ),
    ],
)
def test_bad_input_ends_in_one_line_and_code_2(
    arguments: list[str], expected: str, folder: Path, failing: None
) -> None:
    result = vgbench(*arguments)
    assert (result.code, result.out) == (2, "")
    assert re.match(f"vgbench: {expected}", result.err), result.err
    assert result.err.count("\n") == 1
    assert not list(folder.rglob("*.json"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"title = ", "not valid TOML: Invalid value (at end of document)"),
        (b"\xff", "not valid TOML: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (b"title = 'T'\nquestion = 'Q'", "baseline: Field required"),
    ],
)
def test_broken_suite_ends_in_one_line_and_code_2(text: bytes, expected: str) -> None:
    Path("broken.toml").write_bytes(text)
    assert vgbench("run", "broken.toml") == (2, "", f"vgbench: broken.toml: {expected}\n")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["rnu"], "No such command 'rnu'"),
        (["run"], "Missing argument"),
        (["merge", "all"], "Missing argument"),
        (["run", "tiny.toml", "--timeout", "0"], "Invalid value for '--timeout'"),
        (["run", "tiny.toml", "--memory-limit", "lots"], "Invalid value for '--memory-limit'"),
        (["run", "tiny.toml", "--frobnicate"], "No such option"),
    ],
)
def test_bad_usage_is_code_2(arguments: list[str], expected: str) -> None:
    result = vgbench(*arguments)
    assert result.code == 2
    assert expected in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("arguments", [[], ["norm"], ["suite"], ["optimizer"], ["statistic"]])
def test_list_shows_the_asked_kind_alone_or_all(arguments: list[str]) -> None:
    result = vgbench("list", *arguments)
    kinds = arguments or ["suite", *LISTED]
    rows = [[cell.strip() for cell in line.split("│")[1:3]] for line in result.out.splitlines() if line.startswith("│")]
    expected = [[kind, member.name] for kind in kinds if kind != "suite" for member in LISTED[kind]]
    if "suite" in kinds:
        assert ["suite", "quickstart"] in rows
    assert [row for row in rows if row[0] and row[0] != "suite"] == expected
    assert (result.code, result.err) == (0, "")


@pytest.mark.parametrize(("options", "shown"), [([], False), (["--sources"], True)])
def test_list_says_what_a_member_means_and_where_it_comes_from_if_asked(options: list[str], shown: bool) -> None:
    out = vgbench("list", "skip", *options).out
    assert "Identity skip: the block's input " in out
    assert ("source" in out, "He, Zhang, Ren & Sun 2016" in out) == (shown, shown)


@pytest.mark.parametrize(("options", "shown"), [([], False), (["--sources"], True)])
def test_list_says_what_a_suite_asks_how_long_it_takes_and_what_it_draws_on_if_asked(
    options: list[str], shown: bool
) -> None:
    words = set(re.sub(r"[│\s]+", " ", vgbench("list", "suite", *options).out).split())
    suite = read_suite("quickstart")
    assert {
        *suite.question.split(),
        *["(about", f"{suite.minutes:g}", "minutes", "on", "two", "CPU", "cores)"],
    } <= words
    assert (set("; ".join(suite.references).split()) <= words) == shown


def test_list_prints_the_page_of_members() -> None:
    assert vgbench("list", "--markdown") == (0, members_page(), "")


def dry_run(*arguments: str) -> list[str]:
    result = vgbench("run", "tiny.toml", "--dry-run", *arguments)
    assert (result.code, result.err) == (0, "")
    return result.out.splitlines()


def test_dry_run_shows_every_cell_and_writes_nothing(folder: Path) -> None:
    cells = read_suite("tiny.toml").cells()
    assert dry_run() == [f"{cell.case.cell_id}  {cell.label}" for cell in cells]
    assert [cell.label for cell in cells] == ["baseline, depth 2", "relu, depth 2", "res, depth 2"]
    assert [path.name for path in folder.iterdir()] == ["tiny.toml"]


@pytest.mark.parametrize(
    ("texts", "settings"),
    [
        (["width=5"], {"width": [5]}),
        (["width=5,6"], {"width": [5, 6]}),
        (["width=5, 6", "depth=3"], {"width": [5, 6], "depth": [3]}),
        (["target=0.5"], {"target": [0.5]}),
        (["activation=sigmoid"], {"activation": ["sigmoid"]}),
        (["activation=sigmoid, tanh"], {"activation": ["sigmoid", "tanh"]}),
        (["activation='sigmoid'"], {"activation": ["sigmoid"]}),
        (["init={name='he_normal', gain=2.0}"], {"init": [{"name": "he_normal", "gain": 2.0}]}),
        (["seeds=5"], {"seeds": [5]}),
        (["seeds=5,6", "learning_rates=1e-3"], {"seeds": [5, 6], "learning_rates": [1e-3]}),
        (["dtype=float32,float64"], {"dtype": ["float32", "float64"]}),
    ],
)
def test_set_reads_numbers_names_and_tables(texts: list[str], settings: dict[str, Any]) -> None:
    cells = read_suite("tiny.toml").select(settings).cells()
    options = [part for text in texts for part in ("--set", text)]
    assert dry_run(*options) == [f"{cell.case.cell_id}  {cell.label}" for cell in cells]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--only", "res"], ["baseline", "res"]),
        (["--only", "res,relu"], ["baseline", "relu", "res"]),
        (["--only", "res", "--only", "relu"], ["baseline", "relu", "res"]),
        (["--only", "baseline"], ["baseline"]),
    ],
)
def test_only_keeps_the_named_mitigations(options: list[str], names: list[str]) -> None:
    assert [line.split()[1].rstrip(",") for line in dry_run(*options)] == names


def test_quick_takes_the_suites_own_settings_and_set_goes_on_top() -> None:
    Path("tiny.toml").write_text(f"{TINY}[quick]\ndepth = [3, 4]\nwidth = 5\n")
    quick = read_suite("tiny.toml").quick_version()
    assert [line.partition("  ")[0] for line in dry_run("--quick")] == [cell.case.cell_id for cell in quick.cells()]
    assert dry_run("--quick", "--set", "depth=6", "--only", "res") == [
        f"{cell.case.cell_id}  {cell.label}" for cell in quick.select({"depth": [6]}, ["res"]).cells()
    ]
    assert {(cell.case.depth, cell.case.width) for cell in quick.cells()} == {(3, 5), (4, 5)}


def test_quick_run_lies_in_a_folder_of_its_own(folder: Path, failing: None) -> None:
    Path("tiny.toml").write_text(f"{TINY}[quick]\ndepth = 3\n")
    assert vgbench("run", "tiny.toml", "--quick", "--only", "relu").code == 0
    assert [path.name for path in (folder / "runs").iterdir()] == ["tiny-quick"]
    assert set(load(folder / "runs" / "tiny-quick")["suite"]) == {"tiny-quick"}


def test_run_names_each_task_once(finished: tuple[Path, Result]) -> None:
    lines = [re.sub(r", about \d+ (s|min) left\)$", ")", line) for line in finished[1].err.splitlines()]
    tasks = [f"{verb} {name}, depth 2" for verb in ("measuring", "timing") for name in ("baseline", "relu")]
    begun = [line for line in lines if line.startswith(("measuring ", "timing "))]
    assert begun == [f"{task} ({done} of 4 done)" for done, task in zip((0, 1, 2, 2), tasks, strict=True)]
    assert "6 programs compiled for 2 cells" in lines  # a profile, a forward profile and training each
    assert finished[1].err.count(" left)") == 3


def test_rows_and_what_they_show_are_printed_as_soon_as_they_are_complete(finished: tuple[Path, Result]) -> None:
    lines = finished[1].err.splitlines()
    timed, row, finding = (
        next(place for place, line in enumerate(lines) if line.startswith(begins))
        for begins in ("timing relu", "baseline, depth 2: ", "Depth 2: ")
    )
    assert timed < row < finding == len(lines) - 1  # both pairs are timed together
    assert ", step ratio " in lines[row]
    assert lines[finding] in finished[1].out


def test_log_file_has_a_line_with_its_time_for_every_event(folder: Path, failing: None) -> None:
    for _ in range(2):
        assert vgbench("run", "tiny.toml", "--only", "relu", "--log-file", "log").code == 0
    lines = (folder / "log").read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00 \S", line) for line in lines)
    said = [line.partition(" ")[2] for line in lines]
    assert said[:2] == ["started: 0 of 4 done", "measuring baseline, depth 2"]
    assert re.fullmatch(r"crashed: RuntimeError: boom after 0\.\d s \(0 of 4 done, 1 failed, .* left\)", said[2])
    assert said[-1] == "started: 0 of 4 done, 4 failed"


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--strict"], 1)])
def test_strict_ends_with_one_where_a_cell_is_not_ok(options: list[str], code: int, failing: None) -> None:
    assert vgbench("run", "tiny.toml", *options).code == code


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measurements in this process."""
    monkeypatch.setattr(runner, "Local", Inline)


def test_strict_ends_with_zero_where_all_cells_are_ok(finished: tuple[Path, Result], inline: None) -> None:
    out = finished[0]
    assert vgbench("run", out.parent / "tiny.toml", "--only", "relu", "--out", out, "--strict").code == 0


def test_failures_are_counted_and_repeated_where_that_is_asked_for(failing: None) -> None:
    vgbench("run", "tiny.toml", "--only", "relu")
    again = vgbench("run", "tiny.toml", "--only", "relu")
    assert again.err == "4 of 4 measurements are there already\n4 of them failed (--retry-failed repeats those)\n"
    assert vgbench("run", "tiny.toml", "--only", "relu", "--retry-failed").err.count("measuring ") == 2


def test_status_of_a_finished_run(finished: tuple[Path, Result]) -> None:
    result = vgbench("status", finished[0])
    assert (result.code, result.err) == (0, "")
    first, second = result.out.splitlines()
    assert re.fullmatch(r"tiny on .* \(\d+ CPU cores\): 4 measurements: 4 ok", first)
    assert second == "not running; the last run has finished"


def test_merge_shows_the_table_of_the_union(finished: tuple[Path, Result], folder: Path) -> None:
    result = vgbench("merge", folder / "all", finished[0], finished[0])
    assert result.code == 0
    assert (folder / "all" / "table.md").read_bytes() == (finished[0] / "table.md").read_bytes()


def test_run_prints_findings_table_and_origin_and_writes_them(finished: tuple[Path, Result]) -> None:
    out, result = finished
    assert result.code == 0
    assert re.search(r"^Depth 2: ", result.out, re.MULTILINE)
    assert re.findall(r"^ +2 +(\w+)", result.out, re.MULTILINE) == ["baseline", "relu"]
    assert "; vgbench " in result.out
    for name in ("table.md", "table.csv", "report.html"):
        assert f"{out / name}" in result.out.replace("\n", "")
        assert (out / name).stat().st_size > 0


def test_report_rebuilds_the_same_files_and_prints_the_same(finished: tuple[Path, Result]) -> None:
    out, result = finished
    before = {path: path.read_bytes() for path in out.glob("[!.]*.*")}
    assert len(before) == 3
    for path in before:
        path.unlink()
    assert vgbench("report", out) == (0, result.out, "")
    assert {path: path.read_bytes() for path in out.glob("[!.]*.*")} == before


def test_run_from_the_command_line_is_loaded_as_documented(finished: tuple[Path, Result]) -> None:
    data = load(finished[0])
    assert list(data.columns) == [column.name for column in COLUMNS]
    assert list(data["mitigation"]) == ["baseline", "relu"]
    assert list(data["status"]) == ["ok", "ok"]
    assert set(data["learning_rate"]) <= {0.1, 0.2}
    measured = ["decay", "trained", "test_metric", "step_ratio", "compile_seconds", "temporary_bytes"]
    assert data[measured].notna().all(axis=None)


def test_seeds_are_added_to_a_run(finished: tuple[Path, Result], tmp_path: Path) -> None:
    out = shutil.copytree(finished[0], tmp_path / "longer")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runner, "Local", Inline)
        longer = vgbench("run", "tiny.toml", "--only", "relu", "--out", out, "--seeds", "3")
    assert longer.code == 0
    begun = re.findall(r"^(measuring|timing) (.*) \(", longer.err, re.MULTILINE)
    assert begun == [("measuring", f"further seeds (1, 2) of {name}, depth 2") for name in ("baseline", "relu")]
    assert set(load(out)["seeds"]) == {3}
    again = vgbench("run", "tiny.toml", "--only", "relu", "--out", out, "--seeds", "2")
    assert (again.code, "measuring" in again.err) == (0, False)
    assert set(load(out)["seeds"]) == {2}


def test_second_run_measures_nothing_and_prints_the_same(finished: tuple[Path, Result], inline: None) -> None:
    out, result = finished
    again = vgbench("run", out.parent / "tiny.toml", "--only", "relu", "--out", out)
    assert again == (0, result.out, "4 of 4 measurements are there already\n")


def test_crashing_cells_are_reported_and_shown_and_the_run_succeeds(folder: Path, failing: None) -> None:
    result = vgbench("run", "tiny.toml", "--only", "relu")
    assert result.code == 0
    assert result.err.count("baseline, depth 2: crashed: RuntimeError: boom\n") == 1
    assert "baseline, depth 2: skipped: it could not be measured (crashed)\n" in result.err
    assert result.out.count("- (crashed)") == 2
    assert "not ok: relu, depth 2: crashed: RuntimeError: boom\n" in result.out
    assert f"{Path('runs/tiny/table.md')}" in result.out
    assert (folder / "runs" / "tiny" / "table.csv").is_file()


@pytest.mark.parametrize("name", ["[/red]", "[bold]x"])
def test_name_of_a_mitigation_is_never_markup(name: str, failing: None) -> None:
    Path("tiny.toml").write_text(TINY.replace("relu =", f'"{name}" ='))
    result = vgbench("run", "tiny.toml", "--only", name)
    assert f" {name} " in result.out
    assert f"measuring {name}, depth 2" in result.err
