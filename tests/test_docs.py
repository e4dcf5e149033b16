"""The documentation: built as its readers build it, without a warning, whole, and with no broken link inside."""

import importlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import vgbench as vg
from vgbench.spec.suite import built_in_suites, read_suite

ROOT = Path(__file__).parents[1]
BUILD = "sphinx-build -W -b html docs docs/_build"
PAGES = (
    "index",
    "getting-started",
    "concepts",
    "protocol",
    "running",
    "promises",
    "scaling",
    "diagnosis",
    "speed",
    "members",
    "columns",
    "api",
    "glossary",
    "architecture",
    "adding",
    "changelog",
)


def test_readme_gives_the_command_that_is_tested_here() -> None:
    assert BUILD in (ROOT / "README.md").read_text()


def test_reference_names_the_whole_public_api() -> None:
    named = re.findall(r"^\.\. auto\w+:: vgbench\.(\w+)$", (ROOT / "docs/api.md").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(vg.__all__)


def test_suite_pages_give_the_commands_that_their_results_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sphinx", reason="needs the extra docs")
    monkeypatch.syspath_prepend(str(ROOT / "docs/_extensions"))
    suite_pages = importlib.import_module("suite_pages")
    page = suite_pages._page(read_suite("quickstart"), suite_pages._Source(ROOT / "docs/suites", ROOT / "results"))
    assert "`vgbench run quickstart` and published with `vgbench publish runs/quickstart results/`" in page


def test_no_page_says_that_runs_are_written_among_the_published_results() -> None:
    written = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "results/README.md", *(ROOT / "docs").glob("*.md")]
    for path in [*written, *(ROOT / "docs/_extensions").glob("*.py")]:
        assert not re.search(r"vgbench run \S+ --out results", path.read_text()), path


class Page(HTMLParser):
    """What a page can be linked at, and what it links to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.anchors, self.links, self.text = path, {""}, list[str](), ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors.add(given.get("id") or "")
        self.links += [given[name] or "" for name in ("href", "src") if name in given]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    """The built pages by their paths."""
    pytest.importorskip("furo", reason="needs the extra docs")
    out = tmp_path_factory.mktemp("docs") / "_build"
    command = [sys.executable, "-m", "sphinx", *BUILD.split()[1:-1], str(out)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return {path: Page(path) for path in out.rglob("*.html")}


def broken(pages: dict[Path, Page]) -> Iterator[str]:
    for page in pages.values():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
            if not target.exists():
                yield f"{page.path.name}: {link}"
            elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{page.path.name}: {link} (no such place)"


@pytest.mark.slow
def test_every_page_is_there_and_no_link_inside_is_broken(pages: dict[Path, Page]) -> None:
    suites = {f"suites/{suite.name}.html" for suite in built_in_suites()}
    built = {"/".join(path.parts[path.parts.index("_build") + 1 :]) for path in pages}
    assert {f"{name}.html" for name in PAGES} | suites <= built
    assert list(broken(pages)) == []


@pytest.mark.slow
def test_suite_pages_ask_the_question_and_show_what_is_published(pages: dict[Path, Page]) -> None:
    text = {path.stem: " ".join(page.text.split()) for path, page in pages.items() if path.parent.name == "suites"}
    for suite in built_in_suites():
        assert suite.question in text[suite.name]
        published = (ROOT / "results" / suite.name / "table.md").exists()
        assert ("Not published." in text[suite.name]) != published
        if published:
            assert "95 % t-interval over seeds" in text[suite.name]


@pytest.mark.slow
def test_reference_has_a_place_for_every_name(pages: dict[Path, Page]) -> None:
    (api,) = [page for path, page in pages.items() if path.name == "api.html"]
    assert {f"vgbench.{name}" for name in vg.__all__} <= api.anchors


@pytest.fixture
def address(pages: dict[Path, Page]) -> Iterator[str]:
    """Where the built site is served, as any host would serve the folder."""
    (index,) = [path for path in pages if path.name == "index.html" and path.parent.name == "_build"]
    handler = partial(SimpleHTTPRequestHandler, directory=str(index.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.slow
def test_site_is_walked_from_a_search_to_the_details_of_a_cell(address: str) -> None:
    chromium = Path("/usr/bin/chromium")
    if not chromium.exists():
        pytest.skip(f"no {chromium}: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium), args=["--no-sandbox"])
        tab = browser.new_page()
        tab.goto(f"{address}/search.html?q=relu_pre_norm")
        tab.locator("#search-results a", has_text="mitigations").first.click()
        tab.get_by_role("link", name="The interactive page").click()
        tab.locator("#results .open").first.click()
        tab.locator("#details-pictures svg.marks").first.wait_for()
        assert tab.locator("#details-title").text_content() == "baseline, depth 8"
        assert tab.url.startswith(f"{address}/results/mitigations.html#")
        browser.close()
