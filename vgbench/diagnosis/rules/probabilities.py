"""Probabilities that a loss takes for scores, to which it applies a softmax or a sigmoid once more."""

from collections.abc import Iterator

import numpy as np
from scipy.stats import entropy

from vgbench.diagnosis import thresholds
from vgbench.diagnosis.findings import Confidence, Finding
from vgbench.diagnosis.reading import Reading

_MOST = 12.0
"""The logarithm of more classes than any softmax has."""


def softmax_twice(run: Reading) -> Iterator[Finding]:
    """The loss stays within what probabilities allow, which differ by one at most, and does not come down to less.

    Any loss may do so. One of scores that begins where equal probabilities put it does not if answers are right more
    often than it allows, or if the gradient is gone while batches differ in their losses. One that rests at the least
    value is suspected where no accuracies deny it, but of two classes, where that of scores comes to rest there, too.
    """
    progress = run.progress
    if not progress.settled:
        return  # scores grow sure of what is right already
    numb = run.numb and progress.learned is not False
    for begin, floor, classes in _confined(run):
        within = progress.losses.min() >= 0.998 * floor and progress.peak <= 1.002 * (floor + 1)
        above = progress.start > (1 + thresholds.NEAR_CHANCE) * begin  # as no usual probabilities begin
        if above or not within or progress.end > thresholds.ABOVE_LEAST * floor:
            continue
        begins = abs(progress.start - begin) <= (thresholds.NEAR_CHANCE if numb else thresholds.AS_CHANCE) * begin
        right = _too_often_right(run, classes)
        rests = classes > 2 and (_rests(run, floor) or _stays_within(run, begin, floor))
        if (begins and (right or numb)) or (right is not False and rests):
            confidence: Confidence = "likely" if right or numb else "possible"
            yield run.finding("softmax applied twice", confidence, last_loss=progress.end, least_possible=floor)
            return


def may_be_probabilities(run: Reading) -> bool:
    """Whether a loss that falls, and has hardly moved, began just where equal probabilities put it.

    Scores of small size begin there, too.
    """
    progress, chance = run.progress, run.evidence.chance
    if chance is None or not progress.falls or progress.broken or run.empty:
        return False
    classes = round(float(np.exp(min(chance, _MOST))))
    begin = float(np.log(max(1, classes)))
    even = classes > 2 and abs(chance - begin) <= thresholds.EVEN * begin
    near = even and abs(progress.start - begin) <= thresholds.AS_CHANCE * begin
    floor = _least(classes)
    return bool(near and progress.losses.min() >= floor and progress.peak <= floor + 1)


def _confined(run: Reading) -> Iterator[tuple[float, float, int]]:
    """Where the loss begins and the least that it reaches, by the number of classes, which may be one of these.

    A softmax over C classes begins at log(C), by the loss itself, since answers may leave some classes out, and reaches
    log(1 + (C - 1) / e). A sigmoid before that of a loss begins at a half, about two answers of one frequency.
    """
    chance = run.evidence.chance
    if chance is None:
        return
    for level in (min(chance, _MOST), min(run.progress.start, _MOST)):
        classes = round(float(np.exp(level)))
        if classes >= 2 and abs(np.exp(level) - classes) <= 0.01 * classes:
            yield float(np.log(classes)), _least(classes), classes
    if abs(chance - np.log(2)) <= thresholds.AS_CHANCE * chance:
        yield float(np.log1p(np.exp(0.5)) - 0.25), float(np.log1p(np.exp(-1)) + np.log(2)) / 2, 2


def _least(classes: int) -> float:
    """The least loss that a softmax of probabilities over so many classes reaches."""
    return float(np.log1p((classes - 1) / np.e))


def _too_often_right(run: Reading, classes: int) -> bool | None:
    """Whether answers are right more often than the loss allows where it has settled; None where it is not known.

    Of scores that are as sure as they are right, the loss is the entropy at most that is left with this accuracy (Fano
    1961).
    """
    right = run.progress.accuracy
    if right is None:
        return None
    allowed = entropy([right, 1 - right]) + (1 - right) * np.log(max(1, classes - 1))
    holds = run.progress.validated is not None and run.progress.validated >= 0.6
    return bool(holds and run.progress.end > thresholds.UNSURE * allowed)


def _stays_within(run: Reading, begin: float, floor: float) -> bool:
    """Whether a loss of classes that are equally frequent began at their level, and then took off a part of it alone.

    Scores of unit size begin above it, and have steeper slopes where their batches differ as much.
    """
    progress, chance = run.progress, run.evidence.chance
    even = chance is not None and abs(chance - begin) <= thresholds.EVEN * begin
    near = abs(progress.start - begin) <= thresholds.NEAR_START * begin
    dull = run.feels is not None and run.feels < thresholds.DULL and not (run.held.any() or run.empty)
    part = progress.gain is not None and thresholds.PART <= progress.gain < thresholds.SOME
    return even and near and dull and part and progress.end <= thresholds.WITHIN * floor


def _rests(run: Reading, floor: float) -> bool:
    """Whether the loss stands still at the least value."""
    losses = run.progress.losses
    third = losses[-max(3, len(losses) // 3) :]
    return bool(np.median(third) <= 1.08 * floor and np.ptp(third) <= thresholds.PLATEAU * floor)
