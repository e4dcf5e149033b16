"""What several rules ask of the evidence of a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from vgbench.diagnosis import thresholds
from vgbench.diagnosis.advice import measured
from vgbench.diagnosis.alternatives import beside
from vgbench.diagnosis.distances import Distances
from vgbench.diagnosis.findings import NO_FAULT, Confidence, Finding, Name
from vgbench.diagnosis.progress import Progress
from vgbench.diagnosis.steps import recorded_in
from vgbench.diagnosis.trend import lost_over_layers
from vgbench.diagnosis.words import MEANINGS, SUGGESTIONS


@dataclass(frozen=True)
class Reading(Distances):
    """Evidence, and what follows from it."""

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

    @property
    def vanishes(self) -> bool:
        """Whether the signal vanishes at the start, by the biases' gradients where it was not recorded itself."""
        lost = self.by_biases if self.first_lost is None else self.first_lost
        return self.silent or (lost is not None and lost >= thresholds.LOST_DECADES)

    @cached_property
    def last_lost(self) -> float | None:
        """The same at the last record that has it."""
        known = np.empty(0) if self.lost is None else self.lost[~np.isnan(self.lost)]
        return float(known[-1]) if len(known) else None

    @property
    def still_lost(self) -> bool:
        """Whether the signal vanishes at the last record, too, or was not recorded then."""
        return self.last_lost is None or self.last_lost >= thresholds.LOST_DECADES

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
    def swollen(self) -> float | None:
        """Decades by which the forward signal has grown in training at the place where it has most; None if unknown."""
        scale = self.evidence.scale
        if scale is None:
            return None
        with np.errstate(invalid="ignore"):
            grown = scale[-1] - scale[0]
        return float(grown[np.isfinite(grown)].max(initial=0.0))

    @property
    def _faded_by_biases(self) -> float | None:
        """The same of the layers' inputs: a weight's gradient is the bias's times about the input's size."""
        gradient, bias = self.evidence.gradient, self.bias
        if gradient is None or bias is None:
            return None
        with np.errstate(invalid="ignore"):
            lost = lost_over_layers(bias - gradient, self.evidence.names)
        return None if lost is None or np.isnan(lost[0]) else float(lost[0])

    @property
    def unreached(self) -> bool:
        """Whether the signal is exactly zero at the first place at the start, and not at the last."""
        signal = self.evidence.signal
        return signal is not None and bool(np.isneginf(signal[0, 0]) and np.isfinite(signal[0, -1]))

    @cached_property
    def silent(self) -> bool:
        """Whether nothing of the signal arrives at the first place at the start, since it shrank out of its range.

        Where it is zero behind a place that it reached in good size, something cuts it off, as `stop_gradient` does.
        Behind one that decades of it were lost on the way to, what is left may be lost at once, as by rectifiers.
        """
        signal = self.evidence.signal
        if signal is None or not self.unreached:
            return False
        limit = np.log10(self.evidence.smallest or thresholds.SMALLEST) + thresholds.FLUSHED_WITHIN
        least = signal[0][np.isfinite(signal[0])].min()
        return bool(least <= limit or signal[0, -1] - least >= thresholds.LOST_FAR)

    @cached_property
    def cut_off(self) -> bool:
        """Whether the signal is exactly zero at some place at the start and not since it shrank out of its range."""
        signal = self.evidence.signal
        return signal is not None and bool(np.isneginf(signal[0]).any()) and not self.silent

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

    @property
    def rescaled(self) -> bool:
        """Whether the first place shows inputs of unit scale, so that the model scales those of the batch."""
        scale, saturated = self.evidence.scale, self.evidence.saturated
        if scale is None or saturated is None:
            return False
        ends = self.evidence.bounded_at(0)  # a rectifier's flat side is none
        return bool(abs(scale[0, 0]) < 1 and not (ends and saturated[0, 0] >= thresholds.SATURATED))

    @property
    def starts_far(self) -> bool:
        """Whether the first loss is so many times the constant answer's that no step can be to blame."""
        progress, chance = self.progress, self.evidence.chance
        if not len(progress.losses):
            return False
        if chance is None:
            return progress.start > thresholds.FIRST_LOSS_ALONE and not self.summed
        return progress.start > thresholds.FIRST_LOSS * abs(chance)

    @property
    def slight(self) -> bool:
        """Whether the gradients of all weights are small at the start, by themselves and beside the loss."""
        gradient, progress = self.evidence.gradient, self.progress
        if gradient is None or not len(progress.losses) or progress.start <= 0 or not np.isfinite(gradient[0]).any():
            return False
        largest = gradient[0][np.isfinite(gradient[0])].max()
        return bool(max(largest, largest - np.log10(progress.start)) < thresholds.SMALL)

    @property
    def at_rest(self) -> bool:
        """Whether the loss has settled and the gradients of all layers have shrunk: at its least, whatever that is."""
        return self.progress.settled and self.all_lost is not None and self.all_lost >= thresholds.FADES

    @property
    def stranded(self) -> bool:
        """Whether the loss stands still away from the constant answer's level; if that is unknown, to the last digit.

        A network whose units give nothing ends at that level: the last layer's bias takes it there.
        """
        progress = self.progress
        if progress.gain is None:
            half = progress.second_half
            return len(half) > 2 and float(np.ptp(half)) == 0
        return progress.settled and not progress.at_constant

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
        alternatives: tuple[Name, ...] = (),
        numbers: Mapping[str, float | None] | None = None,
        **evidence: float | None,
    ) -> Finding:
        """A finding of this run, at these names, from record `first` to record `last`, with its numbers.

        Its suggestion says what to try against each alternative, too.
        """
        step = self.evidence.step
        both = {**evidence, **(numbers or {})}
        known = {key.replace("_", " "): float(value) for key, value in both.items() if value is not None}
        steps = int(step[first]), int(step[last])
        advice = "" if name in NO_FAULT else measured(name, self.evidence.timed, self.evidence.invariant)
        suggestion = "; ".join(filter(None, (hint, SUGGESTIONS[name])))
        found = Finding(
            name, tuple(where), steps, known, confidence, meaning or MEANINGS[name], suggestion, measured=advice
        )
        return beside(found, *alternatives)

    def unseen(self, *causes: Name) -> tuple[Name, ...]:
        """Those of these causes that what would show them was not recorded of."""
        evidence = self.evidence
        shown = {
            "vanishing": self.arrives is not None or self.cut_off,
            "exploding": self.arrives is not None or self.cut_off,
            "collapse": evidence.distance is not None,
            "units that died": evidence.dead is not None or evidence.flat == "both",
            "saturation": evidence.saturated is not None or evidence.flat == "below",
            "far from unit scale": evidence.input_scale is not None,
        }
        return tuple(each for each in causes if not shown[each])

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
