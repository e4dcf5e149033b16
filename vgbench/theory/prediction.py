"""A prediction of the gradient's profile, and how far a measurement departs from it."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

Kind = Literal["exact", "asymptotic", "order"]
"""Holds for the very network; holds as the width grows; says which way and roughly how fast."""

FLAGGED_BEYOND = 3.0
"""Standard errors from which a measurement is said to depart from an asymptotic prediction."""
ROUNDING = 1e-5
"""Decades a layer that an exact prediction may be missed by, in float32."""
_DECIMALS = 12


class NoTheory(Exception):  # noqa: N818  # an answer, not an error
    """Nothing is known of a case; says why."""


@dataclass(frozen=True)
class Prediction:
    """What theory says about dL/dh_l at initialisation.

    Attributes:
        log10_norm: log10 of ||dL/dh_l|| / ||dL/dh_depth||, float64[depth], the layer nearest the input first; the last
            is 0. The mean over networks is that of the squared norm.
        log10_variance: variance over networks of log10(||dL/dh_l|| / ||dL/dh_{l+1}||) at finite width, of one example,
            float64[depth - 1]; 0 where it is exact, NaN where it is not known.
        kind: how much it claims.
        sources: papers, author and year.
        assumptions: what it rests on, a phrase each.
    """

    log10_norm: Float[np.ndarray, "depth"]
    log10_variance: Float[np.ndarray, "gaps"]
    kind: Kind
    sources: tuple[str, ...]
    assumptions: tuple[str, ...]

    @property
    def decay(self) -> float:
        """Slope of log10 ||dL/dh_l|| along the backward path, decades a layer, by least squares; NaN at depth 1."""
        return float(_slope_weights(len(self.log10_norm)) @ self.log10_norm)

    @property
    def log10_first_over_last(self) -> float:
        """log10 of ||dL/dh_1|| / ||dL/dh_depth||."""
        return float(self.log10_norm[0])

    @property
    def decay_spread(self) -> float:
        """Standard deviation of the decay of one network (one seed, one example), decades a layer."""
        weights = np.cumsum(_slope_weights(len(self.log10_norm)))[:-1]
        return float(np.sqrt(weights**2 @ self.log10_variance))


def _slope_weights(depth: int) -> Float[np.ndarray, "depth"]:
    """What each layer's logarithm counts in the decay."""
    if depth < 2:
        return np.full(depth, np.nan)
    back = (depth - 1) / 2 - np.arange(depth)
    return back / (back @ back)


def without_noise(decay: Any) -> Any:
    """Decays, decades a layer, to the 12 decimals that a slope of logarithms of some hundreds is sure of.

    The digits beyond are other ones on another version of NumPy, and a signal that is exactly kept must read 0.
    """
    return np.round(decay, _DECIMALS) + 0.0  # no negative zero


@dataclass(frozen=True)
class Departure:
    """A measured decay beside a predicted one.

    Attributes:
        predicted: decades a layer.
        measured: mean over the seeds.
        standard_error: of their difference: from the seeds' scatter or from the theory's own spread at this width,
            whichever is larger; NaN where neither is known.
        flagged: whether the measurement departs; None where the prediction is of an order only, or nothing is measured.
    """

    predicted: float
    measured: float
    standard_error: float
    flagged: bool | None

    @property
    def standard_errors(self) -> float:
        """Measured minus predicted in standard errors; NaN where both the difference and its error are nothing."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(without_noise(self.measured - self.predicted) / without_noise(self.standard_error))


def compare(prediction: Prediction, decay_per_seed: Float[np.ndarray, "seeds"]) -> Departure:
    """Hold measured decays (as `GradientProfile.decay_per_seed`, decades a layer) against a prediction."""
    seeds = len(decay_per_seed)
    measured, predicted = float(np.mean(decay_per_seed)), prediction.decay
    scatter = float(np.std(decay_per_seed, ddof=1)) if seeds > 1 else 0.0
    spread = prediction.decay_spread
    error = max(scatter, 0.0 if np.isnan(spread) else spread) / seeds**0.5
    if np.isnan(spread) and seeds < 2:
        error = float("nan")
    departure = Departure(predicted, measured, error, None)
    if prediction.kind == "order" or not np.isfinite(measured) or not np.isfinite(predicted):
        return departure
    if prediction.kind == "exact":
        return replace(departure, flagged=abs(measured - predicted) > ROUNDING)
    return replace(departure, flagged=bool(abs(departure.standard_errors) > FLAGGED_BEYOND))


def from_factors(
    factors: Float[np.ndarray, "gaps"],
    variance: Float[np.ndarray, "gaps"] | float,
    kind: Kind,
    sources: tuple[str, ...],
    assumptions: tuple[str, ...],
) -> Prediction:
    """A prediction from what every gap multiplies the squared norm by, the one nearest the input first.

    Args:
        factors: ||dL/dh_l||^2 / ||dL/dh_{l+1}||^2 for l = 1 to depth - 1.
        variance: relative, of each factor over networks.
        kind: how much is claimed.
        sources: papers.
        assumptions: phrases.
    """
    with np.errstate(divide="ignore"):
        steps = np.log10(np.asarray(factors, np.float64)) / 2
    norms = np.append(np.cumsum(steps[::-1])[::-1], 0.0)
    scaled = np.broadcast_to(variance, steps.shape) / (2 * np.log(10)) ** 2
    return Prediction(norms, np.array(scaled, np.float64), kind, sources, assumptions)
