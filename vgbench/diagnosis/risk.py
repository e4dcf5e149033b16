"""What an initialisation alone says: a risk, with how often published cells like it trained all the same."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vgbench.diagnosis import thresholds
from vgbench.diagnosis.evidence import Evidence
from vgbench.diagnosis.findings import Finding, Name
from vgbench.diagnosis.published import PUBLISHED
from vgbench.diagnosis.reading import Reading

Amount = Literal["some", "much"]


@dataclass(frozen=True)
class Risk:
    """What a network at initialisation is at risk of.

    Attributes:
        name: as a finding.
        amount: whether the signal changes by less than `thresholds.LOST_FAR` decades or by more.
        timed: whether it does so over time steps.
        decades: that the signal loses (or gains), or that the distance of signals does; inf where the signal is exactly
            zero at the first place, or leaves its dtype's range.
    """

    name: Name
    amount: Amount
    timed: bool
    decades: float


def risk_of(evidence: Evidence) -> Risk | None:
    """The risk that the first record shows, collapse before scale; None if there is none, or no signal."""
    run = Reading(evidence)
    if run.gathered is not None:
        return Risk("risk of collapse", "much", evidence.timed, -run.gathered)
    lost = float("inf") if run.unreached else -float("inf") if run.overflows else run.first_lost
    if lost is None or abs(lost) < thresholds.LOST_DECADES:
        return None
    name: Name = "risk of vanishing" if lost > 0 else "risk of exploding"
    return Risk(name, "much" if abs(lost) >= thresholds.LOST_FAR else "some", evidence.timed, abs(lost))


def cells_like(risk: Risk, invariant: bool | None) -> tuple[int, int]:
    """How many published cells of this risk trained, of how many; of both kinds of optimizers if that is unknown."""
    counts = [
        counted
        for (name, amount, timed, adapts), counted in PUBLISHED.items()
        if (name, amount, timed) == (risk.name, risk.amount, risk.timed) and invariant in (None, adapts)
    ]
    return sum(trained for trained, _ in counts), sum(number for _, number in counts)


def risks(run: Reading) -> Iterator[Finding]:
    """The risk of a network of which no training was seen."""
    if run.trains and (run.progress.known or run.progress.broken):
        return
    risk = risk_of(run.evidence)
    if risk is None:
        return
    trained, number = cells_like(risk, run.evidence.invariant)
    words = {None: "", True: " by an optimizer that is invariant to scale", False: " by plain SGD"}
    past = f"; of {number} published cells like this{words[run.evidence.invariant]} {trained} trained"
    numbers = {"cells_trained": float(trained), "cells_measured": float(number)} if number else {}
    yield run.finding(
        risk.name,
        "possible",
        run.first_places,
        meaning=f"at initialisation {_change(risk, len(run.evidence.places))}{past if number else ''}",
        decades=risk.decades if np.isfinite(risk.decades) else None,
        numbers=numbers,
    )


def _change(risk: Risk, places: int) -> str:
    """What the signal does, in words; over how many places, since a loss over thousands of layers is little at each."""
    what = "the distance of signals" if risk.name == "risk of collapse" else "the gradient"
    rises = risk.name == "risk of exploding"
    over = f"over {places} {'time steps' if risk.timed else 'layers'}"
    if np.isfinite(risk.decades):
        return f"{what} {'gains' if rises else 'loses'} {risk.decades:.1f} decades {over}"
    if rises:
        return f"{what} leaves its dtype's range {over}"
    return (
        f"{what} is exactly zero at the first {'time step' if risk.timed else 'layer'}, or smaller than its dtype holds"
    )
