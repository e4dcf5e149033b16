"""Evidence from vgbench's own measurements: records of cells, and training curves."""

import math
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from vgbench.diagnosis.evidence import Evidence, Flat
from vgbench.instruments.probe import smallest_number
from vgbench.measure.gradients import GradientProfile
from vgbench.measure.training import TrainingCurves
from vgbench.mitigations.mean_field import with_slope
from vgbench.records.schema import CellRecord
from vgbench.spec.case import Case
from vgbench.spec.metric import ACCURACY, BITS_PER_BYTE
from vgbench.spec.registry import ACTIVATIONS, Choice

_FLAT = 1e-3
_INVARIANT = {
    "sgd": False,
    **dict.fromkeys(("adam", "adamw", "rmsprop", "lion", "lars", "lamb", "muon", "sign_sgd"), True),
}
"""Whether an optimizer's step is the same whatever the gradient's scale, of those with published results."""


def from_record(record: CellRecord) -> list[Evidence]:
    """The runs of a record, a seed each; of a case that was not trained what its initialisation shows."""
    case = record.case
    distance = None if record.forward is None else record.forward.log10_pair_distance
    if record.training is None:
        return [] if record.gradients is None else _from_profile(record.gradients, distance, case)
    return from_curves(record.training, case=case, distance=distance)


def from_curves(
    curves: TrainingCurves,
    *,
    case: Case | None = None,
    chance: float | None = None,
    distance: Float[np.ndarray, "seeds depth"] | None = None,
) -> list[Evidence]:
    """The runs of training curves, a seed each.

    Args:
        curves: what training recorded, the metric of the best constant answer among it.
        case: what was trained, if that is known.
        chance: loss of the best constant answer, where the metric is an accuracy.
        distance: log10(1 - cosine) at initialisation, as `ForwardProfile` has it.
    """
    seen = curves.snapshots
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.log10(np.asarray(seen.preactivation_variance, np.float64)) / 2
    counts = seen.gradient_histogram.astype(np.float64)
    zero = counts[..., 0] / np.maximum(counts.sum(axis=-1), 1)
    layers, depth = seen.update_to_weight.shape[-1], seen.log10_activation_norm.shape[-1]
    return [
        Evidence(
            step=np.asarray(curves.step),
            loss=(loss := _around(np.asarray(curves.loss[seed], np.float64), curves.step)),
            peak=_peaks(np.asarray(curves.loss[seed], np.float64), curves.step),
            nonfinite_loss=~np.isfinite(loss),
            **{"chance": chance, **_judged(curves, seed)},
            signal=_in_range(seen.log10_activation_norm[seed]),
            gradient=seen.log10_parameter_norm[seed],
            weight=seen.log10_weight_norm[seed],
            update=seen.update_to_weight[seed],
            moved=seen.displacement[seed],
            zero=zero[seed],
            smallest=None if case is None else smallest_number(case.dtype) / float(np.median(seen.loss_scale[seed])),
            saturated=_known(seen.saturated[seed]),
            dead=_known(seen.dead[seed]),
            scale=_known(scale[seed]),
            distance=None if distance is None else _at_first(distance[seed], len(curves.step)),
            flat="unknown" if case is None else flat_ends(case.activation),
            timed=case is not None and case.recurrent,
            invariant=None if case is None else _INVARIANT.get(case.optimizer.name),
            names=_numbered(layers),
            places=_places(depth, case),
        )
        for seed in range(len(curves.loss))
    ]


def _judged(curves: TrainingCurves, seed: int) -> dict[str, Any]:
    """What the metric on the validation examples is as evidence; bits become nats, in which the loss is."""
    values = np.asarray(curves.validation_metric[seed], np.float64)
    known = None if np.isnan(curves.chance) else float(curves.chance)
    if curves.metric == ACCURACY:
        return {"accuracy": values, "chance_accuracy": known, "target": curves.target}
    if curves.metric == BITS_PER_BYTE:
        nats = math.log(2)
        return {"validation_loss": values * nats, "chance": known and known * nats, "target": curves.target * nats}
    return {}


def flat_ends(activation: Choice) -> Flat:
    """Where an activation is flat, by its slopes far from zero."""
    below, above = np.abs(with_slope(partial(ACTIVATIONS.build, activation), np.asarray([-30.0, 30.0]))[1])
    if above > _FLAT:
        return "none" if below > _FLAT else "below"
    return "both"


def _from_profile(profile: GradientProfile, distance: np.ndarray | None, case: Case) -> list[Evidence]:
    seeds, depth = profile.log10_activation_norm.shape
    return [
        Evidence(
            step=np.zeros(1, np.int64),
            signal=_in_range(profile.log10_activation_norm[seed][None]),
            gradient=profile.log10_parameter_norm[seed][None],
            distance=None if distance is None else distance[seed][None],
            flat=flat_ends(case.activation),
            timed=case.recurrent,
            invariant=_INVARIANT.get(case.optimizer.name),
            names=_numbered(profile.log10_parameter_norm.shape[1]),
            places=_places(depth, case),
        )
        for seed in range(seeds)
    ]


def _numbered(layers: int) -> tuple[str, ...]:
    return (*(f"layer {i}" for i in range(1, layers)), "output layer")


def _places(depth: int, case: Case | None) -> tuple[str, ...]:
    word = "time step" if case is not None and case.recurrent else "layer"
    return tuple(f"{word} {i}" for i in range(1, depth + 1))


def _at_first(row: np.ndarray, records: int) -> Float[np.ndarray, "records depth"]:
    """A row that only the first record has."""
    return np.vstack([row, np.full((records - 1, len(row)), np.nan)])


def _peaks(loss: Float[np.ndarray, "steps"], step: Int[np.ndarray, "records"]) -> Float[np.ndarray, "records"]:
    """The largest finite loss from each record's predecessor to the end of the steps that its mean is taken of."""
    finite = np.where(np.isfinite(loss), loss, -np.inf)
    begins, ends = np.append(0, step[:-1]), np.asarray(step) + _width(loss)
    peaks = np.asarray([finite[begin:end].max(initial=-np.inf) for begin, end in zip(begins, ends, strict=True)])
    return np.where(np.isfinite(peaks), peaks, np.nan)


def _width(loss: Float[np.ndarray, "steps"]) -> int:
    return max(1, min(10, len(loss) // 4))


def _around(loss: Float[np.ndarray, "steps"], step: Int[np.ndarray, "records"]) -> Float[np.ndarray, "records"]:
    """Mean loss of the few steps that follow each record (those before, at the last)."""
    width = _width(loss)
    starts = np.minimum(np.asarray(step), len(loss) - width)
    with np.errstate(invalid="ignore", over="ignore"):
        means = [loss[start : start + width].mean() for start in starts]
    return np.asarray([loss[0], *means[1:]])


def _in_range(signal: Float[np.ndarray, "records depth"]) -> Float[np.ndarray, "records depth"]:
    return np.where(np.isnan(signal), np.inf, signal)


def _known(values: np.ndarray) -> Float[np.ndarray, "records depth"] | None:
    """None where no layer has an activation."""
    return None if np.isnan(values).all() else np.asarray(values, np.float64)
