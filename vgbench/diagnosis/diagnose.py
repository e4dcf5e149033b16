"""From curves or records to findings, and to one word for a table."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vgbench.diagnosis.evidence import Evidence, from_curves, from_record
from vgbench.diagnosis.findings import Finding
from vgbench.diagnosis.lines import from_lines
from vgbench.diagnosis.reading import Reading
from vgbench.diagnosis.rules import RULES
from vgbench.errors import InputError
from vgbench.measure.training import TrainingCurves
from vgbench.records.schema import CellRecord

Subject = CellRecord | TrainingCurves | Evidence | Sequence[Mapping[str, Any]]


def diagnose(subject: Subject) -> list[Finding]:
    """Say what a run shows, the likeliest cause of trouble first; nothing where all is well.

    Args:
        subject: a cell's record, training curves, records as `vgbench.watched` gives them, or `Evidence`. Of several
            seeds a finding counts that at least half of them show.

    Raises:
        InputError: records of another form.
    """
    runs = [Reading(run) for run in _runs(subject)]
    told = []
    for rule in RULES:
        shown = [finding for run in runs for finding in rule(run)]
        if shown and 2 * len(shown) >= len(runs):
            told.append(replace(shown[len(shown) // 2], seeds=(len(shown), len(runs))))
    return told


def verdict(subject: Subject) -> str:
    """The first finding's name; `healthy` where there is none."""
    findings = diagnose(subject)
    return findings[0].name if findings else "healthy"


def _runs(subject: Subject) -> list[Evidence]:
    if isinstance(subject, Evidence):
        return [subject]
    if isinstance(subject, CellRecord):
        return from_record(subject)
    if isinstance(subject, TrainingCurves):
        return from_curves(subject)
    if isinstance(subject, Sequence) and not isinstance(subject, str | bytes):
        return [from_lines(subject)]
    raise InputError(f"diagnose: needs a record, training curves or a list of records, not {type(subject).__name__}")
