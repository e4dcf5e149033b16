"""Cost against benefit: how deep a mitigation trains, how soon, and which rows no other beats in every respect."""

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from vgbench.measure.cost import Cost
from vgbench.measure.training import TrainingCurves


class Merits(NamedTuple):
    """The cost and the benefit of a row, the lower the better; NaN where it is not known.

    Attributes:
        step_ratio: time of a step over the reference's.
        memory_ratio: the same of peak memory.
        decay: decades a layer that the gradient changes by, whatever the direction.
        depth: minus the trainable depth.
        seconds: time to the target.
    """

    step_ratio: float
    memory_ratio: float
    decay: float
    depth: float
    seconds: float


def reaches_target(curves: TrainingCurves) -> bool:
    """Whether the median seed reaches the target on the test examples."""
    return bool(curves.metric.reached(np.median(curves.test_metric), curves.target))


def steps_to_target(curves: TrainingCurves) -> float:
    """Updates after which the median seed's validation metric first reaches the target, infinite where it never does.

    Looked at every 25th step.
    """
    reached = curves.reached
    first = np.where(reached.any(axis=1), curves.step[reached.argmax(axis=1)], np.inf)
    return float(np.sort(first)[(len(first) - 1) // 2])


def seconds_to_target(curves: TrainingCurves | None, cost: Cost | None) -> float | None:
    """Those steps times the latency of a plain step; None where either is not measured."""
    return None if curves is None or cost is None else steps_to_target(curves) * cost.latency


def price_to_target(seconds: float | None, devices: int, price: float | None) -> float | None:
    """What those seconds cost on so many devices at a price an hour of one; None where either is unknown."""
    return None if seconds is None or price is None else seconds * devices * price / 3600


def trainable_depth(trains: Mapping[int, bool]) -> int:
    """The greatest depth up to which every depth that was trained reaches the target; 0 where the shallowest fails."""
    deepest = 0
    for depth in sorted(trains):
        if not trains[depth]:
            break
        deepest = depth
    return deepest


def on_front(rows: Sequence[tuple[Hashable, Sequence[float | int]] | None]) -> list[bool | None]:
    """Whether no other row of a row's group is as good in every respect and better in one: the Pareto front.

    What is not known of a row counts as worst. None for a row that is not timed.
    """
    groups: dict[Hashable, list[int]] = {}
    for index, row in enumerate(rows):
        if row is not None:
            groups.setdefault(row[0], []).append(index)
    verdicts: list[bool | None] = [None] * len(rows)
    for members in groups.values():
        points = np.asarray([rows[index][1] for index in members], np.float64)  # pyright: ignore[reportOptionalSubscript]
        points = np.where(np.isnan(points), np.inf, points)
        for index, point in zip(members, points, strict=True):
            beaten = (points <= point).all(axis=1) & (points < point).any(axis=1)
            verdicts[index] = not beaten.any()
    return verdicts
