"""Batch norm and activation of a wide layer on correlated examples, by Gram matrices of the batch.

Over a batch a unit's pre-activations are z ~ N(0, K). If every unit had the same variance over the batch, the layer's
Gram matrix would have a closed form. It differs from unit to unit, which 1 / B of the batch, or more of correlated
examples, is of: that part is drawn, with fresh units in each layer. What is linear in z is the same in both, as
E[z z^T / |z|^2] is an integral over one variable. So what is drawn is small where an activation is nearly linear, and
there alone its errors add up over many layers (Yang et al. 2019, whose Laplace method the integral is).
"""

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from jaxtyping import Float

from vgbench.mitigations.mean_field import Activation, centred_variance, with_slope
from vgbench.spec.registry import ACTIVATIONS, Choice
from vgbench.theory.kernels import kernels_of
from vgbench.theory.normalised import kept_correlation

Pairs = Float[np.ndarray, "batch batch"]
Units = Float[np.ndarray, "units batch"]

_LOG_TIMES = np.linspace(-25, 25, 201)


@dataclass(frozen=True)
class BatchUnit:
    """The units of a layer.

    Attributes:
        activation: of the case.
        norm_first: whether the norm comes before the activation.
        draws: units that are drawn in a layer.
        random: draws them.
    """

    activation: Choice
    norm_first: bool
    draws: int
    random: np.random.Generator

    def forward(self, gram: Pairs) -> tuple[Pairs, Float[np.ndarray, "batch"]]:
        """The Gram matrix, and the mean, of what the layer makes of pre-activations."""
        if self.norm_first:
            return self._normalised_and_activated(_unit(centred(gram)))
        return self._activated_and_normalised(gram)

    def backward(self, read: Pairs, gradient: Pairs) -> Pairs:
        """The gradient's Gram matrix by the pre-activations, of that by the layer's outputs."""
        if self.norm_first:
            roots = roots_of(centred(read))
            z = self._drawn(roots)
            deviation = _deviation(z)
            x = z / deviation
            slopes = with_slope(self._function, x)[1] / deviation
            as_drawn = np.mean(1 / np.square(deviation))
            found = centred(_back_through(x, slopes, gradient, slopes_last=False))
            return found * _mean_inverse(roots) / as_drawn
        z = self._drawn(roots_of(read))
        values, slopes = with_slope(self._function, z)
        values -= values.mean(axis=1, keepdims=True)
        deviation = _deviation(values)
        return _back_through(values / deviation, slopes / deviation, centred(gradient), slopes_last=True)

    def _normalised_and_activated(self, gram: Pairs) -> tuple[Pairs, Float[np.ndarray, "batch"]]:
        roots = roots_of(gram)
        z = self._drawn(roots)
        x = _standardised(z)
        (own, _), (typical, _) = with_slope(self._function, x), with_slope(self._function, z)
        kernels, linear = kernels_of(self.activation), self._kept * centred_variance(self._function)
        drawn = _pairs(own) - _pairs(typical) - linear * (_pairs(x) - _pairs(z))
        mean = kernels.mean(gram) + (own - typical).mean(axis=0)
        return kernels.value(gram) + drawn + linear * (_directions(roots) - gram), mean

    def _activated_and_normalised(self, gram: Pairs) -> tuple[Pairs, Float[np.ndarray, "batch"]]:
        z = self._drawn(roots_of(gram))
        active = with_slope(self._function, z)[0]
        active -= active.mean(axis=1, keepdims=True)
        z -= z.mean(axis=1, keepdims=True)
        kernels = kernels_of(self.activation)
        whole, before, mean = centred(kernels.value(gram)), centred(gram), kernels.mean(gram)
        own, typical = _standardised(active), active / _size(whole) ** 0.5
        x, z = _standardised(z), z / _size(before) ** 0.5
        drawn = _pairs(own) - _pairs(typical) - self._kept * (_pairs(x) - _pairs(z))
        before = _unit(before)
        linear = _directions(roots_of(before)) - before
        mean = (mean - mean.mean()) / _size(whole) ** 0.5 + (own - typical).mean(axis=0)
        return _unit(whole) + drawn + self._kept * linear, mean

    @cached_property
    def _function(self) -> Activation:
        return partial(ACTIVATIONS.build, self.activation)

    @cached_property
    def _kept(self) -> float:
        return kept_correlation(self._function)

    def _drawn(self, roots: "Roots") -> Units:
        return self.random.normal(size=(self.draws, len(roots.scales))) @ roots.root.T


