"""What a diagnosis can find."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Name = Literal[
    "not-a-number gradients",
    "not-a-number loss",
    "gradients exactly zero",
    "exploding",
    "first loss too large",
    "far from unit scale",
    "dead units",
    "units that died",
    "saturation",
    "collapse",
    "underflow",
    "updates lost to rounding",
    "updates not applied",
    "updates point uphill",
    "attention logits grow",
    "learning rate too large",
    "vanishing",
    "vanishing in training",
    "saturated loss",
    "learning rate too small",
    "softmax applied twice",
    "learned by heart",
    "constant answer",
    "loss spike",
    "frozen",
    "zero by design",
    "short of target",
    "learns the training data",
    "converged",
    "risk of vanishing",
    "risk of exploding",
    "risk of collapse",
]
NO_FAULT: frozenset[Name] = frozenset(
    {"frozen", "zero by design", "short of target", "learns the training data", "converged"}
)
"""Findings with nothing to mend, or nothing that is known."""
Confidence = Literal["certain", "likely", "possible"]


@dataclass(frozen=True)
class Finding:
    """One thing that a run shows.

    Attributes:
        name: what it is.
        layers: names of the layers or places concerned, from input to output.
        steps: first and last step at which it shows.
        evidence: the numbers it rests on.
        confidence: certain where a sign was recorded that only this has; likely where several independent signs agree,
            or one far beyond its threshold; possible where one does, or where what would decide was not recorded.
        meaning: what it says.
        suggestion: what to try.
        alternatives: causes, two at most, that what was recorded does not tell from this one.
        seeds: of how many runs it was found in how many.
        measured: how often published results say that a change helped in networks like this one, and what it costs;
            empty of what is no fault.
    """

    name: Name
    layers: tuple[str, ...]
    steps: tuple[int, int]
    evidence: Mapping[str, float]
    confidence: Confidence
    meaning: str
    suggestion: str
    alternatives: tuple[Name, ...] = ()
    seeds: tuple[int, int] = (1, 1)
    measured: str = ""

    def __str__(self) -> str:
        numbers = ", ".join(f"{name} {value:.3g}" for name, value in self.evidence.items())
        where = f"{self.layers[0]} to {self.layers[-1]}" if len(self.layers) > 1 else "".join(self.layers)
        place = f" in {where}" if where else ""
        first, last = self.steps
        when = f"step {first}" if first == last else f"steps {first} to {last}"
        others = f"; it may also be {' or '.join(self.alternatives)}" if self.alternatives else ""
        return f"{self.name} ({self.confidence}){place}, {when}: {self.meaning}{others} ({numbers})"
