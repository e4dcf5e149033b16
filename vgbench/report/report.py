"""The report of a run, before it is written in one form or another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from vgbench.errors import InputError, unknown
from vgbench.pictures.compose import Definition
from vgbench.pictures.render import interactive
from vgbench.records.runs import Run, footer, swept
from vgbench.records.seeds import lacking
from vgbench.report import coordinates, transfer
from vgbench.report.answer import answer
from vgbench.report.charts import PICTURES
from vgbench.report.claims import Judged, judged, lines
from vgbench.report.coordinates import Check, checks
from vgbench.report.devices import TITLE, Across, across
from vgbench.report.frames import frame
from vgbench.report.headlines import headlines
from vgbench.report.html_table import html_table
from vgbench.report.tables import display, failures, known_halves

_PRICE = (
    "price: {:g} an hour of one device, for the training steps of the median seed until it reaches the target (s to"
    " target); compiling, choosing the learning rate and evaluating are not included"
)


@dataclass(frozen=True)
class Report:
    """The findings, the tables and the pictures of the runs of a suite, one a device.

    Attributes:
        suite: its name.
        title: of the suite.
        question: that the suite answers.
        answer: the findings in two sentences.
        sentences: the findings.
        frame: its numbers, as `vgbench.load` gives them.
        table: as text.
        failures: one line for each measurement that is not ok, with the reason.
        footer: what produced the records and when; numbered where there is more than one. Then what a price includes.
        checks: the coordinate checks of the run; empty where it has none.
        claims: the verdicts on the claims of its suite, a device each; empty where it has none.
        devices: what carries over from one device to the others; None with a single one.
        files: the paths written.
        runs: that it is made from.
    """

    suite: str
    title: str
    question: str
    answer: list[str]
    sentences: list[str]
    frame: pd.DataFrame
    table: pd.DataFrame
    failures: list[str]
    footer: list[str]
    checks: list[Check]
    claims: list[Judged]
    devices: Across | None
    files: list[Path]
    runs: Sequence[Run]

    @property
    def all_ok(self) -> bool:
        """Whether every measurement is there and ok."""
        return not self.failures

    @property
    def further(self) -> list[tuple[str, pd.DataFrame]]:
        """Tables with their titles that follow the main one: exponents of coordinate checks, and several devices."""
        return [*coordinates.tables(self.checks), *([(TITLE, self.devices.table)] if self.devices else [])]

    @cached_property
    def pictures(self) -> dict[str, Definition]:
        """Those of `PICTURES` that the run has something for."""
        drawn = {name: picture.draw(self.runs, self.frame, self.checks) for name, picture in PICTURES.items()}
        return {name: definition for name, definition in drawn.items() if definition is not None}

    @property
    def first(self) -> str:
        """The name of the picture that answers the suite's question, where the run has it."""
        return "coordinates" if self.checks else "answer"

    def chart(self, name: str) -> Any:
        """One of `PICTURES` as an Altair chart; None where the run has nothing of the kind.

        Raises:
            InputError: there is no such picture.
        """
        if name not in PICTURES:
            raise InputError(unknown("picture", name, PICTURES))
        definition = PICTURES[name].draw(self.runs, self.frame, self.checks)
        return None if definition is None else interactive(definition)

    def _repr_html_(self) -> str:
        listed = [*self.sentences, *lines(self.claims), *self.failures]
        sentences = "".join(f"<li>{escape(sentence)}</li>" for sentence in listed)
        origin = "".join(f"<p><small>{escape(line)}</small></p>" for line in self.footer)
        shown = [*known_halves(self.table).values(), *(table for _, table in self.further)]
        tables = "".join(map(html_table, shown))
        return f"<h3>{escape(self.title)}</h3><p>{escape(self.question)}</p><ul>{sentences}</ul>{tables}{origin}"


def report_of(runs: Sequence[Run], price: float | None = None) -> Report:
    """The report of the runs of a suite, with the price of reaching the target if that of an hour is given.

    Raises:
        InputError: the price is not positive, or for several devices.
    """
    data, manifest, claims, found = frame(runs, price), runs[0].manifest, judged(runs), checks(runs)
    axes, carried = swept(runs), transfer.transfers(runs)
    devices = across(data, axes)
    trained = bool(data["trained"].notna().to_numpy().any())
    return Report(
        suite=manifest.suite,
        title=manifest.title,
        question=manifest.question,
        answer=coordinates.answer(found) or ([] if claims else transfer.answer(carried)) or answer(data, axes, claims),
        sentences=[
            *coordinates.sentences(found),
            *transfer.sentences(carried),
            *(headlines(data, axes) if trained or not found else []),
            *([devices.sentence] if devices else []),
        ],
        frame=data,
        table=display(data),
        failures=[*failures(runs), *_incomplete(runs)],
        footer=[*footer(runs), *([] if price is None else [_PRICE.format(price)])],
        checks=found,
        claims=claims,
        devices=devices,
        files=[],
        runs=runs,
    )


def _incomplete(runs: Sequence[Run]) -> Iterator[str]:
    """A line for each row whose record lacks some of the seeds that the run asks for."""
    for entry in (entry for run in runs for entry in run.entries):
        if entry.cell and (seeds := lacking(entry.cell, entry.row.seeds)):
            yield f"{entry.row.label}: seeds {', '.join(map(str, seeds))} are not measured yet"
