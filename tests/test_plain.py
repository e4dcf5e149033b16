"""Text from files stays text in whatever it is written to."""

import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from helpers.command_line import TINY, vgbench
from helpers.made import ORIGIN, measured, write_run
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from vgbench.cli.log import Log
from vgbench.errors import InputError
from vgbench.harness.progress import Progress
from vgbench.harness.run_lock import lock_run
from vgbench.harness.workers.worker import classify
from vgbench.plain import one_line, printable
from vgbench.records.origin import Device
from vgbench.records.schema import Manifest
from vgbench.records.store import device_folders, read_record, write_record
from vgbench.report import write_report
from vgbench.report.latex import tex
from vgbench.report.markdown import escape, inline
from vgbench.report.publish import publish
from vgbench.spec.case import Case

OBEYED = re.compile(r"[^\n\x20-\x7e\xa0-\u061b\u061d-\u200d\u2010-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\U0010ffff]")
HOSTILE = (
    "=cmd() [link=http://evil.test]click[/link] [a](http://evil.test) ![i](//evil.test/i.png) [b]: //evil.test"
    " <img src=x onerror=alert(1)> &lt; `code` **bold** _em_ ~~out~~ $x$ www.evil.test a@evil.test | cell"
    " \\input{/etc/passwd} % rest & {x}\n# heading\n\n- item"
    "\x1b[31m\x1b]0;title\x07\x9b2J\u202egnp.exe\u2066\r\u2028end"
)
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run all of whose text is hostile: names, title, question, values of axes, device, flags and reasons."""
    cells = [("baseline", measured(Case(depth=3, width=4, seeds=(0, 1), learning_rates=(0.1, 0.2)), 0.95))]
    other = measured(Case(depth=3, width=4, seeds=(0, 1), learning_rates=(0.1, 0.2), init="lecun_normal"), 0.96)
    failed = Case(depth=3, width=4, seeds=(0, 1), learning_rates=(0.1, 0.2), init="glorot_normal")
    crashed = replace(measured(failed), status="crashed", reason=HOSTILE, gradients=None, forward=None, training=None)
    origin = replace(ORIGIN, device=Device("cpu", HOSTILE, 2), xla_flags=HOSTILE, commit=HOSTILE, python=HOSTILE)
    cells += [(HOSTILE, other), (f"-2+3{HOSTILE}", crashed)]
    out = write_run(tmp_path_factory.mktemp("hostile") / "out", cells, origin=origin)
    (folder,) = device_folders(out)
    manifest = read_record(folder.manifest, Manifest)
    rows = [replace(row, axes={**row.axes, "norm": f"{HOSTILE} {row.place}"}) for row in manifest.rows]
    write_record(folder.manifest, replace(manifest, title=HOSTILE, question=HOSTILE, rows=tuple(rows)))
    write_report(out, ("md", "csv", "latex", "html"), ("svg",))
    return out


def tokens(text: str) -> list[Token]:
    return [inner for token in MARKDOWN.parse(text) for inner in (token, *(token.children or ()))]


def words(tokens: Sequence[Token]) -> str:
    return "".join(token.content for token in tokens if token.type in ("text", "code_inline"))


def test_markdown_page_has_its_own_markup_alone(run: Path) -> None:
    text = (run / "table.md").read_text()
    assert not OBEYED.search(text)
    reported = text.partition("**↑, ↓, →0**")[0]  # the legend is vgbench's own
    found = tokens(reported)
    kinds = {token.type for token in found}
    assert not kinds & {
        "link_open",
        "image",
        "html_inline",
        "html_block",
        "code_inline",
        "fence",
        "code_block",
        "em_open",
    }
    assert not kinds & {"s_open", "blockquote_open", "ordered_list_open", "hr"}
    assert [token.tag for token in found if token.type == "heading_open"] == ["h1"]
    assert not re.search(r"(?<!\\)://|www\.|(?<!\\)@", reported)
    rows = [line for line in reported.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in rows[:5]} == {rows[0].count("|")}
    assert words(MARKDOWN.parse(reported)[1].children or ()) == one_line(HOSTILE)


@given(st.text(st.sampled_from("\\`*_{}[]()#+-.!|~&:@=$<>%^ \n\t'\"a1;x")))
def test_escaped_text_is_read_back_by_markdown_as_it_was(text: str) -> None:
    expected = one_line(text)
    for context in ("# {}", "- {}", "{}") if expected else ():
        (found,) = [token for token in MARKDOWN.parse(context.format(escape(text))) if token.type == "inline"]
        assert words(found.children or ()) == expected
        assert {token.type for token in found.children or ()} == {"text"}
    table = MARKDOWN.parse(f"| a | b |\n|---|---|\n| {inline(text)} | c |\n")
    cells = [words(token.children or ()) for token in table if token.type == "inline"]
    assert cells == ["a", "b", expected, "c"]


def test_csv_cells_are_no_formulas_and_numbers_stay_numbers(run: Path) -> None:
    text = (run / "table.csv").read_text()
    assert not OBEYED.search(text)
    head, *rows = list(csv.reader(StringIO(text)))
    for row in rows:
        for cell in row:
            try:
                float(cell)
            except ValueError:
                assert not re.match(r"[=+@\t\r-]", cell), cell
    assert {row[head.index("mitigation")][0] for row in rows} == {"b", "'"}
    assert rows[0][head.index("decay")] == "-1"


def test_latex_has_no_commands_from_text(run: Path) -> None:
    text = (run / "table.tex").read_text()
    assert not OBEYED.search(text)
    assert "\\input" not in text
    assert all(line.startswith("%") for line in text.splitlines() if "onerror" in line and "%" in line[:1])


@pytest.mark.parametrize("text", ["[1cm] x", "* x"])
def test_latex_takes_no_cell_for_an_argument_of_the_row_before_it(text: str) -> None:
    assert tex(text) == f"{{{text[0]}}}{text[1:]}"


def test_pictures_show_no_control_characters(run: Path) -> None:
    pictures = list((run / "pictures").glob("*.svg"))
    assert len(pictures) > 3
    for path in pictures:
        text = path.read_text()
        assert not OBEYED.search(text)
        assert ElementTree.fromstring(text) is not None


@pytest.mark.parametrize(
    "arguments", [["report"], ["status"], ["diagnose"], ["theory"], ["compare", "RUN"]], ids=lambda each: each[0]
)
def test_terminal_gets_text_alone(run: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as in a terminal, whose own sequences are of colour and weight
    result = vgbench(*(run if each == "RUN" else each for each in arguments), run)
    assert (result.code, result.err) == (0, "")
    assert not OBEYED.search(re.sub(r"\x1b\[[0-9;]*m", "", result.out))
    assert "\x1b[31m" not in result.out
    assert "\\x1b[31m" in re.sub(r"[│\s]", "", result.out) or arguments[0] == "compare"
    assert "\x1b]" not in result.out  # rich would write a link so


def test_suite_and_progress_and_log_get_text_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = '"\\u001b[31m\\u202e\\nend"'
    Path("tiny.toml").write_text(TINY.replace("relu =", f"{name} ="))
    shown = vgbench("run", "tiny.toml", "--dry-run")
    assert "\\x1b[31m\\u202e end, depth 2\n" in shown.out
    assert not OBEYED.search(shown.out)
    refused = vgbench("run", "tiny.toml", "--set", "depth=0")
    assert refused.code == 2
    Path("tiny.toml").write_text(TINY.replace("relu =", f"{name} =").replace('"relu"', '"\\u001b[31m\\u202e"'))
    refused = vgbench("run", "tiny.toml", "--dry-run")
    assert (refused.code, refused.out) == (2, "")
    assert not OBEYED.search(refused.err)
    assert refused.err.count("\n") == 1
    Log(Path("log"))._say("\x1b[31m\u202e\nend")
    assert Path("log").read_text().endswith(" \\x1b[31m\\u202e end\n")
    with lock_run(tmp_path / "out") as lock:
        lock.note("\x1b[31m", Progress(0, 0, 1, None))
        assert "\x1b" not in vgbench("status", "out").out


def test_index_of_published_runs_has_its_own_links_alone(run: Path, tmp_path: Path) -> None:
    out = write_run(tmp_path / "out", [("baseline", measured(Case(depth=3, seeds=(0, 1), learning_rates=(0.1, 0.2))))])
    (own,) = device_folders(out)
    write_record(own.manifest, replace(read_record(own.manifest, Manifest), title=HOSTILE))
    publish(out, tmp_path / "results", allow=["dirty", "stale"])
    found = tokens((tmp_path / "results" / "README.md").read_text())
    links = [str(token.attrs["href"]) for token in found if token.type == "link_open"]
    assert links == [f"tiny/{name}" for name in ("table.md", "report.html", "pictures/answer.png")]
    assert not {token.type for token in found} & {"image", "html_inline", "code_inline", "em_open"}


def test_errors_write_out_control_characters_and_keep_their_lines() -> None:
    assert str(InputError("a\x1b[31m\nb\u202e")) == "a\\x1b[31m\nb\\u202e"
    assert printable("\ud800é → ± \u200d \xa0") == "\\ud800é → ± \u200d \xa0"


def test_reason_of_a_failure_can_be_written_whatever_the_error_says() -> None:
    assert classify(RuntimeError("\udcff\x1b[31m\nmore")) == ("crashed", "RuntimeError: \\udcff\\x1b[31m")
