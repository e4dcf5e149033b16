"""The README's promises that can be checked: its commands, its table, its picture, and what CI runs."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_ci_calls_the_readmes_test_command() -> None:
    commands = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    assert commands[1].strip().endswith(".venv/bin/pytest")
    assert "<!-- test command -->" in README
    assert "README.md" in (ROOT / ".ci/run").read_text()


def test_published_table_is_in_the_readme_to_the_letter() -> None:
    page = (ROOT / "results/quickstart/table.md").read_text()
    tables = re.findall(r"^\|.*\|$(?:\n^\|.*\|$)+", page, re.MULTILINE)
    assert len(tables) == 2
    assert all(table in README for table in tables)


def test_linked_files_exist() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
