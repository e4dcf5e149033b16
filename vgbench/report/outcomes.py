"""How a row ended, in a word that has one colour on the page and in the terminal."""

from typing import NamedTuple

from vgbench.records.runs import Entry
from vgbench.report.diagnosed import diagnosed

OUTCOMES = {
    "trains": "every evaluation seed reaches the target",
    "some seeds": "some evaluation seeds reach the target, but not all",
    "does not train": "no evaluation seed reaches the target",
    "not trained": "gradients and cost were measured, but nothing was trained",
    "not ok": "a measurement is missing or failed; the row's details say why",
}
"""How a row ended, and what that means."""


class Outcome(NamedTuple):
    """How a row ended.

    Attributes:
        word: one of `OUTCOMES`.
        why: the evidence in words.
    """

    word: str
    why: str


def outcome(entry: Entry) -> Outcome:
    """How a row ended, by which readers can filter the table, and the evidence of its verdict."""
    if not entry.cell or entry.cell.status != "ok" or (entry.row.cost_id and not (entry.cost and entry.cost.cost)):
        return Outcome("not ok", OUTCOMES["not ok"])
    curves = entry.cell.training
    if curves is None:
        word = "not trained"
    elif curves.trained == len(curves.test_metric):
        word = "trains"
    else:
        word = "some seeds" if curves.trained else "does not train"
    found = [str(finding) for finding in diagnosed(entry.cell)]
    return Outcome(word, f"{word}: {OUTCOMES[word]}. {' '.join(found[:1])}".strip())
