"""The symptoms that five other tools report of a run, by the rules and default thresholds of their sources.

AutoTrainer (Zhang et al., ICSE 2021), SageMaker Debugger's built-in rules, DeepDiagnosis (Wardat et al., ICSE 2022),
TheDeepChecker (Ben Braiek & Khomh 2023) and DLCheck. Each rule is applied to what a run file has of its quantity: every
record stands for a check, and shares of flat units for counts of inputs beyond a limit. A symptom is a name of several
causes at best, and counts as right where the cause is one of them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from outcome import Outcome
from tools import TOOLS as VANISHES

from vgbench.boundary.run_file import HISTOGRAM_EDGES
from vgbench.diagnosis import Evidence
from vgbench.diagnosis.lines import from_lines

BROKEN = "not-a-number loss", "not-a-number gradients", "exploding", "learning rate too large", "first loss too large"
MEANS: dict[str, tuple[str, ...]] = {
    "vanishing gradient": ("vanishing", "vanishing in training", "collapse"),
    "exploding gradient": BROKEN,
    "numerical error": BROKEN,
    "dying ReLU": ("dead units", "units that died"),
    "saturated activation": ("saturation",),
    "slow convergence": ("learning rate too small",),
    "oscillating loss": ("learning rate too large", "loss spike"),
    "diverging loss": ("learning rate too large", "updates point uphill", "exploding", "loss spike"),
    "diverging weights": ("learning rate too large", "exploding"),
    "stagnating loss": ("learning rate too small", "constant answer", "saturated loss", "vanishing", "collapse"),
    "large updates": ("learning rate too large",),
    "small updates": ("learning rate too small", "vanishing", "vanishing in training"),
    "zero gradient": ("gradients exactly zero", "frozen", "dead units", "units that died", "underflow"),
    "unchanged weights": ("updates not applied", "updates lost to rounding", "frozen", "gradients exactly zero"),
}
"""The causes that each symptom may be of."""


@dataclass(frozen=True)
class Watched:
    """A run as the tools see it: the lines of its run file."""

    lines: Sequence[dict[str, Any]]

    @cached_property
    def evidence(self) -> Evidence:
        """What was recorded, as arrays."""
        return from_lines(self.lines)

    @property
    def losses(self) -> np.ndarray:
        """The finite training losses."""
        loss = self.evidence.loss
        return np.empty(0) if loss is None else loss[np.isfinite(loss)]

    @cached_property
    def accuracy(self) -> np.ndarray | None:
        """On other data; None where there is none."""
        return self.evidence.accuracy

    @cached_property
    def mean_gradient(self) -> np.ndarray:
        """Mean |g| of every layer at every record, from the histogram's bins."""
        if self.evidence.histogram is None:
            return np.full((len(self.evidence.step), 1), np.nan)
        edges = np.asarray(HISTOGRAM_EDGES)
        centres = np.r_[0.0, np.sqrt(edges[1:] * edges[:-1]), 10 * edges[-1]]
        return (self.evidence.histogram * centres).sum(axis=-1)

    def vanishes(self, tool: str) -> bool:
        """By the tool's own rule; without an accuracy, as if it were poor."""
        records = len(self.evidence.step)
        accuracy = np.zeros(records) if self.accuracy is None else self.accuracy
        loss = np.zeros(records) if self.evidence.loss is None else self.evidence.loss
        known = self.evidence.gradient is not None and self.evidence.gradient.shape[1] > 0
        return known and VANISHES[tool](Outcome(self.evidence, self.mean_gradient, loss, accuracy))

    @property
    def broken(self) -> bool:
        """Whether loss or gradients became non-finite."""
        bad, loss = self.evidence.nonfinite, self.evidence.nonfinite_loss
        return (bad is not None and bool((np.nan_to_num(bad) > 0).any())) or (loss is not None and bool(loss.any()))

    @property
    def ratio(self) -> np.ndarray:
        """Relative updates, those that are known."""
        update = np.empty(0) if self.evidence.update is None else self.evidence.update
        return update[np.isfinite(update)]

    def zero_outputs(self) -> np.ndarray:
        """Share of zeros in the outputs of rectifiers, [records, layers]."""
        rows = [
            [each["zero"] for each in line.get("modules", {}).values() if each.get("activation") == "relu"]
            for line in self.lines
            if "step" in line
        ]
        return np.asarray(rows, np.float64)

    def flat(self, share: float) -> bool:
        """Whether the outputs of a saturating activation lie on its flat ends by more than this share, at the last."""
        saturated = self.evidence.saturated
        return (
            saturated is not None
            and self.evidence.flat == "both"
            and bool((np.nan_to_num(saturated[-1]) > share).any())
        )


