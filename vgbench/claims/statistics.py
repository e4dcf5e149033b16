"""The statistics that claims are decided by: each a pure function from a cell's records to a number for each seed.

`vgbench.spec.claim.STATISTICS` says what each is, with its unit. None where the records do not hold what it needs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from vgbench.measure.training import TrainingCurves
from vgbench.records.schema import CellRecord, CostRecord, Row
from vgbench.theory import without_noise

Values = Float[np.ndarray, "seeds"]


@dataclass(frozen=True)
class Measured:
    """A row of a run and its records, None before they are measured."""

    row: Row
    cell: CellRecord | None
    cost: CostRecord | None

    @property
    def seeds(self) -> tuple[int, ...] | None:
        """That its numbers are of."""
        return self.cell.case.seeds if self.cell else None

    @property
    def curves(self) -> TrainingCurves | None:
        """How it trained; None where it did not."""
        return self.cell.training if self.cell else None


Statistic = Callable[[Measured], Values | None]

_SMALLEST_MOVE = 1e-8
"""Share of its norm that a layer can move by at least, about a tenth of float32's spacing at 1."""


def decay(measured: Measured) -> Values | None:
    """Slope of the back-propagated gradient along the layers."""
    gradients = measured.cell.gradients if measured.cell else None
    return None if gradients is None else without_noise(gradients.decay_per_seed)


def decay_size(measured: Measured) -> Values | None:
    """Its size."""
    values = decay(measured)
    return None if values is None else np.abs(values)


def log10_first_over_last(measured: Measured) -> Values | None:
    """What is left of the gradient at the first layer, at initialisation."""
    gradients = measured.cell.gradients if measured.cell else None
    return None if gradients is None else _first_over_last(gradients.log10_activation_norm)


def log10_first_over_last_trained(measured: Measured) -> Values | None:
    """What is left of it after training."""
    curves = measured.curves
    return None if curves is None else _first_over_last(curves.log10_activation_norm[:, -1])


def log10_slope(measured: Measured) -> Values | None:
    """The factor that activation derivatives alone contribute to a layer."""
    slopes = _slopes(measured)
    return None if slopes is None else slopes.mean(axis=1)


def log10_slope_first_over_last(measured: Measured) -> Values | None:
    """Whether that factor itself is lower in the first layers."""
    slopes = _slopes(measured)
    return None if slopes is None else _first_over_last(slopes)


def log10_displacement_first_over_last(measured: Measured) -> Values | None:
    """How far the first layers have moved beside the last."""
    curves = measured.curves
    if curves is None:
        return None
    hidden = curves.displacement[:, -1, :-1]
    third = max(1, hidden.shape[1] // 3)
    first, last = (np.maximum(each.mean(axis=1), _SMALLEST_MOVE) for each in (hidden[:, :third], hidden[:, -third:]))
    return np.log10(first) - np.log10(last)


def log10_moment_drift(measured: Measured) -> Values | None:
    """Internal covariate shift, as Ioffe & Szegedy 2015 define it: by the change of parameters alone."""
    curves = measured.curves
    if curves is None or len(curves.step) < 2:
        return None
    known = ~np.isnan(curves.preactivation_variance).any(axis=(0, 1))
    if not known.any():
        return None
    mean = np.asarray(curves.preactivation_mean[..., known], np.float64)
    deviation = np.sqrt(np.asarray(curves.preactivation_variance[..., known], np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = np.hypot(np.diff(mean, axis=1), np.diff(deviation, axis=1)) / deviation[:, :-1]
        return np.log10(moved.mean(axis=(1, 2)))


def log10_largest_update(measured: Measured) -> Values | None:
    """The largest step that the optimizer would have made at any look."""
    curves = measured.curves
    if curves is None:
        return None
    with np.errstate(divide="ignore"):
        return np.log10(curves.update_to_weight[..., :-1].max(axis=(1, 2)))


def log10_steps_to_target(measured: Measured) -> Values | None:
    """How long it takes to learn."""
    curves = measured.curves
    if curves is None:
        return None
    reached = curves.validation_accuracy >= curves.target
    steps = np.where(never_reaches(curves), curves.step[-1], curves.step[reached.argmax(axis=1)])
    return np.log10(np.maximum(steps, 1).astype(np.float64))


def log10_seconds_to_target(measured: Measured) -> Values | None:
    """The same in seconds, where the step was timed."""
    steps, cost = log10_steps_to_target(measured), measured.cost.cost if measured.cost else None
    return None if steps is None or cost is None else steps + np.log10(cost.latency)


def loss_fall(measured: Measured) -> Values | None:
    """What training takes off the loss."""
    curves = measured.curves
    if curves is None:
        return None
    first, last = ends_of_loss(curves)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 1 - last / first


def test_accuracy(measured: Measured) -> Values | None:
    """What was learned."""
    curves = measured.curves
    return None if curves is None else np.asarray(curves.test_accuracy, np.float64)


def never_reaches(curves: TrainingCurves) -> Bool[np.ndarray, "seeds"]:
    """Which seeds do not reach the target at any look."""
    return np.asarray(~(curves.validation_accuracy >= curves.target).any(axis=1))


def difference(name: str, row: Measured, other: Measured) -> Values | None:
    """A statistic's difference, paired by seed; NaN where it is not known, None where there are no pairs."""
    values, against = FUNCTIONS[name](row), FUNCTIONS[name](other)
    if values is None or against is None or row.seeds != other.seeds:
        return None
    with np.errstate(invalid="ignore"):
        apart = values - against
    if name in _CENSORED and row.curves and other.curves:
        apart[never_reaches(row.curves) & never_reaches(other.curves)] = np.nan
    return apart


def ends_of_loss(curves: TrainingCurves) -> tuple[Values, Values]:
    """Mean training loss of the first and of the last tenth of steps."""
    loss = np.asarray(curves.loss, np.float64)
    tenth = max(1, loss.shape[1] // 10)
    with np.errstate(invalid="ignore", over="ignore"):
        return loss[:, :tenth].mean(axis=1), loss[:, -tenth:].mean(axis=1)


def _first_over_last(log10: Float[np.ndarray, "seeds depth"]) -> Values:
    with np.errstate(invalid="ignore"):
        return log10[:, 0] - log10[:, -1]


def _slopes(measured: Measured) -> Float[np.ndarray, "seeds depth"] | None:
    forward = measured.cell.forward if measured.cell else None
    if forward is None:
        return None
    known = ~np.isnan(forward.mean_slope).any(axis=0)
    with np.errstate(divide="ignore"):
        return np.log10(forward.mean_slope[:, known]) if known.any() else None


FUNCTIONS: Mapping[str, Statistic] = {
    function.__name__: function
    for function in (
        *(decay, decay_size, log10_first_over_last, log10_first_over_last_trained),
        *(log10_slope, log10_slope_first_over_last, log10_displacement_first_over_last, log10_moment_drift),
        *(log10_largest_update, log10_steps_to_target, log10_seconds_to_target, loss_fall, test_accuracy),
    )
}
"""By name, as claims call them."""

_CENSORED = ("log10_steps_to_target", "log10_seconds_to_target")
"""Those that are lower bounds where a run never arrives."""
