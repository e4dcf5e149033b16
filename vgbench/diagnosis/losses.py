"""The training losses of a run by themselves: where they begin and end, and whether they fall, rest or break."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from vgbench.diagnosis import thresholds
from vgbench.diagnosis.evidence import Evidence

LAST = 3
"""Records at the end that the outcome is taken from."""


@dataclass(frozen=True)
class Losses:
    """Evidence, and what follows from its losses without any other level than where they begin."""

    evidence: Evidence

    @cached_property
    def losses(self) -> Float[np.ndarray, "known"]:
        """The finite training losses."""
        loss = self.evidence.loss
        return np.empty(0) if loss is None else loss[np.isfinite(loss)]

    @property
    def known(self) -> bool:
        """Whether there are at least two losses."""
        return len(self.losses) > 1

    @cached_property
    def nonfinite(self) -> Bool[np.ndarray, "records"]:
        """Records at which a loss or a gradient was no number."""
        shares, losses = self.evidence.nonfinite, self.evidence.nonfinite_loss
        none = np.zeros(len(self.evidence.step), bool)
        bad = none if shares is None else np.nansum(shares, axis=1) > 0
        return bad if losses is None else bad | losses

    @cached_property
    def skipped(self) -> bool:
        """Whether what was no number never reached the weights, and the loss fell: such steps are skipped on purpose.

        As those are whose gradients a scale of the loss makes too large for 16 bits.
        """
        loss, weight, bad = self.evidence.loss, self.evidence.weight, self.nonfinite
        if loss is None or weight is None or 2 * bad.sum() > len(bad) or not np.isfinite(loss[-1]):
            return False
        return bool(bad.any() and not bad[-1] and (weight[-1] < np.inf).all() and self.fell)

    @property
    def broken(self) -> bool:
        """Whether a loss became non-finite, and not in steps that were skipped."""
        nonfinite = self.evidence.nonfinite_loss
        return nonfinite is not None and bool(nonfinite.any()) and not self.skipped

    @cached_property
    def start(self) -> float:
        """The first loss."""
        return float(self.losses[0])

    @cached_property
    def thrown(self) -> bool:
        """Whether the last loss is several times all before it: nothing was recorded since the run was thrown about."""
        if len(self.losses) <= LAST or self.losses.min() < 0:
            return False
        return bool(self.losses[-1] > thresholds.PEAKED * self.losses[:-1].max())

    @cached_property
    def end(self) -> float:
        """Median of the last losses; the last one where it is far above all others."""
        return float(np.median(self.losses[-1 if self.thrown else -LAST :]))

    @property
    def second_half(self) -> Float[np.ndarray, "half"]:
        """The losses of the second half of the records."""
        return self.losses[len(self.losses) // 2 :]

    @cached_property
    def peak(self) -> float:
        """The largest loss that is known."""
        peak = self.evidence.peak
        known = self.losses if peak is None else np.append(self.losses, peak[np.isfinite(peak)])
        return float(known.max())

    @cached_property
    def unmoved(self) -> bool:
        """Whether the loss never left the place where it began, at least three records long."""
        if len(self.losses) < LAST or self.start == 0:
            return False
        return bool((np.abs(self.losses - self.start) <= thresholds.UNMOVED * abs(self.start)).all())

    @property
    def fell(self) -> bool:
        """Whether the loss, which may be negative, ended well below where it began."""
        return self.known and self.end < self.start - thresholds.LITTLE * abs(self.start)

    @property
    def falls(self) -> bool:
        """Whether the loss falls from record to record but for the noise of batches."""
        if len(self.losses) < LAST or not np.ptp(self.losses):
            return False
        ranks = np.argsort(np.argsort(self.losses))
        return bool(np.corrcoef(ranks, np.arange(len(ranks)))[0, 1] <= -0.9)

    @property
    def steady(self) -> bool:
        """Whether a loss that falls has not slowed."""
        half = len(self.losses) // 2 + 1
        first, last = (np.polyfit(np.arange(half), each, 1)[0] for each in (self.losses[:half], self.losses[-half:]))
        return bool(last <= thresholds.STEADY * first)

    @cached_property
    def settled(self) -> bool:
        """Whether the loss, however noisy, has no trend over the second half of the records, six of them at least."""
        if len(self.losses) < 6 or self.broken:
            return False
        half = self.second_half
        first, last = np.median(half[: len(half) // 2]), np.median(half[len(half) // 2 :])
        return bool(abs(last - first) <= thresholds.SETTLED * abs(last))

    @property
    def at_least_of_a_cosine(self) -> bool:
        """Whether the loss fell to minus one, the least that the negative of a cosine has, and rests there."""
        if not self.settled:
            return False
        near = abs(self.end + 1) <= thresholds.OF_A_COSINE and float(self.losses.min()) >= -1 - 1e-3
        return near and self.start - self.end > thresholds.LITTLE

    @property
    def all_gone(self) -> bool:
        """Whether next to nothing is left of a loss that is never negative."""
        return self.known and not self.broken and 0 <= self.end <= thresholds.OF_A_COSINE * self.start

    @cached_property
    def plateau(self) -> bool:
        """Whether it does so not far below where it began."""
        return self.settled and float(self.start - np.median(self.second_half)) < 0.5 * abs(self.start)