def autotrainer(run: Watched) -> Iterator[str]:
    """Non-finite numbers; else, where accuracy stays below 0.7 or gains less than 0.01, the first that holds."""
    gradient, zero, accuracy = run.evidence.gradient, run.evidence.zero, run.accuracy
    if run.broken:
        yield "exploding gradient"
    if gradient is None or zero is None:
        return
    gains = -np.inf if accuracy is None or len(accuracy) < 2 else float(np.nanmax(np.diff(accuracy)))
    slow = accuracy is not None and gains < 0.01
    if accuracy is None or np.nanmax(accuracy) < 0.7 or slow:
        with np.errstate(over="ignore", invalid="ignore"):
            grows = (gradient[:, 0] - gradient[:, -1] > np.log10(70)).any()
        if (zero.mean(axis=1) >= 0.7).any():
            yield "dying ReLU"
        elif grows:
            yield "exploding gradient"
        elif run.vanishes("AutoTrainer"):
            yield "vanishing gradient"
        elif slow:
            yield "slow convergence"
    elif _oscillates(accuracy):
        yield "oscillating loss"


def _oscillates(accuracy: np.ndarray) -> bool:
    """Maxima above minima by 0.03, as many as a fifth of the records."""
    middle, before, after = accuracy[1:-1], accuracy[:-2], accuracy[2:]
    tops, bottoms = middle[(middle >= before) & (middle >= after)], middle[(middle <= before) & (middle <= after)]
    pairs = min(len(tops), len(bottoms))
    return bool((tops[:pairs] - bottoms[:pairs] >= 0.03).sum() >= 0.2 * len(accuracy)) and pairs > 0


def sagemaker(run: Watched) -> Iterator[str]:
    """Its rules one by one: exploding tensor, vanishing gradient, dead ReLU, saturated activation, update ratio."""
    if run.broken:
        yield "numerical error"
    if run.vanishes("SageMaker Debugger"):
        yield "vanishing gradient"
    dead = run.evidence.dead
    if dead is not None and (np.nan_to_num(dead) > 0.5).any():
        yield "dying ReLU"
    if run.flat(0.5):
        yield "saturated activation"
    if (run.ratio > 10).any():
        yield "large updates"
    if (run.ratio < 1e-8).any():
        yield "small updates"


def deep_diagnosis(run: Watched) -> Iterator[str]:
    """The first symptom, in its order: it ends the run there."""
    zero, weight = run.zero_outputs(), run.evidence.weight
    same = weight is not None and len(weight) >= 5 and bool((weight[-5:] == weight[-1]).all(axis=0).any())
    checks = {
        "numerical error": run.broken,
        "dying ReLU": zero.size > 0 and bool((zero[-1] >= 0.7).any()),
        "saturated activation": run.flat(0.5),
        "vanishing gradient": run.vanishes("DeepDiagnosis"),
        "unchanged weights": same,
    }
    yield from [name for name, holds in checks.items() if holds][:1]


def the_deep_checker(run: Watched) -> Iterator[str]:
    """Its checks in training; those before it need the program, and its smoothness of losses every step.

    Non-finite numbers; its rule for vanishing; more than half of a layer's units dead or saturated; weights that double
    four times in a row; a loss above twice its least, or four falls in a row of less than a twentieth.
    """
    dead, weight, loss = run.evidence.dead, run.evidence.weight, run.losses
    if run.broken:
        yield "numerical error"
    if run.vanishes("TheDeepChecker"):
        yield "vanishing gradient"
    if dead is not None and (np.nan_to_num(dead) > 0.5).any():
        yield "dying ReLU"
    if run.flat(0.5):
        yield "saturated activation"
    if weight is not None and len(weight) >= 5:
        doubled = np.diff(weight, axis=0) >= np.log10(2)
        if np.lib.stride_tricks.sliding_window_view(doubled, 4, axis=0).all(axis=-1).any():
            yield "diverging weights"
    if len(loss) >= 5 and (loss > 0).all():
        if (loss >= 2 * np.minimum.accumulate(loss)).any():
            yield "diverging loss"
        falls = 1 - loss[1:] / loss[:-1]
        if (np.lib.stride_tricks.sliding_window_view(falls, 4) < 0.05).all(axis=-1).any():
            yield "stagnating loss"


def dlcheck(run: Watched) -> Iterator[str]:
    """Non-finite and zero gradients, update ratios beyond 1e-8 and 10, outputs that are zero by nine tenths."""
    gradient, zero = run.evidence.gradient, run.zero_outputs()
    if run.broken:
        yield "numerical error"
    if gradient is not None and np.isneginf(gradient).any():
        yield "zero gradient"
    if (run.ratio > 10).any():
        yield "large updates"
    if ((run.ratio > 0) & (run.ratio < 1e-8)).any():
        yield "small updates"
    if zero.size and (zero > 0.9).any():
        yield "dying ReLU"
    if run.vanishes("DLCheck"):
        yield "vanishing gradient"


TOOLS: dict[str, Callable[[Watched], Iterator[str]]] = {
    "AutoTrainer": autotrainer,
    "SageMaker Debugger": sagemaker,
    "DeepDiagnosis": deep_diagnosis,
    "TheDeepChecker": the_deep_checker,
    "DLCheck": dlcheck,
}


def symptoms_of(lines: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """What each tool reports of a run."""
    run = Watched(lines)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        return {name: list(dict.fromkeys(rule(run))) for name, rule in TOOLS.items()}
