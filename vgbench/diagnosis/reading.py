"""What several rules ask of the evidence of a run."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from vgbench.diagnosis import thresholds
from vgbench.diagnosis.advice import measured
from vgbench.diagnosis.evidence import Evidence
from vgbench.diagnosis.findings import NO_FAULT, Confidence, Finding, Name
from vgbench.diagnosis.progress import Progress
from vgbench.diagnosis.trend import kinds_of, lost_over_layers
from vgbench.diagnosis.words import MEANINGS, SUGGESTIONS

_RECURRENT = re.compile(r"rnn|lstm|gru|cell|recurr|hh", re.IGNORECASE)
"""In names of weights that time steps share."""


@dataclass(frozen=True)
class Reading:
    """Evidence, and what follows from it."""

    evidence: Evidence

    @cached_property
    def progress(self) -> Progress:
        """What was learned."""
        return Progress(self.evidence)

    @cached_property
    def trains(self) -> bool:
        """Whether there is a training run to be judged, not an initialisation alone."""
        return len(self.evidence.step) > 1

    @cached_property
    def lost(self) -> Float[np.ndarray, "records"] | None:
        """Decades of the signal lost from the last to the first place; NaN where one is zero or out of range."""
        signal = self.evidence.signal
        if signal is None:
            return None
        known = np.flatnonzero(recorded_in(signal))
        if len(known) < 2:
            return None
        with np.errstate(invalid="ignore"):
            lost = signal[:, known[-1]] - signal[:, known[0]]
        return np.where(np.isfinite(lost), lost, np.nan)

    @cached_property
    def first_lost(self) -> float | None:
        """The same at the first record; None if unknown."""
        lost = None if self.lost is None else float(self.lost[0])
        return None if lost is None or np.isnan(lost) else lost

    @cached_property
    def last_lost(self) -> float | None:
        """The same at the last record that has it."""
        known = np.empty(0) if self.lost is None else self.lost[~np.isnan(self.lost)]
        return float(known[-1]) if len(known) else None

    @cached_property
    def slopes(self) -> Float[np.ndarray, "records"] | None:
        """Decades that the weights' gradients lose from last to first layer; None if their names show no order."""
        return lost_over_layers(self.evidence.gradient, self.evidence.names)

    @cached_property
    def by_biases(self) -> float | None:
        """Decades of the signal lost at the start as the biases' gradients show it; None if unknown.

        A bias gets the sum over examples of the signal at its layer. Close to the output examples cancel in it more
        than elsewhere, so that it shows less loss than there is, and some gain where there is none.
        """
        lost = lost_over_layers(self.evidence.bias, self.evidence.names)
        return None if lost is None or np.isnan(lost[0]) else float(lost[0])

    @property
    def level(self) -> bool:
        """Whether gradients are known to be of one size from layer to layer at the start, of weights if not of biases.

        All weights may get the same gradient while the signal vanishes; of few layers that is taken to be not so.
        """
        evidence = self.evidence
        if any(_RECURRENT.search(name) for name in evidence.names):
            return False  # over time steps it may vanish all the same
        lost = self.by_biases
        if lost is None:
            whole = any(len(group) == len(evidence.names) for group in kinds_of(evidence.names))
            few = whole and len(evidence.names) <= thresholds.FEW_LAYERS
            slopes = lost_over_layers(evidence.gradient, evidence.names, 2 if few else 3)
            lost = None if slopes is None or np.isnan(slopes[0]) else float(slopes[0])
        return lost is not None and abs(lost) < thresholds.LOST_DECADES

    @cached_property
    def update(self) -> Float[np.ndarray, "layers"] | None:
        """Each layer's relative update, median over the records; a layer that starts at zero counts once it moves."""
        update = self.evidence.update
        if update is None:
            return None
        finite = np.where(np.isfinite(update), update, np.nan)
        some = recorded_in(finite)
        typical = np.full(update.shape[1], np.nan)
        typical[some] = np.nanmedian(finite[:, some], axis=0)
        return typical

    @cached_property
    def pace(self) -> Float[np.ndarray, "records"] | None:
        """The median layer's relative update at every record; NaN where no layer has a finite one."""
        return None if self.evidence.update is None else _over_layers(np.nanmedian, self.evidence.update)

    @cached_property
    def quickest(self) -> Float[np.ndarray, "records"] | None:
        """The quickest layer's relative update at every record."""
        return None if self.evidence.update is None else _over_layers(np.nanmax, self.evidence.update)

    @cached_property
    def grown(self) -> float | None:
        """Decades by which the weights of the median layer have grown at most; None if unknown."""
        weight = self.evidence.weight
        if weight is None or len(weight) < 2:
            return None
        with np.errstate(invalid="ignore"):
            growth = weight[1:] - weight[0]
        growth = np.where(np.isfinite(growth), growth, np.nan)
        known = growth[~np.isnan(growth).all(axis=1)]
        return float(np.nanmedian(known, axis=1).max()) if len(known) else None

    @cached_property
    def shrunk(self) -> float | None:
        """Decades that the weights of the median layer have lost by the end; None if unknown."""
        weight = self.evidence.weight
        if weight is None or len(weight) < 2:
            return None
        with np.errstate(invalid="ignore"):
            lost = weight[0] - weight[-1]
        finite = lost[np.isfinite(lost)]
        return float(np.median(finite)) if len(finite) else None

    @property
    def decayed(self) -> bool:
        """Whether the weights have shrunk further than orderly training makes them."""
        return self.shrunk is not None and self.shrunk >= thresholds.SHRUNK_DECADES

    @cached_property
    def furthest(self) -> float | None:
        """How far the quickest layer has moved by the end, relative to its first weights; None if unknown."""
        moved = self.evidence.moved
        if moved is None or np.isnan(moved[-1]).all():
            return None
        return float(np.nanmax(moved[-1]))

    @cached_property
    def lag(self) -> float | None:
        """Decades by which the relative updates of the first third stay behind the quickest layer; None if unknown."""
        if self.update is None or np.isnan(self.update).all():
            return None
        first = self.update[: max(1, len(self.update) // 3)]
        first = first[~np.isnan(first)]
        if not len(first):
            return None
        with np.errstate(divide="ignore", invalid="ignore"):
            lag = np.log10(np.nanmax(self.update)) - np.log10(np.median(first))
        return None if np.isnan(lag) else float(lag)

    @cached_property
    def faded(self) -> float | None:
        """Decades of the forward signal's scale lost from the first to the last layer at the start."""
        if self.evidence.scale is None:
            return self._faded_by_biases
        scale = self.evidence.scale[0, recorded_in(self.evidence.scale)]
        if len(scale) < 2 or not np.isfinite(scale[[0, -1]]).all():
            return None
        return float(scale[0] - scale[-1])

    @property
    def _faded_by_biases(self) -> float | None:
        """The same of the layers' inputs: a weight's gradient is the bias's times about the input's size."""
        gradient, bias = self.evidence.gradient, self.evidence.bias
        if gradient is None or bias is None:
            return None
        with np.errstate(invalid="ignore"):
            lost = lost_over_layers(bias - gradient, self.evidence.names)
        return None if lost is None or np.isnan(lost[0]) else float(lost[0])

    @cached_property
    def gathered(self) -> float | None:
        """How far log10 of the distance of different inputs' signals falls over the places, if they become one.

        It has to fall on over the second half: residual networks level off, and train all the same.
        """
        distance = self.evidence.distance
        if distance is None:
            return None
        row = distance[0, recorded_in(distance)]
        if len(row) < 2 or np.isnan(row[[0, -1]]).any() or np.isneginf(row[0]):
            return None
        fall, half = float(row[-1] - row[0]), len(row) // 2
        gone = np.isneginf(row[-1])  # where no slope is known, since half of the way may have lost all of it, too
        falls_on = gone or (row[-1] - row[half]) / max(1, len(row) - 1 - half) <= thresholds.COLLAPSING
        return fall if fall <= thresholds.COLLAPSED_BY and falls_on else None

    @cached_property
    def silent(self) -> bool:
        """Whether exactly nothing of the signal arrives at the first place at the start."""
        signal = self.evidence.signal
        return signal is not None and bool(np.isneginf(signal[0, 0]) and np.isfinite(signal[0, -1]))

    @cached_property
    def overflows(self) -> bool:
        """Whether the signal leaves the dtype's range at the start."""
        return self.evidence.signal is not None and bool(np.isposinf(self.evidence.signal[0]).any())

    @cached_property
    def arrives(self) -> bool | None:
        """Whether the signal neither vanishes nor explodes at the start; None where it was not recorded."""
        if self.silent or self.overflows:
            return False
        if self.first_lost is None:
            return True if self._one_place else None
        return abs(self.first_lost) < thresholds.LOST_DECADES

    @property
    def _one_place(self) -> bool:
        """Whether the signal passes one place alone, so that there is no way to vanish on."""
        signal = self.evidence.signal
        if signal is None or self.evidence.timed:
            return False
        return int(recorded_in(signal).sum()) == 1 and bool(np.isfinite(signal[0]).any())

    @cached_property
    def finite(self) -> Bool[np.ndarray, "records"]:
        """The records before the first number that is not finite: after it, rectifiers give zeros for NaN."""
        bad = np.zeros(len(self.evidence.step), bool)
        if self.evidence.nonfinite is not None:
            bad |= np.nansum(self.evidence.nonfinite, axis=1) > 0
        if self.evidence.nonfinite_loss is not None:
            bad |= self.evidence.nonfinite_loss
        return ~np.logical_or.accumulate(bad)

    @cached_property
    def zeroed(self) -> Bool[np.ndarray, "records"]:
        """Whether the gradients of all layers are exactly zero, at every record."""
        gradient = self.evidence.gradient
        if gradient is None or not gradient.shape[1]:
            return np.zeros(len(self.evidence.step), bool)
        known = ~np.isnan(gradient)
        return np.asarray((np.isneginf(gradient) | ~known).all(axis=1) & known.any(axis=1)) & self.finite

    @cached_property
    def without_input(self) -> Bool[np.ndarray, "records layers"]:
        """Layers whose bias gets a gradient and whose weights get none: their input is zero for every example."""
        gradient, bias = self.evidence.gradient, self.evidence.bias
        if gradient is None or bias is None:
            return np.zeros((len(self.evidence.step), 0), bool)
        return np.isneginf(gradient) & np.isfinite(bias) & self.finite[:, None]

    @property
    def empty(self) -> bool:
        """Whether weights of some layer are all zero at the start."""
        weight = self.evidence.weight
        return weight is not None and bool(np.isneginf(weight[0]).any())

    @cached_property
    def small(self) -> bool:
        """Whether the gradients of all layers are small from the start, and steps are of a usual size beside them."""
        gradient, weight, update = self.evidence.gradient, self.evidence.weight, self.evidence.update
        if gradient is None or weight is None or update is None:
            return False
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.log10(update[0]) + weight[0] - gradient[0]
        step, largest = step[np.isfinite(step)], gradient[0][np.isfinite(gradient[0])]
        if not len(step) or not len(largest):
            return False
        return bool(largest.max() < thresholds.SMALL and np.median(step) >= thresholds.STEP)

    @property
    def stranded(self) -> bool:
        """Whether the loss stands still away from the constant answer's level; if that is unknown, to the last digit.

        A network whose units give nothing ends at that level: the last layer's bias takes it there.
        """
        progress = self.progress
        if progress.gain is None:
            half = progress.losses[len(progress.losses) // 2 :]
            return len(half) > 2 and float(np.ptp(half)) == 0
        return progress.still and not progress.at_constant

    def finding(
        self,
        name: Name,
        confidence: Confidence,
        where: Any = (),
        *,
        first: int = 0,
        last: int = -1,
        meaning: str = "",
        hint: str = "",
        numbers: Mapping[str, float | None] | None = None,
        **evidence: float | None,
    ) -> Finding:
        """A finding of this run, at these names, from record `first` to record `last`, with its numbers."""
        step = self.evidence.step
        both = {**evidence, **(numbers or {})}
        known = {key.replace("_", " "): float(value) for key, value in both.items() if value is not None}
        suggestion = f"{hint}; {SUGGESTIONS[name]}" if hint else SUGGESTIONS[name]
        steps = int(step[first]), int(step[last])
        advice = "" if name in NO_FAULT else measured(name, self.evidence.timed, self.evidence.invariant)
        return Finding(
            name, tuple(where), steps, known, confidence, meaning or MEANINGS[name], suggestion, measured=advice
        )

    def layers(self, numbers: Any) -> tuple[str, ...]:
        """Names of layers of weights."""
        return tuple(self.evidence.names[i] for i in numbers)

    def places(self, numbers: Any) -> tuple[str, ...]:
        """Names of points of the forward pass."""
        return tuple(self.evidence.places[i] for i in numbers if i < len(self.evidence.places))

    @property
    def first_places(self) -> tuple[str, ...]:
        """The first third of the places; of the layers, where no place has a name."""
        names = self.evidence.places or self.evidence.names
        return names[: max(1, len(names) // 3)]


def recorded_in(values: Float[np.ndarray, "records places"]) -> np.ndarray:
    """The columns of which something was recorded."""
    return np.asarray(~np.isnan(values).all(axis=0))


def _over_layers(function: Any, update: Float[np.ndarray, "records layers"]) -> Float[np.ndarray, "records"]:
    finite = np.where(np.isfinite(update), update, np.nan)
    known = ~np.isnan(finite).all(axis=1)
    values = np.full(len(update), np.nan)
    values[known] = function(finite[known], axis=1)
    return values
