"""What was said of a fault that somebody reported, and whether that is right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from symptoms import MEANS

from vgbench.diagnosis.answer import NOT_ENOUGH
from vgbench.diagnosis.consistency import ASIDE
from vgbench.diagnosis.findings import Name

FAILS, WORKS = 0.6, 0.5
"""Shares of a constant answer's error: what a broken run has to leave, and a fixed one not."""
SOUND = (*ASIDE, "nothing found", NOT_ENOUGH)
"""What may be said of a fixed run."""
NOTHING_WRONG = ("nothing found", "converged", "nothing wrong")
"""Labels of runs with nothing wrong."""
FINDINGS = frozenset(get_args(Name))
OPEN = ("learns the training data",)
"""What is said of the training loss alone, and leaves open whether anything is wrong."""
OR = " or "
"""Between a finding and what was recorded does not tell from it."""
FAULTS_BY_DESIGN = ("frozen", "zero by design")
"""What is said of a run whose builder may mean it, so that it names no cause."""


@dataclass(frozen=True)
class Answer:
    """What was said of one fault, or of a run that only looks like one.

    Attributes:
        name: of the fault.
        half: of the corpus.
        family: of the model or the loss.
        source: of the report.
        cause: findings that name it; of a run with nothing wrong, what may be said of such.
        errors: that the broken and the fixed run left.
        broken: all findings about the broken run, or the verdict without any, by way of recording.
        fixed: the same about the fixed run.
        symptoms: what other tools report of the broken run, by tool.
        alarms: what they report of the fixed run.
    """

    name: str
    half: str
    family: str
    source: str
    cause: Sequence[str]
    errors: Sequence[float]
    broken: dict[str, list[str]]
    fixed: dict[str, list[str]]
    symptoms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    alarms: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong, so that nothing may be found."""
        return self.cause[0] in NOTHING_WRONG

    @property
    def borne_out(self) -> bool:
        """Whether the broken run fails and the fixed one works; a sound run only has to work."""
        broken, fixed = self.errors
        if self.sound:
            return fixed < WORKS
        return not broken < FAILS and fixed < WORKS

    @property
    def group(self) -> str:
        """What can be right about the run: a cause that findings name, silence about any other, or that it is sound."""
        if self.sound:
            return "nothing wrong"
        return "a finding's cause" if self.cause[0] in FINDINGS else "a cause that no finding names"

    def first(self, way: str) -> list[str]:
        """What was said first of the broken run, and what it said that it cannot tell from that."""
        return self.broken[way][0].split(OR)

    def named(self, way: str) -> bool:
        """Whether the first finding, or an alternative that the recording cannot distinguish from it, is the cause.

        Of a sound run, that nothing is wrong; of a cause that no finding names, that no other is said.
        """
        if self.sound:
            return self.broken[way] != [NOT_ENOUGH] and all(_sound(name) for name in self.broken[way])
        if self.cause[0] not in FINDINGS:
            return all(_sound(name) for name in self.broken[way])
        return any(name in self.cause for name in self.first(way))

    def outright(self, way: str) -> bool:
        """Whether it is named, and by the first finding itself."""
        return self.named(way) and (self.group != "a finding's cause" or self.first(way)[0] in self.cause)

    def misled(self, way: str) -> bool:
        """Whether a cause was named, and the first one is wrong; that all is well is wrong, too."""
        return not self.named(way) and not self.undecided(way) and self.first(way)[0] not in FAULTS_BY_DESIGN

    def undecided(self, way: str) -> bool:
        """Whether no cause was named since not enough was recorded: of the training loss alone, or at all."""
        return not self.named(way) and self.first(way)[0] in (NOT_ENOUGH, *OPEN)

    def accused(self, way: str) -> bool:
        """Whether anything wrong was said of the fixed run."""
        return not all(_sound(name) for name in self.fixed[way])

    def recognised(self, tool: str) -> bool:
        """Whether a tool reports a symptom that this cause may have."""
        return any(cause in self.cause for symptom in self.symptoms[tool] for cause in MEANS[symptom])

    def mistaken(self, tool: str) -> bool:
        """Whether a tool reports symptoms, and none that this cause may have."""
        return bool(self.symptoms[tool]) and not self.recognised(tool)


def _sound(said: str) -> bool:
    return said.split(OR)[0] in SOUND
