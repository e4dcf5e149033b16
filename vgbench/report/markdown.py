"""Tables and the report as a page in GitHub's Markdown; text from suite files stays text."""

from collections.abc import Iterator, Sequence

import pandas as pd
from tabulate import tabulate

from vgbench.claims.judge import Judgement
from vgbench.report.claims import NOTE, Judged, effect
from vgbench.report.report import Report
from vgbench.report.tables import LEGEND, Bold, alignment, halves, header


def escape(text: str) -> str:
    """Text from a suite's file as plain text on one line of a Markdown page."""
    return " ".join(text.splitlines()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _markdown_cell(text: str) -> str:
    return f"**{escape(text)}**" if isinstance(text, Bold) else escape(text)


def markdown(table: pd.DataFrame) -> str:
    """The table in GitHub's Markdown."""
    return tabulate(
        table.map(_markdown_cell),  # pyright: ignore[reportArgumentType]
        headers=[header(escape(str(name))) for name in table.columns],
        tablefmt="github",
        showindex=False,
        disable_numparse=True,
        colalign=alignment(table),
    )


def page(report: Report) -> str:
    """The whole report: findings, both halves of the table, what is not ok, what the columns mean, and the origin."""
    findings = "\n".join(f"- {escape(sentence)}" for sentence in report.sentences)
    tables = "\n\n".join(map(markdown, halves(report.table)))
    not_ok = "".join(f"- {escape(line)}\n" for line in report.failures)
    not_ok = f"Not ok:\n\n{not_ok}\n" if not_ok else ""
    legend = "\n".join(f"- **{name}**: {meaning}" for name, meaning in LEGEND.items())
    origin = "\n\n".join(report.footer)
    head = f"# {escape(report.title)}\n\n{escape(report.question)}\n\n{findings}"
    return f"{head}\n\n{tables}\n\n{origin}\n\n{not_ok}{legend}\n"


def claims_page(report: Report) -> str:
    """What became of each claim: verdict, effects with their intervals, the cells behind them, the rule."""
    parts = [f"# {escape(report.title)}", escape(report.question), NOTE]
    for judged in report.claims:
        if len(report.claims) > 1:
            parts.append(f"# {escape(judged.device)}")
        parts += [verdicts(judged), "\n".join(f"- {escape(line)}" for line in (judged.rules, *judged.records))]
        parts += [text for judgement in judged.judgements for text in _claim(judgement)]
    return "\n\n".join(parts) + "\n"


def verdicts(judged: Judged) -> str:
    """The verdict on each claim in a table."""
    rows = [(judgement.claim.sentence, judgement.verdict) for judgement in judged.judgements]
    return _claims_table(("claim", "verdict"), rows)


def _claim(judgement: Judgement) -> Iterator[str]:
    claim = judgement.claim
    told = {
        "Hypothesis": claim.hypothesis,
        "Measured": claim.measure,
        "Rule": str(claim.rule),
        "Verdict": judgement.words,
    }
    yield f"## {escape(claim.sentence)}"
    yield "\n".join(f"- {name}: {escape(text)}" for name, text in told.items())
    rows = [(each.label, effect(each.effect), each.verdict, ", ".join(each.cells)) for each in judgement.conditions]
    yield _claims_table(("condition", "effect", "verdict", "cells"), rows)


def _claims_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    written = [[escape(text) for text in row] for row in rows]
    return tabulate(written, headers=list(heads), tablefmt="github", disable_numparse=True)
