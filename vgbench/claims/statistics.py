"""The statistics that claims are decided by: each a pure function from a cell's records to a number for each seed.

A statistic is None where the records do not hold what it needs.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from vgbench.measure.training import TrainingCurves
from vgbench.records.runs import Entry
from vgbench.records.schema import CellRecord, CostRecord, Row
from vgbench.records.seeds import chosen
from vgbench.spec.metric import ACCURACY
from vgbench.spec.registry import STATISTICS
from vgbench.statistics import first_over_last

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

    def first(self, seeds: int | None) -> "Measured":
        """The row by its first seeds alone, all for None; where it has fewer, as if its cell were not measured."""
        held = self.seeds or ()
        if seeds is None or self.cell is None:
            return self
        return replace(self, cell=chosen(self.cell, held[:seeds]) if len(held) >= seeds else None)


def measured(entries: Iterable[Entry]) -> list[Measured]:
    """The rows of a run as claims look at them."""
    return [Measured(entry.row, entry.cell, entry.cost) for entry in entries]


_SMALLEST_MOVE = 1e-8
"""Share of its norm that a layer can move by at least, about a tenth of float32's spacing at 1."""


@STATISTICS.register(source="Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017")
def decay(measured: Measured) -> Values | None:
    """Slope of log10 ||dL/dh_l|| along the backward path at initialisation, decades a layer or time step."""
    gradients = measured.cell.gradients if measured.cell else None
    return None if gradients is None else gradients.decay_per_seed


@STATISTICS.register(source="Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017")
def decay_size(measured: Measured) -> Values | None:
    """Absolute value of the decay: how far the gradient is from keeping its size, decades a layer or time step."""
    values = decay(measured)
    return None if values is None else np.abs(values)


@STATISTICS.register(source="Glorot & Bengio 2010")
def log10_first_over_last(measured: Measured) -> Values | None:
    """log10 of ||dL/dh_1|| / ||dL/dh_depth|| at initialisation."""
    gradients = measured.cell.gradients if measured.cell else None
    return None if gradients is None else first_over_last(gradients.log10_activation_norm)


@STATISTICS.register(source="Glorot & Bengio 2010")
def log10_first_over_last_trained(measured: Measured) -> Values | None:
    """log10 of ||dL/dh_1|| / ||dL/dh_depth|| after the last step of training."""
    curves = measured.curves
    return None if curves is None else first_over_last(curves.snapshots.log10_activation_norm[:, -1])


@STATISTICS.register(source="Glorot & Bengio 2010")
def log10_slope(measured: Measured) -> Values | None:
    """Mean over the layers of log10 of the mean |phi'| at initialisation, decades a layer."""
    slopes = _slopes(measured)
    return None if slopes is None else slopes.mean(axis=1)


@STATISTICS.register(source="Glorot & Bengio 2010")
def log10_slope_first_over_last(measured: Measured) -> Values | None:
    """log10 of the mean |phi'| of the first hidden layer over that of the last, at initialisation."""
    slopes = _slopes(measured)
    return None if slopes is None else first_over_last(slopes)


@STATISTICS.register(source="Glorot & Bengio 2010")
def log10_lowest_slope_last_over_first(measured: Measured) -> Values | None:
    """Lowest value at any record of training of log10 of the mean |phi'| of the last hidden layer over the first's."""
    curves = measured.curves
    if curves is None:
        return None
    slopes = curves.snapshots.mean_slope
    known = ~np.isnan(slopes).any(axis=(0, 1))
    if not known.any():
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        return -first_over_last(np.log10(slopes[..., known])).max(axis=1)


