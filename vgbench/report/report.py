"""What there is to tell of a run, before it is written in one form or another."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from vgbench.report.frames import frame
from vgbench.report.headlines import headlines
from vgbench.report.runs import Run, footer
from vgbench.report.tables import display, failures


@dataclass(frozen=True)
class Report:
    """What is told of a run, for whoever wants to show it.

    Attributes:
        suite: its name.
        title: of the suite.
        question: that the suite answers.
        sentences: the findings.
        table: as text.
        failures: one line for each measurement that is not ok, with the reason.
        footer: what produced the records and when; numbered where there is more than one.
        files: the paths written.
    """

    suite: str
    title: str
    question: str
    sentences: list[str]
    table: pd.DataFrame
    failures: list[str]
    footer: list[str]
    files: list[Path]

    @property
    def all_ok(self) -> bool:
        """Whether every measurement is there and ok."""
        return not self.failures


def report_of(runs: Sequence[Run]) -> Report:
    """What there is to tell of the runs of a suite; nothing is written."""
    data, manifest = frame(runs), runs[0].manifest
    return Report(
        suite=manifest.suite,
        title=manifest.title,
        question=manifest.question,
        sentences=headlines(data),
        table=display(data),
        failures=failures(data),
        footer=footer(runs),
        files=[],
    )
