"""The page that stands alone: what is in it, that text stays text."""

import base64
import dataclasses
import json
import re
import tomllib
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from helpers.made import measured, write_run

from vgbench.records.runs import read_runs
from vgbench.report.page import page
from vgbench.report.report import report_of
from vgbench.spec.case import Case

HOSTILE = '</script><script>window.hit = 1</script><img src=x onerror="window.hit = 2">&amp;\u2028'


def case(depth: int, init: str = "glorot_normal") -> Case:
    return Case(depth=depth, width=4, init=init, learning_rates=(0.1, 0.2), seeds=(0, 1))


def write(out: Path, name: str = "he", **reported: str) -> Path:
    """A run of two depths with a baseline and one mitigation, which goes by `name`."""
    cells = [
        *(("baseline", measured(case(depth), accuracy)) for depth, accuracy in ((3, 0.95), (6, 0.1))),
        *((name, measured(case(depth, "he_normal"), 0.96)) for depth in (3, 6)),
    ]
    return write_run(out, cells, **reported)


class Elements(HTMLParser):
    """The elements of a page, and the text in each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] == "script":
            self.scripts[-1] += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def unpacked(parsed: Elements) -> Any:
    """The data of a page."""
    return json.loads(zlib.decompress(base64.b64decode(parsed.scripts[0])))


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page(report_of(read_runs(write(tmp_path_factory.mktemp("run")))))


def test_page_loads_nothing_from_anywhere(text: str) -> None:
    parsed = Elements(text)
    for _, attributes in parsed.elements:
        assert "src" not in attributes
        assert not (attributes.get("href") or "#").startswith(("http", "//"))
    assert not parsed.named("link")
    (policy,) = [each["content"] for each in parsed.named("meta") if each.get("http-equiv")]
    assert policy
    assert policy.startswith("default-src 'none'; script-src 'sha256-")


def test_page_opens_with_the_answer_and_holds_every_row(text: str) -> None:
    assert text.index("At depth 6, 1 of 2 networks reach") < text.index("<table") < text.index("Depth 3: the cheapest")
    parsed = Elements(text)
    assert [row["data-outcome"] for row in parsed.named("tr") if "data-outcome" in row] == [
        "trains",
        "does not train",
        "trains",
        "trains",
    ]
    assert "measured on 2026-01-01" in text
    axes = [each["data-axis"] for each in parsed.named("select") if "data-axis" in each]
    assert axes == ["depth"]


def test_page_holds_the_pictures_and_the_details_of_every_cell(text: str) -> None:
    data = unpacked(Elements(text))
    assert list(data["pictures"]) == [
        *("answer", "answer-narrow", "gradients", "forward", "accuracy", "benefit", "curves", "heatmap", "histograms"),
        *("learning-rates", "cost"),
    ]
    assert [cell["title"] for cell in data["cells"]] == [
        *("baseline, depth 3", "baseline, depth 6", "he, depth 3", "he, depth 6"),
    ]
    for cell in data["cells"]:
        assert set(cell["pictures"]) == set(data["views"]) == {"layers", "forward", "curves", "rounds"}
        assert dict(cell["facts"])["measurement"].startswith("ok; began 2026-01-01")
        assert data["origins"][cell["origins"][0]].startswith("Chip (2 CPU cores); vgbench 0.1")
        assert tomllib.loads(cell["toml"])["width"] == 4
        assert "width=4" in cell["python"]
        assert ["optimizer", "adam"] in [source[:2] for source in cell["sources"]]
    assert data["cells"][2]["command"] == "vgbench run tiny.toml --only he --set depth=3"


def test_table_has_cost_and_benefit_in_ten_columns_and_the_others_to_choose(text: str) -> None:
    parsed = Elements(text)
    heads = [(each["data-name"], "more" in (each["class"] or "")) for each in parsed.named("th") if "data-name" in each]
    names = [name for name, _ in heads if name != "mitigation"]
    first = [name for name, more in dict(heads).items() if not more]
    assert len(first) <= 10
    assert {"mitigation", "depth", "profile", "trained", "test accuracy", "step ratio", "memory", "verdict"} <= {*first}
    boxes = [each["data-column"] for each in parsed.named("input") if "data-column" in each]
    assert boxes == names
    assert "latency ms" in boxes
    assert "latency ms" not in first


def test_every_heading_is_explained_by_text_on_the_page(text: str) -> None:
    parsed = Elements(text)
    explained = [each["aria-describedby"] for each in parsed.named("button") if "aria-describedby" in each]
    assert explained
    assert {*explained} <= {each.get("id") for each in parsed.named("dd")}


def test_no_two_elements_have_one_id(text: str) -> None:
    ids = [attributes["id"] for _, attributes in Elements(text).elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_page_is_the_same_whenever_the_records_are(text: str, tmp_path: Path) -> None:
    assert page(report_of(read_runs(write(tmp_path / "elsewhere")))) == text


def test_what_is_missing_or_failed_is_reported(tmp_path: Path) -> None:
    out = write(tmp_path / "run")
    next((out / "cpu-chip-2/cells").glob("*.json")).unlink()
    parsed = Elements(page(report_of(read_runs(out))))
    assert [row.get("data-outcome") for row in parsed.named("tr")].count("not ok") == 1
    data = unpacked(parsed)
    assert [cell["facts"][0] for cell in data["cells"]].count(["measurement", "missing"]) == 1


def test_text_from_suite_files_stays_text(tmp_path: Path) -> None:
    out = write(tmp_path / "run", HOSTILE)
    manifest = read_runs(out)[0].manifest
    reported = dataclasses.replace(manifest, title=HOSTILE, question=HOSTILE)
    runs = [dataclasses.replace(run, manifest=reported) for run in read_runs(out)]
    text = page(report_of(runs))
    parsed = Elements(text)
    assert len(parsed.scripts) == 3
    assert not parsed.named("img")
    assert "window.hit" not in parsed.scripts[2]
    data = unpacked(parsed)
    assert {cell["title"] for cell in data["cells"]} >= {f"{HOSTILE}, depth 3"}
    assert all(re.fullmatch(r"[A-Za-z0-9+/]+=*", packed.strip()) for packed in parsed.scripts[:2])
