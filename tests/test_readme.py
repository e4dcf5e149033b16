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


def test_every_row_of_its_result_tables_is_published_to_the_letter() -> None:
    published = [ROOT / "results" / name for name in ("README.md", "speed/README.md", "diagnosis/table.md")]
    lines = {line for path in published for line in path.read_text().splitlines()}
    for title, fewest in (("What it measures", 11), ("How fast", 11), ("How often the diagnosis", 8)):
        part = README.partition(f"## {title}")[2].partition("\n## ")[0]
        rows = re.findall(r"^\|.*\|$", part, re.MULTILINE)
        assert len(rows) >= fewest
        assert set(rows) <= lines


def test_linked_files_exist() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
