"""What a diagnosis reads, whoever recorded it: one run as plain arrays."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from vgbench.measure.gradients import GradientProfile
from vgbench.measure.training import TrainingCurves
from vgbench.mitigations.mean_field import with_slope
from vgbench.records.schema import CellRecord
from vgbench.spec.registry import ACTIVATIONS, Choice

Flat = Literal["below", "both", "none", "unknown"]
"""Where an activation has no slope: below zero as ReLU, on both sides as tanh, nowhere."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One run. What was not recorded is None; layers count from the input.

    Attributes:
        step: updates made before each record.
        loss: training loss around each record; NaN or infinite where it is so.
        chance: loss of the best constant answer; None if unknown.
        accuracy: on validation data.
        chance_accuracy: of a constant answer.
        signal: log10 ||dL/dh_l||; -inf where it is exactly zero, inf where it left the dtype's range.
        gradient: log10 ||dL/dW_l|| as the optimizer gets it; -inf of zeros alone.
        update: ||update|| / ||W_l||.
        moved: ||W_l - its initial value|| / ||its initial value||.
        zero: share of dL/dW_l that is zero or flushed to it.
        smallest: the smallest number that the gradient's dtype holds, over the scale of the loss; float32's smallest
            normal one where not known.
        saturated: share of units and examples where the activation is flat; NaN in layers that have none.
        dead: share of units that are so for every example, with the same layers.
        scale: log10 of the pre-activations' standard deviation, with the same layers.
        distance: log10(1 - cosine) of different inputs' signals at initialisation.
        flat: where the activation is flat.
        names: of the weights' layers.
    """

    step: Int[np.ndarray, "records"]
    loss: Float[np.ndarray, "records"] | None = None
    chance: float | None = None
    accuracy: Float[np.ndarray, "records"] | None = None
    chance_accuracy: float | None = None
    signal: Float[np.ndarray, "records depth"] | None = None
    gradient: Float[np.ndarray, "records layers"] | None = None
    update: Float[np.ndarray, "records layers"] | None = None
    moved: Float[np.ndarray, "records layers"] | None = None
    zero: Float[np.ndarray, "records layers"] | None = None
    smallest: float = float(np.finfo(np.float32).smallest_normal)
    saturated: Float[np.ndarray, "records depth"] | None = None
    dead: Float[np.ndarray, "records depth"] | None = None
    scale: Float[np.ndarray, "records depth"] | None = None
    distance: Float[np.ndarray, "depth"] | None = None
    flat: Flat = "unknown"
    names: tuple[str, ...] = ()


_CHANCE = {"digits": (np.log(10), 0.1), "adding": (1 / 6, 0.08), "copy_memory": (np.log(8), 1 / 8)}
"""Loss and accuracy of the best constant answer for the data sets that vgbench knows."""


def from_record(record: CellRecord) -> list[Evidence]:
    """The runs of a record, a seed each; of a case that was not trained what its initialisation shows."""
    case, forward = record.case, record.forward
    distance = None if forward is None else forward.log10_pair_distance
    flat = flat_ends(case.activation)
    chance = _CHANCE.get(case.data.name, (None, None))
    if record.training is None:
        return [] if record.gradients is None else _from_profile(record.gradients, distance, flat)
    return from_curves(record.training, dtype=case.dtype, chance=chance, distance=distance, flat=flat)


def from_curves(
    curves: TrainingCurves,
    *,
    dtype: str = "float32",
    chance: tuple[float | None, float | None] = (None, None),
    distance: Float[np.ndarray, "seeds depth"] | None = None,
    flat: Flat = "unknown",
) -> list[Evidence]:
    """The runs of training curves, a seed each.

    Args:
        curves: what training recorded.
        dtype: of the gradients, before the scale of the loss is taken off them.
        chance: loss and accuracy of the best constant answer.
        distance: log10(1 - cosine) at initialisation, as `ForwardProfile` has it.
        flat: where the activation is flat.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.log10(np.asarray(curves.snapshots.preactivation_variance, np.float64)) / 2
    counts = curves.snapshots.gradient_histogram.astype(np.float64)
    zero = counts[..., 0] / np.maximum(counts.sum(axis=-1), 1)
    layers = curves.snapshots.update_to_weight.shape[-1]
    return [
        Evidence(
            step=np.asarray(curves.step),
            loss=_around(np.asarray(curves.loss[seed], np.float64), curves.step),
            chance=chance[0],
            accuracy=np.asarray(curves.validation_accuracy[seed], np.float64),
            chance_accuracy=chance[1],
            signal=_in_range(curves.snapshots.log10_activation_norm[seed]),
            gradient=curves.snapshots.log10_parameter_norm[seed],
            update=curves.snapshots.update_to_weight[seed],
            moved=curves.snapshots.displacement[seed],
            zero=zero[seed],
            smallest=_smallest(dtype) / float(np.median(curves.snapshots.loss_scale[seed])),
            saturated=_known(curves.snapshots.saturated[seed]),
            dead=_known(curves.snapshots.dead[seed]),
            scale=_known(scale[seed]),
            distance=None if distance is None else distance[seed],
            flat=flat,
            names=_numbered(layers),
        )
        for seed in range(len(curves.loss))
    ]


def flat_ends(activation: Choice) -> Flat:
    """Where an activation is flat, by its slopes far from zero."""
    below, above = np.abs(with_slope(partial(ACTIVATIONS.build, activation), np.asarray([-30.0, 30.0]))[1])
    if above > _FLAT:
        return "none" if below > _FLAT else "below"
    return "both"


_FLAT = 1e-3


def _from_profile(profile: GradientProfile, distance: np.ndarray | None, flat: Flat) -> list[Evidence]:
    layers = profile.log10_parameter_norm.shape[1]
    return [
        Evidence(
            step=np.zeros(1, np.int64),
            signal=_in_range(profile.log10_activation_norm[seed][None]),
            gradient=profile.log10_parameter_norm[seed][None],
            distance=None if distance is None else distance[seed],
            flat=flat,
            names=_numbered(layers),
        )
        for seed in range(len(profile.log10_activation_norm))
    ]


def _numbered(layers: int) -> tuple[str, ...]:
    return (*(f"layer {i}" for i in range(1, layers)), "output layer")


def _around(loss: Float[np.ndarray, "steps"], step: Int[np.ndarray, "records"]) -> Float[np.ndarray, "records"]:
    """Mean loss of the few steps that follow each record (those before, at the last)."""
    width = max(1, min(10, len(loss) // 4))
    starts = np.minimum(np.asarray(step), len(loss) - width)
    with np.errstate(invalid="ignore", over="ignore"):
        means = [loss[start : start + width].mean() for start in starts]
    return np.asarray([loss[0], *means[1:]])


def _in_range(signal: Float[np.ndarray, "records depth"]) -> Float[np.ndarray, "records depth"]:
    return np.where(np.isnan(signal), np.inf, signal)


def _smallest(dtype: str) -> float:
    """float16's subnormal numbers count; XLA flushes those of the wider ranges to zero."""
    limits = jnp.finfo(dtype)
    return float(limits.smallest_subnormal if dtype == "float16" else limits.smallest_normal)


def _known(values: np.ndarray) -> Float[np.ndarray, "records depth"] | None:
    """None where no layer has an activation."""
    return None if np.isnan(values).all() else np.asarray(values, np.float64)
