"""How far the weights of a run go: relative updates, growth, and layers that stay behind or never move."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from vgbench.diagnosis import thresholds
from vgbench.diagnosis.evidence import Evidence

RECURRENT = re.compile(r"rnn|lstm|gru|cell|recurr|hh", re.IGNORECASE)
"""In names of weights that time steps share."""
QUERIES = re.compile(r"(^|[^a-z])(to_?)?(q|query|queries|wq)(_?proj)?([^a-z]|$)", re.IGNORECASE)
KEYS = re.compile(r"(^|[^a-z])(to_?)?(k|key|keys|wk)(_?proj)?([^a-z]|$)", re.IGNORECASE)
"""In names of weights of attention."""
ENCODER = re.compile(r"(^|[^a-z])enc(oder)?([^a-z]|$)", re.IGNORECASE)
DECODER = re.compile(r"(^|[^a-z])dec(oder)?([^a-z]|$)", re.IGNORECASE)
"""In names of weights before and behind a code."""


@dataclass(frozen=True)
class Steps:
    """Evidence, and what follows from its weights and updates."""

    evidence: Evidence

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
    def held(self) -> Bool[np.ndarray, "layers"]:
        """Layers that never move, while others do."""
        update = self.evidence.update
        if update is None or len(update) < 2:
            return np.zeros(0, bool)
        still = (np.nan_to_num(update, nan=1.0) == 0).all(axis=0)
        return still & ~still.all()

    @property
    def severed(self) -> bool:
        """Whether layers never move since they never get a gradient."""
        still, zero = self.held, self.evidence.zero
        return zero is not None and bool(still.any()) and bool((zero[:, still] >= 1).all())

    @property
    def first_held(self) -> bool:
        """Whether the layers that a signal reaches last, or those that time steps share, never move."""
        names = self.evidence.names
        shared = [i for i, name in enumerate(names) if self.evidence.timed and RECURRENT.search(name)]
        return bool(self.held.any() and self.held[shared or range(max(1, len(names) // 3))].all())

    @property
    def travel(self) -> float:
        """Relative updates of the median layer, summed over all steps: how far most weights went, at most."""
        known = np.empty(0) if self.pace is None else self.pace[np.isfinite(self.pace)]
        return float(known.mean() * (self.evidence.step[-1] - self.evidence.step[0])) if len(known) else 0.0

    @cached_property
    def pace(self) -> Float[np.ndarray, "records"] | None:
        """The median layer's relative update at every record; NaN where no layer has a finite one."""
        return None if self.evidence.update is None else _over_layers(np.nanmedian, self.evidence.update)

    @cached_property
    def quickest(self) -> Float[np.ndarray, "records"] | None:
        """The quickest layer's relative update at every record."""
        return None if self.evidence.update is None else _over_layers(np.nanmax, self.evidence.update)

    @property
    def creeps(self) -> bool:
        """Whether even the quickest layer takes steps so small that it has not moved enough to learn anything."""
        quickest = self.quickest
        known = np.empty(0) if quickest is None else quickest[np.isfinite(quickest)]
        if len(known) < 2 or not (known > 0).any():
            return False
        travel = float(known.mean()) * float(self.evidence.step[-1] - self.evidence.step[0])
        far = self.furthest is not None and self.furthest >= thresholds.MOVED
        return float(known.max()) < 3 * thresholds.SLOW and travel < thresholds.SLOW_TRAVEL and not far

    @cached_property
    def lag(self) -> float | None:
        """Decades by which the relative updates of the first third stay behind the quickest layer; None if unknown."""
        first = self._first_update
        if self.update is None or first is None:
            return None
        with np.errstate(divide="ignore", invalid="ignore"):
            lag = np.log10(np.nanmax(self.update)) - np.log10(first)
        return None if np.isnan(lag) else float(lag)

    @property
    def lags(self) -> bool:
        """Whether the first layers stay far behind the quickest one, in steps too small to learn by."""
        if self.lag is None or self._first_update is None:
            return False
        steps = float(self.evidence.step[-1] - self.evidence.step[0])
        still = self._first_update < thresholds.SLOW and self._first_update * steps < thresholds.TRAVELLED
        return still and self.lag >= thresholds.LAG_DECADES

    @cached_property
    def _first_update(self) -> float | None:
        """The typical relative update of the first third of the layers; None if unknown."""
        if self.update is None:
            return None
        first = self.update[: max(1, len(self.update) // 3)]
        first = first[~np.isnan(first)]
        return float(np.median(first)) if len(first) else None

    @cached_property
    def furthest(self) -> float | None:
        """How far the quickest layer has moved by the end, relative to its first weights; None if unknown."""
        moved = self.evidence.moved
        if moved is None or np.isnan(moved[-1]).all():
            return None
        return float(np.nanmax(moved[-1]))

    @property
    def went_far(self) -> bool:
        """Whether some layer has gone so far that weights which stay where they were are not what is wrong."""
        return self.furthest is not None and self.furthest >= thresholds.WENT

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

    def outgrown(self, record: int, layers: Sequence[int] | None = None) -> float:
        """Decades by which the array of weights has grown by a record that has grown most, of some layers or of all.

        It is 0 where that is unknown.
        """
        weight = self.evidence.weight
        if weight is None:
            return 0.0
        with np.errstate(invalid="ignore"):
            growth = (weight[record] - weight[0])[slice(None) if layers is None else [*layers]]
        return float(np.max(growth[np.isfinite(growth)], initial=0.0))

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

    @property
    def straight(self) -> bool:
        """Whether weights follow the gradient and nothing else at most records, so that no decay takes them away."""
        cosine = self.evidence.cosine
        return cosine is not None and not np.isnan(cosine).all() and float(np.nanmedian(cosine)) >= thresholds.ALONG

    @property
    def climbing(self) -> list[int]:
        """Layers whose updates follow the gradient from the start on and at most records, as no decay makes them do."""
        cosine = self.evidence.cosine
        if cosine is None or len(cosine) < 3:
            return []
        with np.errstate(invalid="ignore"):
            against = (cosine <= -thresholds.AGAINST).mean(axis=0) > 0.5
            return [int(i) for i in np.flatnonzero(against & (cosine[0] <= -thresholds.STRAIGHT))]

    @property
    def heavy(self) -> bool:
        """Whether some array of weights is far from unit scale at the start, so that rounding swallows usual steps."""
        weight = self.evidence.weight
        return weight is not None and bool((weight[0] >= thresholds.HEAVY).any())

    @property
    def empty(self) -> bool:
        """Whether weights of some layer are all zero at the start."""
        weight = self.evidence.weight
        return weight is not None and bool(np.isneginf(weight[0]).any())


def recorded_in(values: Float[np.ndarray, "records places"]) -> np.ndarray:
    """The columns of which something was recorded."""
    return np.asarray(~np.isnan(values).all(axis=0))


def _over_layers(function: Any, update: Float[np.ndarray, "records layers"]) -> Float[np.ndarray, "records"]:
    finite = np.where(np.isfinite(update), update, np.nan)
    known = ~np.isnan(finite).all(axis=1)
    values = np.full(len(update), np.nan)
    values[known] = function(finite[known], axis=1)
    return values
