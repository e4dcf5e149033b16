"""What a diagnosis reads, whoever recorded it: one run as plain arrays."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

Flat = Literal["below", "both", "none", "unknown"]
"""Where an activation has no slope: below zero as ReLU, on both sides as tanh, nowhere."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One run. What was not recorded is None, or NaN where some records or layers have it.

    Layers are arrays of weights, places are points of the forward pass; both count from the input.

    Attributes:
        step: updates made before each record.
        loss: finite training loss around each record.
        peak: largest finite training loss that is known since the record before.
        nonfinite_loss: whether a training loss since the record before was not finite.
        nonfinite_since: the first step with a number that is not finite, by "loss", "gradients", "updates" and
            "parameters"; None where it is not known.
        validation_loss: on data that are not trained on.
        accuracy: on such data.
        target: accuracy, or without accuracies validation loss, from which the run counts as trained; None without one.
        chance: training loss of the best constant answer; None if unknown.
        chance_accuracy: accuracy of the best constant answer; None if unknown.
        input_scale: the larger of |mean| and standard deviation of the inputs.
        signal: log10 ||dL/dh_l||; -inf where it is exactly zero, inf where it left the dtype's range.
        gradient: log10 ||dL/dW_l|| as the optimizer gets it; -inf of zeros alone.
        bias: log10 ||dL/db_l|| of the layer's bias; -inf where it is exactly zero, NaN where it has none.
        fan_in: numbers of W_l for each of its bias; NaN where it has none.
        weight: log10 ||W_l||; -inf of zeros alone.
        update: ||update|| / ||W_l||; 0 where nothing is added, inf where W_l is 0 and something is.
        moved: ||W_l - its initial value|| / ||its initial value||.
        zero: share of dL/dW_l that is zero or flushed to it.
        nonfinite: share of dL/dW_l that is not finite.
        histogram: shares of |g| as `vgbench.watched` has them.
        swallowed: share of the updated numbers of W_l that the dtype rounds back.
        cosine: of the update and the negative gradient.
        smallest: the smallest number that the gradient's dtype holds, over the scale of the loss; None if unknown.
        saturated: share of units and examples where the activation is flat; NaN in places that have none.
        dead: share of units that are so for every example, with the same places.
        scale: log10 of the pre-activations' (or outputs') scale.
        distance: log10(1 - cosine) of different inputs' signals.
        largest_logit: largest magnitude of an attention score.
        flat: where the activation is flat.
        bounded: whether a place's activation is flat on both sides; None where the activations are not known by place.
        timed: whether places are time steps, which share their weights.
        invariant: whether the optimizer is invariant to the gradient's scale; None if unknown.
        names: of the layers.
        places: of the points of the forward pass.
    """

    step: Int[np.ndarray, "records"]
    loss: Float[np.ndarray, "records"] | None = None
    peak: Float[np.ndarray, "records"] | None = None
    nonfinite_loss: Bool[np.ndarray, "records"] | None = None
    nonfinite_since: Mapping[str, int] | None = None
    validation_loss: Float[np.ndarray, "records"] | None = None
    accuracy: Float[np.ndarray, "records"] | None = None
    target: float | None = None
    chance: float | None = None
    chance_accuracy: float | None = None
    input_scale: float | None = None
    signal: Float[np.ndarray, "records places"] | None = None
    gradient: Float[np.ndarray, "records layers"] | None = None
    bias: Float[np.ndarray, "records layers"] | None = None
    fan_in: Float[np.ndarray, "records layers"] | None = None
    weight: Float[np.ndarray, "records layers"] | None = None
    update: Float[np.ndarray, "records layers"] | None = None
    moved: Float[np.ndarray, "records layers"] | None = None
    zero: Float[np.ndarray, "records layers"] | None = None
    nonfinite: Float[np.ndarray, "records layers"] | None = None
    histogram: Float[np.ndarray, "records layers bins"] | None = None
    swallowed: Float[np.ndarray, "records layers"] | None = None
    cosine: Float[np.ndarray, "records layers"] | None = None
    smallest: float | None = None
    saturated: Float[np.ndarray, "records places"] | None = None
    dead: Float[np.ndarray, "records places"] | None = None
    scale: Float[np.ndarray, "records places"] | None = None
    distance: Float[np.ndarray, "records places"] | None = None
    largest_logit: Float[np.ndarray, "records places"] | None = None
    flat: Flat = "unknown"
    bounded: Bool[np.ndarray, "places"] | None = None
    timed: bool = False
    invariant: bool | None = None
    names: tuple[str, ...] = ()
    places: tuple[str, ...] = ()

    def bounded_at(self, place: int) -> bool:
        """Whether the activation at a place is flat on both sides, as far as that is known."""
        return self.flat == "both" if self.bounded is None else bool(self.bounded[place])
