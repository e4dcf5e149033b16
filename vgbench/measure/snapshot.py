"""A snapshot of training: the exact profile, weights, pre-activations and gradient of a state on one batch."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int

from vgbench.boundary.schema import Each
from vgbench.instruments.probe import log10_norms
from vgbench.measure.backward import DIVIDED, TRAINED, passes
from vgbench.measure.bounds import COUNT, LOG10, RATIO, SHARE
from vgbench.measure.matrices import Squares, counts, norms, squares
from vgbench.measure.preactivation import Preactivation, activation_of, describe
from vgbench.measure.profile import Divided, Norms, Profile, ratio, whole
from vgbench.measure.step import Batch, Params, Rate, TrainState, move_along
from vgbench.mitigations.loss_scaling import LossScaling
from vgbench.models import Network
from vgbench.spec.case import Case


class Snapshot(NamedTuple):
    """One state on one batch, in training mode, as the device leaves it: `Snapshots.of` makes the rest of it.

    Attributes:
        backward: the divided pass, without its weights.
        squares: of the weights, their difference from the initial ones, the update that the optimizer would make now,
            and their gradient, by the divided pass unless they are shared.
        counts: of the entries of the gradient as the optimizer gets it, as `counts` says, Int[layers, 3, bins].
        preactivation: of every hidden layer, Float[depth] each.
        loss_scale: Float[]; 1 without loss scaling.
        skipped: steps left out so far, Int[].
    """

    backward: Divided
    squares: Squares
    counts: Array
    preactivation: Preactivation
    loss_scale: Array
    skipped: Array


@dataclass(frozen=True)
class Snapshots:
    """The snapshots of several runs, one at each of `TrainingCurves.step`.

    Each shows one state on one batch, the seed's first one, in training mode: the inputs are the same in all of them,
    and at step 0 the state and the batch are those of `measure_gradients`. The snapshot of a state that is no longer
    finite holds NaN or infinity. `depth` counts layers, or the time steps of a recurrent network; `layers` those with
    weights of their own: all layers and the output layer, or the cells and the output layer.

    Attributes:
        log10_activation_norm: log10 ||dL/dh_l||, float64[seeds, snapshots, depth]; exact as in `GradientProfile`.
        log10_parameter_norm: log10 ||dL/dW_l||, the output layer last, float64[seeds, snapshots, layers]; equally
            exact.
        log10_state_norm: as in `GradientProfile`, float64[seeds, snapshots, depth, states].
        log10_kind_norm: as in `GradientProfile`, float64[seeds, snapshots, depth, kinds].
        gradient_histogram: counts of log2|g| over the entries g of dL/dW_l as the optimizer gets it, by plain
            backpropagation, int32[seeds, snapshots, layers, bins]; `GRADIENT_BINS` defines the bins.
        zero_share: share of the entries of dL/dW_l that are exactly 0, [seeds, snapshots, layers].
        subnormal_share: share of those that are below the dtype's smallest normal number, zeros included, as
            backpropagation gives them with the loss scale; the same shape.
        update_to_weight: ||update|| / ||W_l|| of the update that the optimizer would make next, float64[seeds,
            snapshots, layers]; infinite where W_l is 0.
        log10_weight_norm: log10 ||W_l||, float64[seeds, snapshots, layers].
        displacement: ||W_l - its initial value|| / ||its initial value||, float64[seeds, snapshots, layers]; of a
            layer that starts at 0, NaN until it moves and infinite after.
        preactivation_mean: mean of a layer's pre-activations over units and examples, [seeds, snapshots, depth]; NaN,
            as the next four, where a layer has no activation.
        preactivation_variance: their variance, the same shape.
        mean_slope: mean `|phi'|`, the same shape.
        saturated: share of units and examples where `|phi'|` is below 5 % of its largest value, the same shape.
        dead: share of units that are so for every example, the same shape.
        loss_scale: what the loss is multiplied by, [seeds, snapshots].
        skipped_steps: steps so far that dynamic loss scaling left out, [seeds, snapshots].
    """

    log10_activation_norm: Annotated[Float64[np.ndarray, "seeds snapshots depth"], LOG10]
    log10_parameter_norm: Annotated[Float64[np.ndarray, "seeds snapshots layers"], LOG10]
    log10_state_norm: Annotated[Float64[np.ndarray, "seeds snapshots depth states"], LOG10]
    log10_kind_norm: Annotated[Float64[np.ndarray, "seeds snapshots depth kinds"], LOG10]
    gradient_histogram: Annotated[Int[np.ndarray, "seeds snapshots layers bins"], COUNT]
    zero_share: Annotated[Float[np.ndarray, "seeds snapshots layers"], SHARE]
    subnormal_share: Annotated[Float[np.ndarray, "seeds snapshots layers"], SHARE]
    update_to_weight: Annotated[Float64[np.ndarray, "seeds snapshots layers"], RATIO]
    log10_weight_norm: Annotated[Float64[np.ndarray, "seeds snapshots layers"], LOG10]
    displacement: Annotated[Float64[np.ndarray, "seeds snapshots layers"], RATIO]
    preactivation_mean: Float[np.ndarray, "seeds snapshots depth"]
    preactivation_variance: Annotated[Float[np.ndarray, "seeds snapshots depth"], RATIO]
    mean_slope: Annotated[Float[np.ndarray, "seeds snapshots depth"], RATIO]
    saturated: Annotated[Float[np.ndarray, "seeds snapshots depth"], SHARE]
    dead: Annotated[Float[np.ndarray, "seeds snapshots depth"], SHARE]
    loss_scale: Annotated[Float[np.ndarray, "seeds snapshots"], Each(1e-30, 1e30)]
    skipped_steps: Annotated[Int[np.ndarray, "seeds snapshots"], COUNT]

    @classmethod
    def of(cls, taken: Snapshot) -> "Snapshots":
        """The same of a `Snapshot` of arrays [seeds, snapshots, ...], its norms as logarithms or ratios in numpy."""
        (weight, _), (moved, _), (update, _), _ = norms(taken.squares)
        activation, parameter, state, kind, _ = profile_of(taken)
        counted = np.asarray(taken.counts)
        of_parts = counted.sum(axis=-1)
        with np.errstate(invalid="ignore"):  # of a layer without matrices
            shares = (of_parts / of_parts.sum(axis=-1, keepdims=True)).astype(np.float32)
        _, subnormal, zero = np.moveaxis(shares, -1, 0)
        return cls(
            log10_activation_norm=log10_norms(*activation),
            log10_parameter_norm=log10_norms(*parameter),
            log10_state_norm=log10_norms(*state),
            log10_kind_norm=log10_norms(*kind),
            gradient_histogram=counted.sum(axis=-2, dtype=np.int32),
            zero_share=zero,
            subnormal_share=zero + subnormal,
            update_to_weight=ratio(update, weight),
            log10_weight_norm=log10_norms(*weight),
            displacement=ratio(moved, Norms(weight.mantissa[:, :1], weight.exponent[:, :1])),
            preactivation_mean=np.asarray(taken.preactivation.mean),
            preactivation_variance=np.asarray(taken.preactivation.variance),
            mean_slope=np.asarray(taken.preactivation.slope),
            saturated=np.asarray(taken.preactivation.saturated),
            dead=np.asarray(taken.preactivation.dead),
            loss_scale=np.asarray(taken.loss_scale),
            skipped_steps=np.asarray(taken.skipped),
        )


def profile_of(taken: Snapshot) -> Profile:
    """The profile of the gradient in a snapshot of arrays with any leading axes, in numpy."""
    *_, (parameter, kind) = norms(taken.squares)
    taps = taken.backward.taps._replace(parameter=np.stack(parameter, axis=-1), kind=np.stack(kind, axis=-1))
    return whole(taken.backward._replace(taps=taps))


def snapshot(network: Network, case: Case, state: TrainState, initial: Params, batch: Batch, rate: Rate) -> Snapshot:
    """Take a snapshot of a state; `initial` are the parameters that training started from."""
    scale, params = state.scale, state.variables.params
    describe_given = partial(describe, dtype=network.dtype, activation=activation_of(case))
    found = passes(network, state.variables, *batch, scale and scale.value, describe_given)
    # What several layers use has the sum of their gradients.
    _, summed = jax.vjp(network.by_use, params)
    (gradients,) = summed(found.gradients[TRAINED])
    move = move_along(network, case, state, gradients, found.loss, found.output.stats, rate)
    displacement = jax.tree.map(jnp.subtract, params, initial)
    of_weights = map(network.by_use, (params, displacement, move.updates))
    tiny = float(jnp.finfo(network.dtype).smallest_normal)
    scale = scale or LossScaling(1.0).start()
    return Snapshot(
        backward=Divided(found.taps[DIVIDED], found.output.largest, network.shared),
        squares=squares(network, *of_weights, found.gradients[found.exact]),
        counts=counts(network, network.by_use(move.gradients), scale.value, tiny),
        preactivation=found.output.described,
        loss_scale=scale.value,
        skipped=scale.skipped,
    )
