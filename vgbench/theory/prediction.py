"""A prediction of the gradient's profile, and whether a measurement departs from it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from vgbench.statistics import p_differs, slope

Kind = Literal["exact", "asymptotic", "order"]
"""Holds for the very network; holds as the width grows; says which way and roughly how fast."""

IN_FACTORS = 1e-10
"""Decades a layer that rounding in float64 puts into a prediction at most: a factor is a sum over some thousand nodes
of a quadrature, each with the rounding of what it is computed from; of convolutions they have up to 6e-12. A smaller
decay is 0."""
LEVEL = 0.001
"""The p below which a measurement is said to depart from an asymptotic prediction: strict, since tables have many rows.
Of 50 rows of which all are predicted rightly, one is called departing in one table of 20."""
ROUNDING = 10
"""Decades a layer up to which rounding makes a measurement differ from a prediction, in spacings of the dtype at 1."""


class NoTheory(Exception):  # noqa: N818  # an answer, not an error
    """No theory covers a case; its message says why."""


@dataclass(frozen=True)
class Prediction:
    """The norms of dL/dh_l at initialisation by theory.

    Attributes:
        log10_norm: log10 of ||dL/dh_l|| / ||dL/dh_depth||, float64[depth], the layer nearest the input first; the last
            is 0. The mean over networks is that of the squared norm; of its logarithm where networks are drawn.
        kind: how strong the prediction is.
        sources: papers, author and year.
        assumptions: what it rests on, a phrase each.
    """

    log10_norm: Float[np.ndarray, "depth"]
    kind: Kind
    sources: tuple[str, ...]
    assumptions: tuple[str, ...]

    @property
    def decay(self) -> float:
        """Slope of log10 ||dL/dh_l|| along the backward path, decades a layer, by least squares; NaN at depth 1."""
        found = slope(np.arange(len(self.log10_norm), dtype=np.float64), self.log10_norm)
        return 0.0 if abs(found) < IN_FACTORS else -found

    @property
    def log10_first_over_last(self) -> float:
        """log10 of ||dL/dh_1|| / ||dL/dh_depth||."""
        return float(self.log10_norm[0])


@dataclass(frozen=True)
class Departure:
    """A measured decay compared with a predicted one.

    Attributes:
        predicted: decades a layer.
        measured: mean over the seeds.
        p: of a two-sided t-test over the seeds that the mean measured decay is the predicted one; NaN where there is no
            test: the prediction is exact or of an order, there is one seed, or nothing is measured.
        departs: whether p is below `LEVEL`, or an exact prediction is missed by more than rounding; None where neither
            is known.
    """

    predicted: float
    measured: float
    p: float
    departs: bool | None


def compare(prediction: Prediction, decay_per_seed: Float[np.ndarray, "seeds"], epsilon: float = 2.0**-23) -> Departure:
    """Hold measured decays (as `GradientProfile.decay_per_seed`, decades a layer) against a prediction.

    The scatter is that of the seeds, each of which has a network and a batch of its own. Theory would know that of one
    example's gradient. A batch scatters less, but its examples share the weights: by how much less depends on how alike
    their gradients are, which differs from a seventh to the whole among the networks of the built-in suites.

    Args:
        prediction: of the case.
        decay_per_seed: as measured.
        epsilon: spacing of the measurement's dtype at 1; float32's by default.
    """
    measured, predicted = float(np.mean(decay_per_seed)), prediction.decay
    nothing = float("nan")
    if prediction.kind == "order" or not np.isfinite([measured, predicted]).all():
        return Departure(predicted, measured, nothing, None)
    within_rounding = abs(measured - predicted) <= ROUNDING * epsilon
    if prediction.kind == "exact":
        return Departure(predicted, measured, nothing, not within_rounding)
    if len(decay_per_seed) < 2:
        return Departure(predicted, measured, nothing, None)
    if within_rounding:
        return Departure(predicted, measured, 1.0, departs=False)
    p = p_differs(decay_per_seed, predicted)
    return Departure(predicted, measured, p, p < LEVEL)


def in_words(p: float) -> str:
    """A p as text, to three decimals."""
    return "p < 0.001" if p < 0.001 else f"p {p:.3f}"


def from_factors(
    factors: Float[np.ndarray, "gaps *sizes"],
    kind: Kind,
    sources: tuple[str, ...],
    assumptions: tuple[str, ...],
    last: float | Float[np.ndarray, "sizes"] = 1.0,
) -> Prediction:
    """A prediction from what every gap multiplies the squared norm by, the one nearest the input first.

    Args:
        factors: ||dL/dh_l||^2 / ||dL/dh_{l+1}||^2 for l = 1 to depth - 1. Where examples of several sizes have factors
            of their own, the batch has equally many of each.
        kind: how much is claimed.
        sources: papers.
        assumptions: phrases.
        last: squared gradients of the sizes in the last layer, in any unit.
    """
    by_size = np.asarray(factors, np.float64)
    by_size = by_size[:, None] if by_size.ndim == 1 else by_size
    with np.errstate(divide="ignore"):
        squares = np.cumsum(np.log(by_size)[::-1], axis=0)[::-1]
    share = np.broadcast_to(last, by_size.shape[1:]) / np.sum(np.broadcast_to(last, by_size.shape[1:]))
    mean = logsumexp(squares, axis=1, b=share)
    return Prediction(np.append(mean / (2 * np.log(10)), 0.0), kind, sources, assumptions)
