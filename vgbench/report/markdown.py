"""Tables and the report as a page in GitHub's Markdown; text from suite files stays text."""

import re
from collections.abc import Iterator, Sequence

import pandas as pd
from tabulate import tabulate

from vgbench.claims.judge import Judgement
from vgbench.plain import one_line
from vgbench.report.claims import Judged, effect, note
from vgbench.report.columns.column import Bold
from vgbench.report.report import Report
from vgbench.report.reproduce import command
from vgbench.report.tables import header, known_halves, legend, tabulated

_MARKS = re.compile(
    r"[\\`~|$@]"  # code, text that is struck out, cells, formulas, addresses
    r"|(?<!\s)\*|\*(?!\s)|(?<![^\W_])_|_(?![^\W_])"  # emphasis, but for underscores within words
    r"|\](?=[(\[:])|:(?=//)|(?<=www)\."  # links, images and what defines them
    r"|^\#|(?<!\S)\#(?=\#*$)",  # the beginning of a heading, and its end
    re.IGNORECASE,
)
_IN_PAIRS = "`*_~$"
_BLOCK = re.compile(r"^(?:(\d+)(?=[.)](?:\s|$))|(?=[-+](?!\d)|[*=>%:\[{]))")
"""Where a backslash keeps a line from beginning a list, a quotation or the like."""


def escape(text: str) -> str:
    """Text from a file as plain text on a line of its own in a Markdown page."""
    return _BLOCK.sub(r"\1\\", inline(text))


def inline(text: str) -> str:
    """Text from a file as plain text within a line of a Markdown page, such as a table's."""
    line = one_line(text)

    def mark(found: re.Match[str]) -> str:
        alone = found[0] in _IN_PAIRS and line.count(found[0]) == 1
        return found[0] if alone else f"\\{found[0]}"

    return re.sub(r"&(?=[#\w])", "&amp;", _MARKS.sub(mark, line)).replace("<", "&lt;")


def _markdown_cell(text: str) -> str:
    return f"**{inline(text)}**" if isinstance(text, Bold) else inline(text)


def markdown(table: pd.DataFrame) -> str:
    """The table in GitHub's Markdown."""
    return tabulated(table, "github", _markdown_cell, lambda name: header(inline(name)))


def page(report: Report) -> str:
    """The whole report: findings, the halves of the table, what is not ok, what the columns mean, and the origin."""
    findings = "\n".join(f"- {escape(sentence)}" for sentence in report.sentences)
    known = known_halves(report.table).values()
    tables = "\n\n".join([*map(markdown, known), *map(_titled, report.further)])
    not_ok = "".join(f"- {escape(line)}\n" for line in report.failures)
    not_ok = f"Status other than ok:\n\n{not_ok}\n" if not_ok else ""
    meanings = "\n".join(f"- **{inline(name)}**: {meaning}" for name, meaning in legend(*known).items())
    origin = "\n\n".join(map(escape, report.footer))
    head = f"# {escape(report.title)}\n\n{escape(report.question)}\n\n{findings}"
    again = f"Measured again by: {inline(command(report.runs))}"
    return f"{head}\n\n{tables}\n\n{origin}\n\n{again}\n\n{not_ok}{meanings}\n"


def _titled(table: tuple[str, pd.DataFrame]) -> str:
    title, content = table
    rows = [[*map(str, row)] for row in content.to_numpy()]
    return f"{escape(title)}:\n\n{_text_table([*map(str, content)], rows)}"


def claims_page(report: Report) -> str:
    """Each claim: verdict, effects with their intervals, the cells behind them, the rule."""
    parts = [f"# {escape(report.title)}", escape(report.question), note(report.claims)]
    for judged in report.claims:
        if len(report.claims) > 1:
            parts.append(f"# {escape(judged.device)}")
        parts += [verdicts(judged), "\n".join(f"- {escape(line)}" for line in (judged.rules, *judged.records))]
        parts += [text for judgement in judged.judgements for text in _claim(judgement)]
    return "\n\n".join(parts) + "\n"


def verdicts(judged: Judged) -> str:
    """The verdict on each claim in a table."""
    rows = [(judgement.claim.sentence, judgement.outcome) for judgement in judged.judgements]
    return _text_table(("claim", "verdict"), rows)


def _claim(judgement: Judgement) -> Iterator[str]:
    decision = {"Decision": judgement.note} if judgement.note else {}
    facts = {**judgement.claim.facts, "Verdict": judgement.words, **decision}
    yield f"## {escape(judgement.claim.sentence)}"
    yield "\n".join(f"- {name}: {inline(text)}" for name, text in facts.items())
    rows = [(each.label, effect(each.effect), each.words, ", ".join(each.cells)) for each in judgement.conditions]
    yield _text_table(("condition", "effect", "verdict", "cells"), rows)


def _text_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    written = [[inline(text) for text in row] for row in rows]
    return tabulate(written, headers=[*map(inline, heads)], tablefmt="github", disable_numparse=True)
