"""BibTeX of what a run rests on."""

import re
from pathlib import Path

import pytest
from helpers.made import measured, write_run

from vgbench.records.runs import read_runs
from vgbench.report.cite import AUTHOR, TITLE, bibtex
from vgbench.spec.case import Case

CASE = Case(
    depth=3, width=4, activation="relu", optimizer="adam", init="he_normal", learning_rates=(0.1,), seeds=(0, 1)
)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    return bibtex(read_runs(write_run(tmp_path_factory.mktemp("run"), [("baseline", measured(CASE))], "quickstart")))


def test_vgbench_and_the_suite_come_first(text: str) -> None:
    keys = re.findall(r"^@(\w+)\{(.*),$", text, re.MULTILINE)
    assert keys[:2] == [("software", "vgbench"), ("misc", "vgbench-quickstart")]
    assert len(set(keys)) == len(keys)
    assert "  year = {2026},\n  note = {Version 0.1, commit abc},\n" in text


def test_components_are_cited_with_their_use_and_the_title_that_the_suite_knows(text: str) -> None:
    assert "@misc{kingma2015,\n  author = {Kingma and Ba},\n  title = {{Adam}},\n  year = {2015}," in text
    assert "note = {optimizer adam}" in text
    assert "author = {Bengio" not in text
    assert "title = {{Untersuchungen zu dynamischen neuronalen Netzen}}" in text


def test_every_entry_is_closed(text: str) -> None:
    assert text.count("{") == text.count("}")
    assert all(entry.rstrip().endswith("}") for entry in text.split("\n@"))


def test_citation_file_has_the_same_title() -> None:
    citation = (Path(__file__).parents[2] / "CITATION.cff").read_text()
    assert f'title: "{TITLE}"' in citation
    assert f"- name: {AUTHOR}" in citation
