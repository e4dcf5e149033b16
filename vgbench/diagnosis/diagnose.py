"""From records of any kind to an answer, and to one word for a table."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vgbench.boundary.run_file import Run
from vgbench.diagnosis import questions
from vgbench.diagnosis.answer import NOTHING, Diagnosis
from vgbench.diagnosis.consistency import consistent
from vgbench.diagnosis.evidence import Evidence
from vgbench.diagnosis.findings import Finding, Name
from vgbench.diagnosis.lines import from_lines, from_run
from vgbench.diagnosis.measured import from_curves, from_record
from vgbench.diagnosis.reading import Reading
from vgbench.diagnosis.rules.order import RULES
from vgbench.errors import InputError
from vgbench.instruments.model_profile import ModelProfile
from vgbench.measure.training import TrainingCurves
from vgbench.records.schema import CellRecord

Subject = CellRecord | TrainingCurves | Evidence | ModelProfile | Run | Sequence[Mapping[str, Any]]


def diagnose(subject: Subject) -> Diagnosis:
    """Say what a run shows: what is wrong with it, or that nothing is, or what would have to be recorded to tell.

    Args:
        subject: a cell's record, training curves, a profile of a model, records as `vgbench.watched` gives them, a run
            file's content, or `Evidence`. Of several seeds a finding counts that at least half of them show; where
            there is none and they are not alike, the verdict is "seeds differ", with that on each.

    Returns:
        The findings, the likeliest cause of trouble first, with what could be judged and is in order, and with the
        fields that are missing.

    Raises:
        InputError: records of another form.
    """
    runs = [Reading(run) for run in _runs(subject)]
    answer = _together(runs)
    if answer.findings or len(runs) < 2:
        return answer
    each = tuple(_together([run]).verdict for run in runs)
    alike = len(set(each)) == 1 or set(each) <= {NOTHING, "converged"}
    return answer if alike else replace(answer, by_seed=each)


def _together(runs: Sequence[Reading]) -> Diagnosis:
    """What at least half of the runs show."""
    found = []
    for rule in RULES:
        shown = _alike([finding for run in runs for finding in rule(run)])
        if shown and 2 * len(shown) >= len(runs):
            found.append(replace(shown[len(shown) // 2], seeds=(len(shown), len(runs))))
    kept = consistent(found)
    names: set[Name] = {finding.name for finding in kept}
    judged = [questions.in_order(run, names) for run in runs]
    return Diagnosis(
        findings=tuple(kept),
        judged=tuple(each for each in (judged[0] if judged else ()) if all(each in other for other in judged)),
        missing=tuple(dict.fromkeys(each for run in runs for each in questions.missing(run))),
        decided=bool(runs) and 2 * sum(map(questions.decided, runs)) > len(runs),
    )


def _alike(found: Sequence[Finding]) -> list[Finding]:
    """Those of the name that most seeds show; none where two names are shown equally often."""
    counts = Counter(each.name for each in found).most_common(2)
    if len(counts) == 2 and counts[0][1] == counts[1][1]:
        return []
    return [each for each in found if each.name == counts[0][0]]


def verdict(subject: Subject) -> str:
    """The first finding's name; where there is none, "seeds differ", "nothing found" or "not enough recorded"."""
    return diagnose(subject).verdict


def _runs(subject: Subject) -> list[Evidence]:
    if isinstance(subject, Evidence):
        return [subject]
    if isinstance(subject, CellRecord):
        return from_record(subject)
    if isinstance(subject, TrainingCurves):
        return from_curves(subject)
    if isinstance(subject, ModelProfile):
        return [from_run(subject.run())]
    if isinstance(subject, Run):
        return [from_run(subject)]
    if isinstance(subject, Sequence) and not isinstance(subject, str | bytes):
        return [from_lines(subject)]
    kinds = "a record, training curves, a profile or a list of records"
    raise InputError(f"diagnose: needs {kinds}, not {type(subject).__name__}")
