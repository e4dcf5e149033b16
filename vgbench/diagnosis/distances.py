"""How far apart different inputs' signals are, over the places and in training."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from vgbench.diagnosis import thresholds
from vgbench.diagnosis.steps import recorded_in
from vgbench.diagnosis.weights import Weights


@dataclass(frozen=True)
class Distances(Weights):
    """Evidence, and what follows from the distances of its signals."""

    @cached_property
    def gathered(self) -> float | None:
        """How far log10 of the distance of different inputs' signals falls over the places, if they become one.

        It has to fall on over the second half: residual networks level off, and train all the same.
        """
        row, half = self._at_start, len(self._at_start) // 2
        if self._fall is None or self._fall > thresholds.COLLAPSED_BY:
            return None
        gone = np.isneginf(row[-1])  # where no slope is known, since half of the way may have lost all of it, too
        falls_on = gone or (row[-1] - row[half]) / max(1, len(row) - 1 - half) <= thresholds.COLLAPSING
        return self._fall if falls_on else None

    @property
    def draws_near(self) -> bool:
        """Whether different inputs' signals approach each other over the places by most of what a collapse takes."""
        return self._fall is not None and self._fall <= thresholds.COLLAPSED_BY + 1

    @property
    def _fall(self) -> float | None:
        """What log10 of the distance falls by from the first place to the last one at the start; None if unknown."""
        row = self._at_start
        if len(row) < 2 or np.isnan(row[[0, -1]]).any() or np.isneginf(row[0]):
            return None
        return float(row[-1] - row[0])

    @property
    def _at_start(self) -> Float[np.ndarray, "known"]:
        """log10 of the distance of different inputs' signals at the start, at the places where it was recorded."""
        distance = self.evidence.distance
        return np.empty(0) if distance is None else distance[0, recorded_in(distance)]

    @cached_property
    def blank(self) -> int | None:
        """The place that gives the same for every input at the start although the one before it, if any, does not."""
        scale, distance = self.evidence.scale, self.evidence.distance
        if scale is None or distance is None:
            return None
        known = np.flatnonzero(recorded_in(scale))
        if len(known) and np.isneginf(distance[0, known]).all():
            return int(known[0])
        spread = scale[0, known] + np.nan_to_num(distance[0, known], neginf=-np.inf) / 2
        with np.errstate(invalid="ignore"):
            gone = np.flatnonzero(spread[:-1] - spread[1:] >= thresholds.GONE)
        return int(known[gone[0] + 1]) if len(gone) else None

    @cached_property
    def merged(self) -> bool:
        """Whether different inputs' signals have become one in training at the last place."""
        last = self._at_end[np.isfinite(self._at_end)]
        return len(last) > 1 and bool(last[-1] <= thresholds.COLLAPSED_BY and last[0] > thresholds.COLLAPSED_BY / 2)

    @cached_property
    def _at_end(self) -> Float[np.ndarray, "known"]:
        """log10 of the same at the last place, in the records that have it."""
        distance = self.evidence.distance
        last = np.empty(0) if distance is None else distance[:, recorded_in(distance)][:, -1:]
        return last[~np.isnan(last)]

    @property
    def drawn_together(self) -> float | None:
        """Decades that log10 of the distance of different inputs' signals has lost at the last place in training."""
        last = self._at_end
        return float(last[0] - last[-1]) if len(last) > 1 and np.isfinite(last[0]) else None

    @property
    def alike(self) -> bool:
        """Whether different inputs' signals have become much the same in training at the last place.

        Or the part that tells them apart is small, also beside what it was, and be it since nothing is left of the
        whole.
        """
        drawn, distance, scale = self.drawn_together, self.evidence.distance, self.evidence.scale
        if drawn is None or distance is None or scale is None:
            return False
        first, size = self._at_end[0], scale[:, np.flatnonzero(recorded_in(distance))[-1]]
        one = first > thresholds.ALIKE / 2 and first - drawn <= thresholds.ALIKE
        small = size[-1] + (first - drawn) / 2 <= -thresholds.LITTLE_LEFT
        return bool(one or (small and drawn / 2 + size[0] - size[-1] >= thresholds.LITTLE_LEFT))
