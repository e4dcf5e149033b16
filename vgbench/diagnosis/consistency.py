"""Which findings are not given together."""

from collections.abc import Sequence
from dataclasses import replace

from vgbench.diagnosis.alternatives import beside
from vgbench.diagnosis.findings import Finding, Name

ASIDE: frozenset[Name] = frozenset(
    {
        "frozen",
        "zero by design",
        "loss spike",
        "attention logits grow",
        "short of target",
        "learns the training data",
        "converged",
    }
)
"""Findings that are no cause of a failure by themselves, or need none."""

OUTCOMES: frozenset[Name] = frozenset({"constant answer", "short of target", "learns the training data", "converged"})
"""What is said where no cause is known."""

_STANDS: tuple[Name, ...] = ("vanishing", "vanishing in training", "saturated loss", "learning rate too small")
_SHAKES: tuple[Name, ...] = ("first loss too large", "far from unit scale", "learning rate too large")

EXCLUDES: dict[Name, tuple[Name, ...]] = {
    "updates point uphill": (*_SHAKES, *_STANDS),
    "exploding": (*_SHAKES, *_STANDS, "updates point uphill"),
    "far from unit scale": (*_SHAKES, "learning rate too small"),
    "first loss too large": ("far from unit scale", *_STANDS, "saturation"),
    "dead units": (*_STANDS, "gradients exactly zero", "collapse", "underflow", "frozen", "zero by design"),
    "units that died": (*_STANDS, "underflow", "frozen"),
    "updates lost to rounding": (*_STANDS, "frozen", "learning rate too large"),
    "updates not applied": (
        "vanishing",
        "vanishing in training",
        "saturated loss",
        "frozen",
        "learning rate too large",
    ),
    "saturation": (*_STANDS, "underflow"),
    "collapse": (*_STANDS, "units that died"),
    "underflow": (*_STANDS, "frozen", "learning rate too large"),
    "learning rate too large": (*_STANDS, "loss spike"),
    "vanishing": ("vanishing in training", "saturated loss", "learning rate too small"),
    "vanishing in training": _STANDS,
    "saturated loss": ("learning rate too small", "vanishing"),
    "learning rate too small": ("vanishing",),
    "softmax applied twice": (*_STANDS, "loss spike"),
}
"""What an earlier finding explains or contradicts, so that it is not given as well."""

_ALONE: dict[Name, tuple[Name, ...]] = {
    "not-a-number gradients": (),
    "not-a-number loss": (),
    "gradients exactly zero": (),
}
"""With these nothing else can be judged, but for these."""


def consistent(findings: Sequence[Finding]) -> list[Finding]:
    """Findings, the likeliest cause first, without those that an earlier one explains or contradicts.

    What is no cause of a failure comes last, but attention that is one-hot, which may be one, and layers that never
    move, where all that is found beside them is that others move too little. A cause that was found is no alternative
    to a later finding. To the first one it is, unless that is certain of a cause.
    """
    kept: list[Finding] = []
    for finding in findings:
        names: set[Name] = {each.name for each in kept}
        alone = any(finding.name not in _ALONE[name] for name in names & _ALONE.keys())
        explained = any(finding.name in EXCLUDES.get(name, ()) for name in names)
        caused = finding.name in OUTCOMES and names - ASIDE
        if not (alone or explained or caused or finding.name in names):
            others = tuple(other for other in finding.alternatives if other not in names - ASIDE)
            kept.append(replace(finding, alternatives=others))
    causes: list[Name] = [each.name for each in findings if each.name not in ASIDE | OUTCOMES]
    early = {"attention logits grow"} | ({"frozen"} if {*causes} == {"learning rate too small"} else set())
    order = sorted(kept, key=lambda each: (each.name in ASIDE - early, each.name != "frozen"))
    constant = any(each.name == "constant answer" for each in findings)
    return [_beside(order[0], causes, constant), *order[1:]] if order else []


def _beside(first: Finding, causes: Sequence[Name], constant: bool) -> Finding:
    """The first finding, with other causes that were found as alternatives, unless it is certain of one.

    What shows only in training may follow from a loss that a constant answer makes least.
    """
    if first.confidence == "certain" and first.name not in ASIDE:
        return first
    follows: tuple[Name, ...] = ("constant answer",) if constant and first.steps[0] > 0 else ()
    return beside(first, *causes, *follows)
