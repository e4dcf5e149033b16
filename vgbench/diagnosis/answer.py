"""The three kinds of answer: findings, nothing wrong among what could be judged, not enough recorded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from vgbench.diagnosis.findings import Finding

NOTHING = "nothing found"
NOT_ENOUGH = "not enough recorded"
DIFFER = "seeds differ"


@dataclass(frozen=True)
class Missing:
    """A field that was not recorded.

    Attributes:
        field: its name in a record.
        what: what it is.
        how: a line of code that records it.
    """

    field: str
    what: str
    how: str

    def __str__(self) -> str:
        return f"{self.field}, {self.what}: {self.how}"


@dataclass(frozen=True)
class Diagnosis(Sequence[Finding]):
    """What a run shows; a sequence of its findings, and printable.

    Attributes:
        findings: the likeliest cause first.
        judged: what could be judged and is in order, in words.
        missing: fields without which something could not be judged, the most telling first.
        decided: whether the evidence suffices to say that nothing is wrong, should there be no finding.
        by_seed: the verdict on each seed, where half of them show no finding alike and they are not all in order or all
            open; empty otherwise.
    """

    findings: tuple[Finding, ...]
    judged: tuple[str, ...]
    missing: tuple[Missing, ...]
    decided: bool
    by_seed: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The first finding's name; without one "seeds differ", "nothing found" or "not enough recorded"."""
        if self.findings:
            return self.findings[0].name
        if self.by_seed:
            return DIFFER
        return NOTHING if self.decided else NOT_ENOUGH

    @overload
    def __getitem__(self, index: int) -> Finding: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Finding, ...]: ...

    def __getitem__(self, index: int | slice) -> Finding | tuple[Finding, ...]:
        return self.findings[index]

    def __len__(self) -> int:
        return len(self.findings)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """The answer, a line for each thing."""
        for finding in self.findings:
            seeds = f", {finding.seeds[0]} of {finding.seeds[1]} seeds" if finding.seeds[1] > 1 else ""
            yield f"{finding}{seeds}"
            yield f"  try: {finding.suggestion}"
            if finding.measured:
                yield f"  measured: {finding.measured}"
        if self.by_seed:
            yield f"{self.verdict}: {', '.join(self.by_seed)}"
        elif not self.findings:
            yield f"{self.verdict} to tell" if not self.decided else f"{self.verdict} among what could be judged"
        if self.judged:
            yield f"  in order: {'; '.join(self.judged)}"
        for missing in self.missing:
            yield f"  not recorded: {missing}"
