"""The page in a browser: what a reader can do with it, by mouse, by keyboard, on a phone and from a link."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from helpers.made import measured, write_run

from vgbench.report.write import write_report
from vgbench.spec.case import Case

HOSTILE = '</script><script>window.hit = 1</script><img src=x onerror="window.hit = 2">&amp;\u2028'
CHROMIUM = Path("/usr/bin/chromium")


def case(depth: int, init: str = "glorot_normal") -> Case:
    return Case(depth=depth, width=4, init=init, learning_rates=(0.1, 0.2), seeds=(0, 1))


def write(out: Path, name: str) -> Path:
    """A run of two depths with a baseline and one mitigation, which goes by `name`."""
    cells = [
        *(("baseline", measured(case(depth), accuracy)) for depth, accuracy in ((3, 0.95), (6, 0.1))),
        *((name, measured(case(depth, "he_normal"), 0.96)) for depth in (3, 6)),
    ]
    return write_run(out, cells)


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
    goto(tab, written.as_uri())
    yield tab
    assert tab.evaluate("window.hit") is None
    assert not complaints
    context.close()


def goto(tab: Any, address: str) -> None:
    """Open a page, and wait until its script has begun."""
    tab.goto(address)
    tab.locator("html[data-theme]").wait_for()


def visible(tab: Any) -> int:
    return tab.locator("#results tbody tr:visible").count()


@pytest.mark.slow
def test_pictures_are_drawn_in_a_browser(opened: Any) -> None:
    pictures = opened.locator(".picture")
    for number in range(pictures.count()):
        if pictures.nth(number).is_visible():  # the answer is drawn for one of two widths
            pictures.nth(number).scroll_into_view_if_needed()
            pictures.nth(number).locator("svg.marks, canvas").wait_for()
    assert pictures.count() == 11


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


def heads(tab: Any) -> list[str]:
    return tab.locator("#results thead th:visible").all_text_contents()


@pytest.mark.slow
def test_columns_can_be_chosen(opened: Any) -> None:
    assert "step ratio ↓" in heads(opened)
    assert "latency ms ↓" not in heads(opened)
    opened.click("#columns summary")
    opened.check('[data-column="latency ms"]')
    opened.uncheck('[data-column="decay"]')
    assert "latency ms ↓" in heads(opened)
    assert "decay →0" not in heads(opened)


@pytest.mark.slow
def test_address_keeps_what_a_reader_sees(browser: Any, opened: Any) -> None:
    opened.select_option('select[data-axis="depth"]', "6")
    opened.locator("th", has_text="test accuracy").locator("button").click()
    opened.locator("th", has_text="test accuracy").locator("button").click()
    opened.click("#columns summary")
    opened.check('[data-column="latency ms"]')
    opened.locator("#results .open:visible").last.click()
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    goto(tab, opened.url)
    tab.locator("#details:visible").wait_for()
    assert visible(tab) == 2
    assert heads(tab) == heads(opened)
    assert tab.locator("th", has_text="test accuracy").get_attribute("aria-sort") == "descending"
    assert tab.locator("#details-title").text_content() == "baseline, depth 6"
    context.close()


@pytest.mark.slow
def test_heading_is_explained_on_focus(opened: Any) -> None:
    opened.locator("th", has_text="step ratio").locator("button").focus()
    assert opened.locator("#tip").is_visible()
    assert opened.locator("#tip").text_content().startswith("time of a training step over that of the reference's")


@pytest.mark.slow
@pytest.mark.parametrize("width", [1200, 1400])
def test_table_needs_no_scrolling_on_a_screen(browser: Any, written: Path, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900})
    tab = context.new_page()
    goto(tab, written.as_uri())
    assert tab.evaluate("document.querySelector('#table .scroll').scrollWidth") <= width - 32
    context.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_accessible(browser: Any, written: Path, scheme: str) -> None:
    if not (package := find_spec("axe_core_python")) or not package.origin:
        pytest.skip("axe-core-python is not installed")
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    tab = context.new_page()
    goto(tab, written.as_uri())
    tab.locator("#results .open").first.click()
    tab.locator("#details-pictures svg.marks").first.wait_for()
    tab.evaluate((Path(package.origin).parent / "axe.min.js").read_text())
    found = tab.evaluate("axe.run()")["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
    context.close()


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
    opened.locator("#details-pictures svg.marks").nth(3).wait_for()
    assert "ok" in opened.locator("#facts").text_content()
    opened.keyboard.press("Escape")
    assert not opened.locator("#details").is_visible()
    assert opened.evaluate("document.activeElement.className") == "open"


@pytest.mark.slow
def test_theme_follows_the_system_and_then_the_reader(browser: Any, written: Path) -> None:
    context = browser.new_context(color_scheme="dark")
    tab = context.new_page()
    goto(tab, written.as_uri())
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    tab.click("#theme")
    assert tab.evaluate("document.documentElement.dataset.theme") == "light"
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    context.close()


@pytest.mark.slow
def test_nothing_overflows_on_a_phone(browser: Any, written: Path) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    tab = context.new_page()
    goto(tab, written.as_uri())
    for number in range(tab.locator(".picture").count()):
        if tab.locator(".picture").nth(number).is_visible():
            tab.locator(".picture").nth(number).scroll_into_view_if_needed()
            tab.locator(".picture").nth(number).locator("svg.marks, canvas").wait_for()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    tab.locator("#columns summary").click()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    tab.locator("#columns summary").click()
    tab.locator("#results .open").first.click()
    tab.locator("#details-pictures svg.marks").first.wait_for()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    assert tab.evaluate("document.getElementById('details').scrollWidth") <= 360
    context.close()