@dataclass(frozen=True)
class Roots:
    """Principal axes of a batch: unit vectors in columns, and deviations along them."""

    vectors: Pairs
    scales: Float[np.ndarray, "batch"]

    @property
    def root(self) -> Pairs:
        """R, with R R^T the Gram matrix: the symmetric one, as rounding decides the signs of the axes in others."""
        return (self.vectors * self.scales) @ self.vectors.T


def roots_of(gram: Pairs) -> Roots:
    """Those of a Gram matrix, whose variances what is drawn may have left a little below 0."""
    variances, vectors = np.linalg.eigh(gram)
    return Roots(vectors, np.sqrt(np.maximum(variances, 0)))


def _directions(roots: Roots) -> Pairs:
    """B E[z z^T / |z|^2]: along each axis an integral over t."""
    weights, shrunk = _over_times(roots)
    along = len(roots.scales) * roots.scales**2 * (weights @ shrunk)
    return (roots.vectors * along) @ roots.vectors.T


def _mean_inverse(roots: Roots) -> float:
    """E[B / |z|^2]."""
    return float(len(roots.scales) * _over_times(roots)[0].sum())


def _over_times(roots: Roots) -> tuple[Float[np.ndarray, "times"], Float[np.ndarray, "times batch"]]:
    """The weights of 1 / |z|^2 = int exp(-t |z|^2) dt, and what a time multiplies each variance by."""
    variances = roots.scales**2
    times = np.exp(_LOG_TIMES) / variances.sum()
    shrunk = 1 / (1 + 2 * times[:, None] * variances)
    return np.sqrt(shrunk.prod(axis=1)) * times * (_LOG_TIMES[1] - _LOG_TIMES[0]), shrunk


def _back_through(x: Units, slopes: Units, gradient: Pairs, *, slopes_last: bool) -> Pairs:
    """The mean over units of J^T gradient J, with J of 1 - x x^T / B and of slopes, in either order."""
    units, batch = x.shape
    u = x / batch**0.5
    if slopes_last:
        v = u @ gradient
        along = (u * v).sum(axis=1, keepdims=True)
        u, v = u * slopes, v * slopes
    else:
        v = slopes * ((slopes * u) @ gradient)
        v -= v.mean(axis=1, keepdims=True)
        along = (u * v).sum(axis=1, keepdims=True)
    crossed = u.T @ v
    return gradient * _pairs(slopes) + (u.T @ (along * u) - crossed - crossed.T) / units


def centred(gram: Pairs) -> Pairs:
    """Without the mean over the batch, on both sides."""
    gram = gram - gram.mean(axis=0)
    return gram - gram.mean(axis=1, keepdims=True)


def _size(gram: Pairs) -> float:
    return float(np.trace(gram)) / len(gram)


def _unit(gram: Pairs) -> Pairs:
    return gram / _size(gram)


def _pairs(at: Units) -> Pairs:
    return at.T @ at / len(at)


def _deviation(z: Units) -> Float[np.ndarray, "units 1"]:
    """Root mean square over the batch; not quite 0 of units that are off for all examples, which stay so."""
    return np.sqrt(np.square(z).mean(axis=1, keepdims=True) + np.finfo(np.float64).tiny)


def _standardised(z: Units) -> Units:
    return z / _deviation(z)
