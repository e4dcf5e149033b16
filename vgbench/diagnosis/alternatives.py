"""Causes that what was recorded does not tell from the one that is named."""

from dataclasses import replace

from vgbench.diagnosis.findings import Finding, Name
from vgbench.diagnosis.words import SUGGESTIONS

MOST = 2
"""How many a finding lists: a longer list says nothing."""


def beside(finding: Finding, *others: Name) -> Finding:
    """The finding with further alternatives, the likeliest first, while there is room, and what to try against each."""
    new: list[Name] = [each for each in dict.fromkeys(others) if each not in (finding.name, *finding.alternatives)]
    new = new[: max(0, MOST - len(finding.alternatives))]
    tries = (f"against {other}: {SUGGESTIONS[other]}" for other in new)
    suggestion = "; ".join((finding.suggestion, *tries))
    return replace(finding, alternatives=(*finding.alternatives, *new), suggestion=suggestion)
