"""The page of members: as it is published, and each of its cells against the registries and the case."""

import re
from pathlib import Path
from typing import Annotated, Any

import pytest
from helpers.needs import SLOTS
from pydantic import Field

from vgbench.models.problem import Problem
from vgbench.report.components import COMMAND, members_page
from vgbench.spec.case import Case
from vgbench.spec.registry import MODELS, NORMS, REGISTRIES

PAGE = Path(__file__).parents[2] / "docs" / "members.md"
ON_PAGE = (*SLOTS[:4], "cell", *SLOTS[4:])

FAMILIES = [family for family in MODELS if family.name != MODELS.imports]


def rows(slot: str) -> dict[str, list[str]]:
    """The cells of a slot's table, by the first one."""
    (section,) = re.findall(rf"^## {slot}\n\n(.*?)(?:\n\n|\Z)", members_page(), re.MULTILINE | re.DOTALL)
    lines = [re.split(r"(?<!\\) ?\| ?", line)[1:-1] for line in section.splitlines()]
    return {line[0].strip("`"): line[1:] for line in lines}


def test_published_page_is_the_one_that_the_registries_give() -> None:
    current = PAGE.read_text() == members_page()
    assert current, f"docs/members.md is not up to date: run {COMMAND}"


def test_page_has_a_table_for_each_slot_and_a_line_for_each_member() -> None:
    assert re.findall(r"^## (\w+)$", members_page(), re.MULTILINE) == list(ON_PAGE)
    for slot in ON_PAGE:
        table = rows(slot)
        assert table.pop("name") == ["meaning", "options", "source", *(family.name for family in FAMILIES)]
        assert set(table.pop("---")) == {"---"}
        assert list(table) == [member.name for member in REGISTRIES[slot]]
        assert [cells[2] for cells in table.values()] == [
            member.source.replace("|", "\\|") for member in REGISTRIES[slot]
        ]


@pytest.mark.usefixtures("scratch_registries")
def test_options_stand_with_their_defaults_as_a_suite_writes_them() -> None:
    @NORMS.register(source="Nobody 1999")
    def toy(site: Any, *, order: str = "l1", size: Annotated[float, Field(gt=0)], fast: bool = False) -> None:
        """Scale |z| by <size>."""

    assert rows("norm")["toy"] == [
        "Scale \\|z\\| by &lt;size>.",
        '`order = "l1"`, `size` (required), `fast = false`',
        "Nobody 1999",
        *(["size: Field required"] * len(FAMILIES)),
    ]
    assert rows("norm")["none"][1] == ""
    assert rows("norm")["batch"][1] == "`momentum = 0.9`, `epsilon = 1e-05`"


@pytest.mark.usefixtures("scratch_registries")
def test_member_that_cannot_be_alone_shows_the_reason() -> None:
    @NORMS.register(source="Nobody 1999", refuses=lambda case: f"a width of {case.width} | no")
    def toy(site: Any) -> None:
        """Nothing."""

    widths = [family.defaults.get("width", 64) for family in FAMILIES]
    assert rows("norm")["toy"][3:] == [f"a width of {width} \\| no" for width in widths]


@pytest.mark.usefixtures("scratch_registries")
def test_every_family_has_a_column_that_says_what_it_refuses() -> None:
    @MODELS.register(source="Nobody 1999", refuses=lambda case: "no statistics" if case.norm.name == "batch" else None)
    def picky(case: Case, problem: Problem, scanned: bool) -> None:
        """Nothing."""

    table = rows("norm")
    assert table["name"][-1] == "picky"
    assert (table["batch"][table["name"].index("mlp")], table["batch"][-1]) == ("yes", "model 'picky': no statistics")
    assert table["layer"][-1] == "yes"
    assert rows("skip")["deep_norm"][-1].startswith("it raises the stream before a norm: ")
