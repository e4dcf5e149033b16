"""Samplers in turn with a reference: rounds until each ratio is known well enough, and the verdict on it."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from vgbench.statistics import Interval, bootstrap_median

Sampler = Callable[[], float]
"""Takes one sample: seconds a step."""

Verdict = Literal["FASTER", "SLOWER", "SAME", "UNCLEAR"]

TOLERANCE = 0.03
"""A difference in time up to which two steps count as equally fast."""
BUDGET_SECONDS = 4.0
"""Where noise keeps the interval wide, a pair's timing ends after samples of so long."""
ROUNDS_AT_LEAST, ROUNDS_AT_MOST, ROUNDS_BETWEEN = 30, 1000, 10
FAILURES = (Exception, SystemExit)
"""What a case may raise without costing the others beside it their results."""
_OUTLYING = 3.5
_CONSISTENT = 1.4826  # makes the median absolute deviation of normal samples their standard deviation


class Rounds(NamedTuple):
    """Seconds of one step of a case and of its reference in each round, [rounds]."""

    step: Float[np.ndarray, "rounds"]
    reference: Float[np.ndarray, "rounds"]


class _Samples:
    """What a sampler has given so far.

    Attributes:
        seconds: its samples, one a round.
        spent: seconds that it took.
        error: that it raised; it is not asked again.
    """

    def __init__(self, sampler: Sampler, clock: Callable[[], float]) -> None:
        self._sampler, self._clock = sampler, clock
        self.seconds: list[float] = []
        self.spent = 0.0
        self.error: BaseException | None = None

    def take(self) -> None:
        """Add a sample, unless there was an error."""
        if self.error is not None:
            return
        begin = self._clock()
        try:
            self.seconds.append(self._sampler())
        except FAILURES as error:
            self.error = error
        self.spent += self._clock() - begin


def time_beside(
    samplers: Sequence[Sampler],
    reference: Sampler,
    precision: float,
    *,
    seed: int = 0,
    budget: float = BUDGET_SECONDS,
    clock: Callable[[], float] = time.perf_counter,
    rounds_at_least: int = ROUNDS_AT_LEAST,
) -> tuple[Rounds | BaseException, ...]:
    """Sample all and their reference once in each round, until each one's ratio to it is known to `precision`.

    What slows the machine for longer than a round slows all. A sampler whose interval is narrow enough, or whose budget
    is spent, leaves; nothing else about a ratio ends its rounds. One that fails leaves as well, with its error.

    Args:
        samplers: those of the cases.
        reference: that of the reference of all, which is sampled as long as one of them stays.
        precision: half the length of a ratio's 95 % interval over the ratio.
        seed: of the random order within rounds.
        budget: seconds of its own samples and the reference's after which a sampler leaves anyhow, once there are
            enough rounds.
        clock: the seconds now.
        rounds_at_least: how many are enough.

    Returns:
        For each sampler its samples and those of the reference in the same rounds, or why it has none.
    """
    draw, shared = np.random.default_rng(seed), _Samples(reference, clock)
    staying = dict(enumerate(_Samples(each, clock) for each in samplers))
    ended: dict[int, Rounds | BaseException] = {}

    def enough(taken: _Samples, rounds: Rounds) -> bool:
        if len(rounds.step) < rounds_at_least:
            return False
        spent = taken.spent + shared.spent > budget or len(rounds.step) >= ROUNDS_AT_MOST
        return spent or _narrow(rounds.step / rounds.reference, precision)

    while staying:
        for order in _orders(draw, list(staying.values()), shared):
            for each in order:
                each.take()
        for i, taken in list(staying.items()):
            error = shared.error or taken.error
            rounds = error or Rounds(np.asarray(taken.seconds), np.asarray(shared.seconds))
            if isinstance(rounds, BaseException) or enough(taken, rounds):
                ended[i] = rounds
                del staying[i]
    return tuple(ended[i] for i in range(len(samplers)))


def _orders(draw: np.random.Generator, staying: list[_Samples], reference: _Samples) -> list[list[_Samples]]:
    """The orders of the next rounds, each with its reverse, so that in every pair each goes first equally often.

    A drift within rounds then cancels. The reference is in the middle, since what slows the machine for less than a
    round slows neighbours alike.
    """
    orders, middle = [], len(staying) // 2
    for _ in range(ROUNDS_BETWEEN // 2):
        order = [staying[i] for i in draw.permutation(len(staying))]
        order.insert(middle, reference)
        orders += [order, order[::-1]]
    return [orders[i] for i in draw.permutation(len(orders))]


def _narrow(ratios: Float[np.ndarray, "rounds"], precision: float) -> bool:
    """Whether half the bootstrap interval of the median is at most this share of it.

    A bootstrap takes as long as a sample. It is left out where the interval between the ranks that hold the median with
    95 %, which is nearly as long, is too long by half.
    """
    middle, reach = len(ratios) / 2, 0.98 * np.sqrt(len(ratios))
    low, high = np.sort(ratios)[[int(middle - reach), math.ceil(middle + reach) - 1]]
    if (high - low) / 2 > 1.5 * precision * np.median(ratios):
        return False
    ratio = bootstrap_median(ratios)
    return ratio.half_width <= precision * ratio.value


def verdict(ratio: Interval, tolerance: float = TOLERANCE) -> Verdict:
    """The verdict on a ratio of times, where its interval lies wholly on one side of each border of tolerance.

    `UNCLEAR` where it contains a border.
    """
    if ratio.low > 1 + tolerance:
        return "SLOWER"
    if ratio.high < 1 - tolerance:
        return "FASTER"
    return "SAME" if 1 - tolerance <= ratio.low and ratio.high <= 1 + tolerance else "UNCLEAR"


def outliers(ratios: Float[np.ndarray, "rounds"]) -> Bool[np.ndarray, "rounds"]:
    """Which ratios lie far off: a modified z-score above 3.5 (Iglewicz & Hoaglin 1993). None is ever dropped."""
    away = np.abs(ratios - np.median(ratios))
    return np.asarray(away > _OUTLYING * _CONSISTENT * np.median(away))
