"""Parts of a suite for the jobs of an array: together they are the whole, whatever else the suite holds."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from helpers.command_line import vgbench
from helpers.inline import Instant

from vgbench.errors import InputError
from vgbench.harness import runner
from vgbench.harness.merge import merge
from vgbench.harness.runner import run
from vgbench.harness.shard import Shard, read_shard
from vgbench.report import write_report
from vgbench.spec.case import Case
from vgbench.spec.suite import Suite, read_suite

SUITE = """
title = "Parts"
question = "Are they the whole?"
[baseline]
width = 4
learning_rates = [0.1]
steps = 4
tuning_seeds = []
[sweep]
depth = [2, 3, 4, 5, 6, 7]
[mitigations]
relu = { init = "lecun_normal" }
tanh = { activation = "tanh" }
residual = { skip = "residual" }
wide = { width = 5 }
"""


@pytest.fixture(autouse=True)
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """A suite of 30 cells, in a working folder, whose measurements take no time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "Local", Instant)
    Path("parts.toml").write_text(SUITE)
    return read_suite("parts.toml")


def files(root: Path) -> dict[str, bytes]:
    paths = [path for path in root.rglob("*") if path.is_file() and path.name != ".lock"]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def test_merged_parts_are_the_whole_byte_for_byte(suite: Suite) -> None:
    whole, parts = run(suite), [run(suite, shard=f"{i}/4") for i in (1, 2, 3, 4)]
    assert [str(part) for part in parts] == [f"runs/parts-{i}-of-4" for i in (1, 2, 3, 4)]
    cells = [sum(path.match("cells/*.json") for path in part.rglob("*")) for part in parts]
    assert sum(cells) == 30
    assert min(cells) > 0
    merged = merge("runs/merged", parts[::-1])
    assert files(merged) == files(whole)
    assert len(write_report(merged).table) == 30


def test_cost_of_a_pair_is_measured_where_its_cell_is(suite: Suite) -> None:
    for number in (1, 2, 3):
        part = run(suite, shard=f"{number}/3")
        held = [cell for cell in suite.cells() if Shard(number, 3).holds(cell.case)]
        assert {path.stem for path in part.glob("*/cells/*.json")} == {cell.case.cell_id for cell in held}
        assert len(list(part.glob("*/costs/*.json"))) == len(held)


def test_cell_stays_in_its_part_whatever_else_the_suite_holds(suite: Suite) -> None:
    def part(of: Suite) -> set[Case]:
        return {cell.case for cell in of.cells() if Shard(2, 4).holds(cell.case)}

    other = suite.model_copy(update={"mitigations": {"tanh": suite.mitigations["tanh"]}, "name": "other"})
    assert part(other.select({"depth": [9, 5, 6, 7]})) & {cell.case for cell in suite.cells()} <= part(suite)


@pytest.mark.slow
def test_command_line_measures_a_part_and_says_how_to_make_the_whole() -> None:
    shown = [vgbench("run", "parts.toml", "--dry-run", *more).out for more in ([], ["--shard", "1/2"])]
    assert 0 < len(shown[1].splitlines()) < len(shown[0].splitlines()) == 30
    for number in (1, 2):
        reported = vgbench("run", "parts.toml", "--shard", f"{number}/2", "--strict")
        folder = f"runs/parts-{number}-of-2"
        assert (reported.code, reported.out.replace("\n", " ").strip()) == (
            0,
            f"part {number}/2 is in {folder}; `vgbench merge OUT DIR...` makes one run of all parts",
        )
    assert vgbench("merge", "all", "runs/parts-1-of-2", "runs/parts-2-of-2").code == 0
    assert vgbench("run", "parts.toml", "--out", "all").err == "60 of 60 measurements are there already\n"


def test_part_without_a_cell_is_a_run_all_the_same(suite: Suite) -> None:
    few = suite.select({"depth": [2]}, ["tanh"])
    (empty,) = [i for i in range(1, 4) if not any(Shard(i, 3).holds(cell.case) for cell in few.cells())][:1]
    parts = [run(few, shard=f"{i}/3") for i in (1, 2, 3)]
    assert not list(parts[empty - 1].glob("*/cells/*"))
    assert files(merge("merged", parts)) == files(run(few, "whole"))


def test_example_for_slurm_measures_the_jobs_part(tmp_path: Path) -> None:
    (tmp_path / "srun").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "srun").chmod(0o755)
    example = Path(__file__).parents[2] / "docs" / "array.sbatch"
    slurm = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "4", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", example, "quickstart"], env=slurm, capture_output=True, text=True, check=True)
    assert done.stdout == "vgbench run quickstart --shard 3/4\n"


def test_pods_of_the_example_for_kubernetes_measure_all_cells_once(tmp_path: Path) -> None:
    (tmp_path / "vgbench").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "vgbench").chmod(0o755)
    job = yaml.safe_load((Path(__file__).parents[2] / "examples" / "kubernetes.yaml").read_text())
    assert (job["apiVersion"], job["kind"], job["spec"]["completionMode"]) == ("batch/v1", "Job", "Indexed")
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    given = {each["name"]: each["value"] for each in container["env"]} | {"SUITE": "parts.toml"}
    assert int(given["PARTS"]) == job["spec"]["completions"]
    assert [mount["name"] for mount in container["volumeMounts"]] == [volume["name"] for volume in pod["volumes"]]
    cells: list[str] = []
    for index in range(job["spec"]["completions"]):
        environment = {**given, "JOB_COMPLETION_INDEX": str(index), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        command = [*container["command"], *container["args"]]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        shown = vgbench(*done.stdout.splitlines(), "--dry-run")
        assert (shown.code, shown.err) == (0, "")
        cells += shown.out.splitlines()
    assert sorted(cells) == sorted(vgbench("run", "parts.toml", "--dry-run").out.splitlines())


@pytest.mark.parametrize("text", ["0/4", "5/4", "4", "1/0", "-1/4", "a/b", "1/4/2"])
def test_what_is_no_part_is_reported(text: str) -> None:
    with pytest.raises(InputError, match=rf"^shard: '{text}' is no part i/n of n, such as 1/4 for the first of four"):
        read_shard(text)
