"""The page that stands alone: what is in it, that text stays text, and that it works in a browser."""

import dataclasses
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from helpers.made import measured, write_run

from vgbench.records.runs import read_runs
from vgbench.report.page import page
from vgbench.report.report import report_of
from vgbench.report.write import write_report
from vgbench.spec.case import Case

HOSTILE = '</script><script>window.hit = 1</script><img src=x onerror="window.hit = 2">&amp;\u2028'
CHROMIUM = Path("/usr/bin/chromium")


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


def test_page_opens_with_the_findings_and_holds_every_row(text: str) -> None:
    assert text.index("Depth 3: the cheapest mitigation that trains") < text.index("<table")
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
    data = json.loads(Elements(text).scripts[0])
    assert list(data["pictures"]) == [
        *("gradients", "forward", "accuracy", "benefit", "curves", "heatmap", "histograms", "cost"),
    ]
    assert [cell["title"] for cell in data["cells"]] == [
        *("baseline, depth 3", "baseline, depth 6", "he, depth 3", "he, depth 6"),
    ]
    for cell in data["cells"]:
        assert set(cell["pictures"]) == set(data["views"]) == {"layers", "forward", "curves", "rounds"}
        facts = dict(cell["facts"])
        assert facts["measurement"] == "ok"
        assert facts["measurement by"].startswith("Chip (2 CPU cores); vgbench 0.1")
        assert json.loads(cell["case"])["width"] == 4


def test_page_is_the_same_whenever_the_records_are(text: str, tmp_path: Path) -> None:
    assert page(report_of(read_runs(write(tmp_path / "elsewhere")))) == text


def test_what_is_missing_or_failed_is_reported(tmp_path: Path) -> None:
    out = write(tmp_path / "run")
    next((out / "cpu-chip-2/cells").glob("*.json")).unlink()
    parsed = Elements(page(report_of(read_runs(out))))
    assert [row.get("data-outcome") for row in parsed.named("tr")].count("not ok") == 1
    data = json.loads(parsed.scripts[0])
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
    assert "window.hit" not in parsed.scripts[1] + parsed.scripts[2]
    data = json.loads(parsed.scripts[0])
    assert {cell["title"] for cell in data["cells"]} >= {f"{HOSTILE}, depth 3"}
    assert not re.search(r"<(?!/script>)", parsed.scripts[0])


# In a browser.


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip(f"no {CHROMIUM}: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run whose mitigation has a hostile name, on disk."""
    out = write(tmp_path_factory.mktemp("run"), HOSTILE)
    write_report(out, formats=("html",))
    return out / "report.html"


@pytest.fixture
def opened(browser: Any, written: Path) -> Iterator[Any]:
    """The page, opened from disk; whatever it complains of or asks the network for fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    tab, complaints = context.new_page(), []
    tab.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda asked: complaints.append(asked.url) if asked.url.startswith("http") else None)
    tab.goto(written.as_uri())
    yield tab
    assert tab.evaluate("window.hit") is None
    assert not complaints
    context.close()


def visible(tab: Any) -> int:
    return tab.locator("#results tbody tr:visible").count()


@pytest.mark.slow
def test_pictures_are_drawn_in_a_browser(opened: Any) -> None:
    pictures = opened.locator(".picture")
    for number in range(pictures.count()):
        pictures.nth(number).scroll_into_view_if_needed()
        pictures.nth(number).locator("canvas").wait_for()
    assert pictures.count() == 8


@pytest.mark.slow
def test_filters_narrow_the_table(opened: Any) -> None:
    assert visible(opened) == 4
    opened.select_option('select[data-axis="depth"]', "6")
    assert visible(opened) == 2
    opened.select_option("#outcome", "does not train")
    assert visible(opened) == 1
    assert opened.locator("#count").text_content() == "1 of 4 rows"
    opened.select_option("#outcome", "")
    opened.fill("#search", "BASE")
    assert opened.locator("#results tbody tr:visible .open").all_text_contents() == ["baseline"]
    assert opened.locator("#results th:visible", has_text="step ratio").count() == 0
    opened.select_option("#side", "cost")
    assert opened.locator("#results th:visible", has_text="step ratio").count() == 1
    assert opened.locator("#results th:visible", has_text="decay").count() == 0


@pytest.mark.slow
def test_heads_sort_by_number_both_ways(opened: Any) -> None:
    head = opened.locator("th", has_text="test accuracy")

    def shown() -> list[float]:
        cells = opened.locator('td[data-name="test accuracy"]').all_text_contents()
        return [float(cell.split()[0]) for cell in cells]

    head.locator("button").click()
    assert shown() == sorted(shown())
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").click()
    assert shown() == sorted(shown(), reverse=True)


@pytest.mark.slow
def test_details_open_and_close_by_keyboard(opened: Any) -> None:
    opened.locator("#results .open").nth(3).focus()
    opened.keyboard.press("Enter")
    assert opened.locator("#details-title").text_content() == f"{HOSTILE}, depth 6"
    opened.locator("#details-pictures canvas").nth(3).wait_for()
    assert "ok" in opened.locator("#facts").text_content()
    opened.keyboard.press("Escape")
    assert not opened.locator("#details").is_visible()
    assert opened.evaluate("document.activeElement.className") == "open"


@pytest.mark.slow
def test_theme_follows_the_system_and_then_the_reader(browser: Any, written: Path) -> None:
    context = browser.new_context(color_scheme="dark")
    tab = context.new_page()
    tab.goto(written.as_uri())
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    tab.click("#theme")
    assert tab.evaluate("document.documentElement.dataset.theme") == "light"
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    context.close()


@pytest.mark.slow
def test_nothing_overflows_on_a_phone(browser: Any, written: Path) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    tab = context.new_page()
    tab.goto(written.as_uri())
    for number in range(tab.locator(".picture").count()):
        tab.locator(".picture").nth(number).scroll_into_view_if_needed()
        tab.locator(".picture").nth(number).locator("canvas").wait_for()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab.locator("#results .open").first.click()
    tab.locator("#details-pictures canvas").first.wait_for()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert tab.evaluate("document.getElementById('details').scrollWidth") <= 390
    context.close()
