"""What several rules ask of the evidence of a run."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from vgbench.diagnosis import thresholds
from vgbench.diagnosis.evidence import Evidence
from vgbench.diagnosis.findings import Confidence, Finding, Name


@dataclass(frozen=True)
class Reading:
    """Evidence, and what follows from it."""

    evidence: Evidence

    @cached_property
    def lost(self) -> Float[np.ndarray, "records"] | None:
        """Decades of the signal lost from the last to the first layer; NaN where one is zero or out of range."""
        signal = self.evidence.signal
        if signal is None or signal.shape[1] < 2:
            return None
        with np.errstate(invalid="ignore"):
            lost = signal[:, -1] - signal[:, 0]
        return np.where(np.isfinite(lost), lost, np.nan)

    @cached_property
    def trains(self) -> bool:
        """Whether there is a training run to be judged, not an initialisation alone."""
        return self.evidence.loss is not None and len(self.evidence.loss) > 1

    @cached_property
    def broken(self) -> bool:
        """Whether the loss became non-finite."""
        return self.trains and not bool(np.isfinite(self.loss).all())

    @cached_property
    def loss(self) -> Float[np.ndarray, "records"]:
        """The training loss; empty if there is none."""
        return np.empty(0) if self.evidence.loss is None else self.evidence.loss

    @cached_property
    def chance(self) -> float:
        """Loss of the constant predictor, or the first one where that is not known."""
        return float(self.loss[0] if self.evidence.chance is None else self.evidence.chance)

    @cached_property
    def progress(self) -> float:
        """Share of the constant predictor's loss that was taken off by the end; negative where it rose."""
        if not self.trains or self.broken:
            return float("nan") if not self.trains else -float("inf")
        return float(1 - self.loss[-3:].min() / self.chance) if self.chance > 0 else 0.0

    @cached_property
    def learned(self) -> bool:
        """Whether anything was learned."""
        return self.trains and self.progress >= thresholds.LEARNED

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
    def furthest(self) -> float | None:
        """How far the quickest layer has moved by the end, relative to its first weights; None if unknown."""
        return None if self.evidence.moved is None else float(np.nanmax(self.evidence.moved[-1]))

    @cached_property
    def lag(self) -> float | None:
        """Decades by which the relative updates of the first third stay behind the quickest layer; None if unknown."""
        if self.update is None or np.isnan(self.update).all():
            return None
        first = self.update[: max(1, len(self.update) // 3)]
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.log10(np.nanmax(self.update)) - np.log10(np.nanmedian(first)))

    @cached_property
    def faded(self) -> float | None:
        """Decades of the pre-activations' scale lost from the first to the last layer at the start."""
        if self.evidence.scale is None:
            return None
        scale = self.evidence.scale[0, recorded_in(self.evidence.scale)]
        return float(scale[0] - scale[-1]) if len(scale) > 1 else None

    @cached_property
    def shared(self) -> bool:
        """Whether more places pass the signal on than have weights, as time steps do: none can lag behind another."""
        signal, update = self.evidence.signal, self.evidence.update
        return signal is not None and update is not None and signal.shape[1] > update.shape[1]

    @cached_property
    def silent(self) -> bool:
        """Whether exactly nothing of the signal arrives at the first layer at the start."""
        signal = self.evidence.signal
        return signal is not None and bool(np.isneginf(signal[0, 0]) and np.isfinite(signal[0, -1]))

    @cached_property
    def overflows(self) -> bool:
        """Whether the signal leaves the dtype's range at the start."""
        return self.evidence.signal is not None and bool(np.isposinf(self.evidence.signal[0]).any())

    @cached_property
    def arrives(self) -> bool:
        """Whether the signal neither vanishes nor explodes at the start; taken for granted where not recorded."""
        lost = self.lost is not None and bool(abs(self.lost[0]) >= thresholds.LOST_DECADES)
        return not (lost or self.silent or self.overflows)

    def finding(
        self, name: Name, confidence: Confidence, layers: Any = (), first: int = 0, **evidence: float | None
    ) -> Finding:
        """A finding of this run."""
        names, step = self.evidence.names, self.evidence.step
        chosen = tuple(names[i] for i in layers if i < len(names))
        numbers = {key.replace("_", " "): float(value) for key, value in evidence.items() if value is not None}
        return Finding(name, chosen, (int(step[first]), int(step[-1])), numbers, confidence)


def recorded_in(values: Float[np.ndarray, "records depth"]) -> np.ndarray:
    """The layers of which something was recorded."""
    return np.asarray(~np.isnan(values).all(axis=0))