@STATISTICS.register(source="Zhang, Bengio & Singer 2022, Are all layers created equal?")
def log10_displacement_first_over_last(measured: Measured) -> Values | None:
    """log10 of the relative displacement of the first hidden layers over that of the last, after the last step.

    The relative displacement is ||W - its initial value|| / ||its initial value||, in the mean over the first third of
    the hidden layers and over the last third. What moves less than 1e-8, which float32 cannot show, counts as 1e-8.
    """
    curves = measured.curves
    if curves is None:
        return None
    hidden = curves.snapshots.displacement[:, -1, :-1]
    third = max(1, hidden.shape[1] // 3)
    first, last = (np.maximum(each.mean(axis=1), _SMALLEST_MOVE) for each in (hidden[:, :third], hidden[:, -third:]))
    return np.log10(first) - np.log10(last)


@STATISTICS.register(source="Ioffe & Szegedy 2015: internal covariate shift")
def log10_moment_drift(measured: Measured) -> Values | None:
    """log10 of how far the moments of pre-activations move between two records 25 steps apart.

    The distance is that of the means and the standard deviations on the same inputs, in standard deviations; mean over
    layers and records.
    """
    curves = measured.curves
    if curves is None or len(curves.step) < 2:
        return None
    known = ~np.isnan(curves.snapshots.preactivation_variance).any(axis=(0, 1))
    if not known.any():
        return None
    mean = np.asarray(curves.snapshots.preactivation_mean[..., known], np.float64)
    deviation = np.sqrt(np.asarray(curves.snapshots.preactivation_variance[..., known], np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = np.hypot(np.diff(mean, axis=1), np.diff(deviation, axis=1)) / deviation[:, :-1]
        return np.log10(moved.mean(axis=(1, 2)))


@STATISTICS.register(source="Pascanu, Mikolov & Bengio 2013")
def log10_largest_update(measured: Measured) -> Values | None:
    """log10 of the largest ||update|| / ||W_l|| at any record of training, in any hidden layer."""
    curves = measured.curves
    if curves is None:
        return None
    with np.errstate(divide="ignore"):
        return np.log10(curves.snapshots.update_to_weight[..., :-1].max(axis=(1, 2)))


@STATISTICS.register(source="Dahl et al. 2023: time to a target")
def log10_steps_to_target(measured: Measured) -> Values | None:
    """log10 of the steps until the validation metric reaches the target, on a straight line between two records.

    A run that never reaches it counts as if it did with its last step, so that an effect is underestimated; between two
    that never do, no difference is known.
    """
    curves = measured.curves
    return None if curves is None else np.log10(np.maximum(_crossing(curves), 1))


@STATISTICS.register(source="Dahl et al. 2023: time to a target")
def log10_seconds_to_target(measured: Measured) -> Values | None:
    """log10 of the seconds until the validation metric reaches the target: those steps times a plain step's latency."""
    steps, cost = log10_steps_to_target(measured), measured.cost.cost if measured.cost else None
    return None if steps is None or cost is None else steps + np.log10(cost.latency)


@STATISTICS.register(source="vgbench")
def loss_fall(measured: Measured) -> Values | None:
    """Share of the mean training loss of the first tenth of steps that is gone in the last tenth; 0 if it diverged."""
    curves = measured.curves
    if curves is None:
        return None
    first, last = ends_of_loss(curves)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.isfinite(last), 1 - last / first, 0.0)


@STATISTICS.register(source="He, Zhang, Ren & Sun 2016: training error")
def log10_final_loss(measured: Measured) -> Values | None:
    """log10 of the mean training loss of the last tenth of steps."""
    curves = measured.curves
    if curves is None:
        return None
    with np.errstate(divide="ignore"):
        return np.log10(ends_of_loss(curves)[1])


@STATISTICS.register(source="vgbench")
def test_accuracy(measured: Measured) -> Values | None:
    """Test accuracy after the last step."""
    curves = measured.curves
    return None if curves is None or curves.metric != ACCURACY else np.asarray(curves.test_metric, np.float64)


@STATISTICS.register(source="vgbench")
def test_score(measured: Measured) -> Values | None:
    """The metric on the test examples after the last step, in its unit; minus it where lower is better."""
    curves = measured.curves
    return None if curves is None else curves.metric.score(np.asarray(curves.test_metric, np.float64))


def never_reaches(curves: TrainingCurves) -> Bool[np.ndarray, "seeds"]:
    """Which seeds do not reach the target at any look."""
    return np.asarray(~curves.reached.any(axis=1))


def _crossing(curves: TrainingCurves) -> Values:
    """The step at which each seed's metric crosses the target, interpolated between records; the last if never."""
    score = curves.metric.score(np.asarray(curves.validation_metric, np.float64))
    seeds, step = np.arange(len(score)), np.asarray(curves.step, np.float64)
    after = curves.reached.argmax(axis=1)
    before = np.maximum(after - 1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        missing = curves.metric.score(curves.target) - score[seeds, before]
        share = missing / (score[seeds, after] - score[seeds, before])
    share = np.clip(np.where(np.isfinite(share), share, 1.0), 0, 1)  # at the record where the one before has no value
    crossed = step[before] + share * (step[after] - step[before])
    return np.where(never_reaches(curves), step[-1], crossed)


def value(name: str, measured: Measured) -> Values | None:
    """A statistic by its name; None where the records do not hold what it needs."""
    return STATISTICS[name].function(measured)


def difference(name: str, row: Measured, other: Measured) -> Values | None:
    """A statistic's difference, paired by seed; NaN where it is not known, None where there are no pairs."""
    values, against = value(name, row), value(name, other)
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


def _slopes(measured: Measured) -> Float[np.ndarray, "seeds depth"] | None:
    forward = measured.cell.forward if measured.cell else None
    if forward is None:
        return None
    known = ~np.isnan(forward.mean_slope).any(axis=0)
    with np.errstate(divide="ignore"):
        return np.log10(forward.mean_slope[:, known]) if known.any() else None


_CENSORED = ("log10_steps_to_target", "log10_seconds_to_target")
"""Those that are lower bounds where a run never arrives."""
