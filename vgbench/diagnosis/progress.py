"""What a run has learned, as far as that was recorded."""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vgbench.diagnosis import thresholds
from vgbench.diagnosis.losses import LAST, Losses

_ADVERSARIAL = re.compile(r"generator|discriminator|(?<![a-z])(gen|disc|net_?[gd])(?![a-z])", re.IGNORECASE)
"""In names of weights of two networks that play against each other; an actor has a critic, too."""


@dataclass(frozen=True)
class Progress(Losses):
    """The losses of a run and what they amount to.

    The level that everything is held against is that of the best constant answer. Where it is not known, the first loss
    does not stand in for it: a loss that has not moved from where it began has learned nothing, and of any other that
    is left open.
    """

    @cached_property
    def gain(self) -> float | None:
        """Share of the constant answer's loss that was taken off by the end; None if that is unknown.

        Of two networks that play against each other no loss says what was learned.

        A loss that may be negative has no least value. Where it lies below the constant answer's by more than its
        noise, it is a share of that one's size; otherwise of what the loss began above it, if that is more.
        """
        chance = self.evidence.chance
        if chance is None or not np.isfinite(chance) or not len(self.losses) or self.adversarial:
            return None
        if self.broken:
            return -float("inf")
        whole = max(abs(chance), abs(self.start - chance)) if self.signed and not self.below else abs(chance)
        return float((chance - self.end) / whole) if whole > 0 else None

    @property
    def below(self) -> bool:
        """Whether the loss ended below the constant answer's by more than its range over the second half."""
        chance, half = self.evidence.chance, self.second_half
        return chance is not None and len(half) > 0 and bool(chance - self.end > np.ptp(half))

    @cached_property
    def once_learned(self) -> bool:
        """Whether the loss was well below the constant answer's at some time, three records long."""
        chance = self.evidence.chance
        if chance is None or len(self.losses) < LAST:
            return False
        typical = np.median(np.lib.stride_tricks.sliding_window_view(self.losses, LAST), axis=1)
        return bool(chance - typical.min() >= thresholds.LITTLE * abs(chance))

    @property
    def signed(self) -> bool:
        """Whether the loss may be negative, so that it has no least value that is known."""
        return (self.evidence.chance or 0.0) < 0 or (len(self.losses) > 0 and float(self.losses.min()) < 0)

    @cached_property
    def accuracy(self) -> float | None:
        """Median of the last three finite accuracies on other data, as the losses' end; None if unknown."""
        accuracy = self.evidence.accuracy
        if accuracy is None or not np.isfinite(accuracy).any():
            return None
        return float(np.median(accuracy[np.isfinite(accuracy)][-1 if self.thrown else -LAST :]))

    @cached_property
    def validated(self) -> float | None:
        """What was learned of other data, as `gain`: by accuracy, or by the validation loss; None if unknown."""
        typical, chance = self.accuracy, self.evidence.chance_accuracy
        if typical is not None and chance is not None and chance < 1:
            return 0.0 if typical <= chance + self._margin else (typical - chance) / (1 - chance)
        loss, level = self.evidence.validation_loss, self.evidence.chance
        if loss is not None and level is not None and level > 0 and np.isfinite(loss).any():
            return float(1 - np.median(loss[np.isfinite(loss)][-LAST:]) / level)
        return None

    @property
    def of_classes(self) -> bool:
        """Whether the constant answer's loss may be an entropy of classes: it is no less than its accuracy allows."""
        loss, right = self.evidence.chance, self.evidence.chance_accuracy
        return loss is not None and right is not None and 0 < right < 1 and loss >= -0.99 * float(np.log(right))

    @property
    def _margin(self) -> float:
        """Accuracy above that of chance up to which nothing was learned: less where chance leaves little."""
        left = 1 - (self.evidence.chance_accuracy or 0.0)
        return min(thresholds.CHANCE_MARGIN, thresholds.CHANCE_SHARE * left)

    @property
    def forgot(self) -> bool:
        """Whether the accuracy on other data has fallen by half of what it once was above that of chance."""
        accuracy, chance = self.evidence.accuracy, self.evidence.chance_accuracy
        if accuracy is None or chance is None or self.accuracy is None:
            return False
        once = float(accuracy[np.isfinite(accuracy)].max()) - chance
        return once > self._margin and self.accuracy - chance < once / 2

    @cached_property
    def reached(self) -> bool | None:
        """Whether the accuracy, or without one the validation loss, reached the target; None without one."""
        best, target = self.best_held_out, self.evidence.target
        if best is None or target is None:
            return None
        if self.broken:
            return False
        return best >= target if self.evidence.accuracy is not None else best <= target

    @cached_property
    def best_held_out(self) -> float | None:
        """The best of the last accuracies on other data, or without any, validation losses; None if unknown."""
        accuracy, loss = self.evidence.accuracy, self.evidence.validation_loss
        looks = accuracy if accuracy is not None else loss
        if looks is None or not np.isfinite(looks).any():
            return None
        last = looks[np.isfinite(looks)][-LAST:]
        return float(np.max(last) if accuracy is not None else np.min(last))

    @property
    def looked(self) -> bool:
        """Whether it is known how it does on other data."""
        return self.validated is not None or self.reached is not None

    @cached_property
    def share(self) -> float | None:
        """What was learned, by other data where they were looked at; None if unknown."""
        if self.broken:
            return -float("inf")
        return self.gain if self.validated is None else self.validated

    @cached_property
    def learned(self) -> bool | None:
        """Whether anything was learned; None if that is unknown."""
        if self.reached:
            return True
        if self.share is not None:
            return self.share >= thresholds.LEARNED
        return False if self.unmoved else None

    @property
    def adversarial(self) -> bool:
        """Whether two networks play against each other, so that what the one learns the other loses."""
        return any(_ADVERSARIAL.search(name) for name in self.evidence.names)

    @cached_property
    def little(self) -> bool | None:
        """Whether so little was learned that what is wrong is looked for; None if that is unknown."""
        if self.reached:
            return False
        if self.share is not None:  # nor is a training loss that is hardly lower than the constant answer's enough
            little = min(self.share, self.share if self.gain is None else self.gain) < thresholds.LITTLE
            return None if little and self.signed and self.below and self.validated is None else little
        return True if self.unmoved else None

    @property
    def poor(self) -> bool:
        """Whether little was learned, or, where that is unknown, the loss stands still."""
        if self.little is None:
            return self.plateau and not (self.adversarial or (self.signed and self.below))
        return self.little

    @cached_property
    def mastered(self) -> bool:
        """Whether the task is all but done, and other data, where they were looked at, say nothing else."""
        if self.reached is not None:
            return self.reached
        if self.share is None or (self.unmoved and self.validated is None):
            return False
        fits = self.gain is None or self.gain >= thresholds.MASTERED
        holds = self.validated is None or self.validated >= thresholds.MASTERED
        return self.share > -np.inf and fits and holds

    @property
    def range_of_accuracy(self) -> float:
        """Range of the accuracies on other data over the second half of the records; infinite if unknown."""
        accuracy = self.evidence.accuracy
        half = np.empty(0) if accuracy is None else accuracy[len(accuracy) // 2 :]
        return float(np.ptp(half)) if len(half) > 2 and np.isfinite(half).all() else float("inf")

    @property
    def level(self) -> float:
        """The size of the first loss or of the constant answer's, whichever is larger; of a loss that is known."""
        return max(abs(self.start), abs(self.evidence.chance or 0.0))

    @property
    def rose(self) -> bool:
        """Whether the loss ended far above where it began and the constant answer's, as no small signal makes it."""
        return self.known and not self.signed and self.level > 0 and self.end > thresholds.ROSE * self.level

    @property
    def rests_halfway(self) -> bool:
        """Whether a part of the task was learned, a part was not, and the loss falls no further."""
        part = self.gain is not None and thresholds.LITTLE <= self.gain < thresholds.MASTERED
        return part and self.settled

    @cached_property
    def at_constant(self) -> bool:
        """Whether the loss ended at the level of the constant answer, and not far below it by its noise."""
        if self.gain is None or abs(self.gain) > thresholds.CONSTANT or (self.signed and self.below):
            return False
        below, noise, level = self._below_constant
        return below <= max(thresholds.NEAR_CONSTANT * level, 3 * noise)

    @property
    def rests_at_constant(self) -> bool:
        """Whether the loss rests at the level of the constant answer, wherever it began."""
        return self.settled and self.at_constant

    @property
    def came_down(self) -> bool:
        """Whether the loss fell to the constant answer's level and rests there: its start may be no matter."""
        return self.rests_at_constant and self.fell

    @property
    def a_little_known(self) -> bool:
        """Whether the loss lies below the constant answer's by more than its noise: it may be all that can be known."""
        below, noise, _ = self._below_constant
        return below > 2 * noise

    @property
    def _below_constant(self) -> tuple[float, float, float]:
        """How far the loss of the second half lies below the constant answer's, its noise, and that one's size."""
        chance, half = self.evidence.chance or 0.0, self.second_half
        return chance - float(half.mean()), float(half.std()), abs(chance)
