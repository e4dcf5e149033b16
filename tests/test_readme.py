"""The README's promises that can be checked: its commands, its table, its picture, its length, and what CI runs."""

import re
from pathlib import Path

import pytest

import vgbench as vg
from vgbench.records.runs import read_runs

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_ci_calls_the_readmes_test_command() -> None:
    commands = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    assert commands[1].strip().endswith(".venv/bin/pytest")
    assert "<!-- test command -->" in README
    assert "README.md" in (ROOT / ".ci/run").read_text()


def test_its_rows_are_those_of_the_published_records() -> None:
    code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    (query,) = re.findall(r'query\("(.*)"\)', code)
    frame = vg.load(ROOT / "results" / "mitigations").query(query).set_index("mitigation")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.*\|$", README, re.M)[2:]]
    assert 4 <= len(rows) <= 8
    for name, norm, trained, accuracy, ratio in rows:
        record = frame.loc[name.split()[0]]
        assert norm == f"10^{record['log10_first_over_last']:+.1f}"
        assert trained == f"{record['trained']:.0f} of {record['seeds']:.0f}"
        assert float(accuracy.removesuffix(" %")) == pytest.approx(100 * record["test_metric"], abs=0.51)
        assert float(ratio.removesuffix(" x")) == pytest.approx(record["step_ratio"], abs=0.0051)


def test_it_says_for_how_many_steps_the_published_networks_were_trained() -> None:
    (said,) = re.findall(r"trained for (\d+) steps", README)
    cells = [entry.cell for run in read_runs(ROOT / "results" / "mitigations") for entry in run.entries]
    trained = [cell.case for cell in cells if cell and cell.case.depth == 24 and cell.case.model.name == "mlp"]
    assert {case.steps for case in trained} == {int(said)}


def test_it_is_one_screen_of_words_before_the_fold() -> None:
    assert len(README.splitlines()) <= 130


def test_linked_files_exist() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
