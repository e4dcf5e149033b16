"""Pairs of Gaussian signals after an activation: E[phi(x) phi(y)] and E[phi'(x) phi'(y)], by Hermite series.

With x = sqrt(q) g and a_n(q) = E[phi(sqrt(q) g) He_n(g)] / sqrt(n!), Mehler's formula gives sum_n a_n(q_x) a_n(q_y) c^n
at a correlation of c: the dual of the activation (Daniely, Frostig & Singer 2016). Of a kink, as ReLU's, a_n^2 falls
like n^(-5/2) only, of a jump, as its slope's, like n^(-3/2); what the first terms leave is taken to fall so.
"""

from functools import cache, lru_cache, partial
from typing import TypeAlias

import numpy as np
import scipy
from jaxtyping import Float

from vgbench.mitigations.mean_field import Activation, Curves, with_slope
from vgbench.mitigations.norms import SQUASHING
from vgbench.spec.registry import ACTIVATIONS, Choice
from vgbench.theory.normalised import pieces

Gram: TypeAlias = Float[np.ndarray, "*examples tokens tokens"]
"""For each pair of an example's tokens the mean product of their signals over the width; of gradients the sum."""

_TERMS = 40
_JITTER = 1e-6
_KINK, _JUMP = 5 / 2, 3 / 2
_LOG10_Q = np.linspace(-8, 6, 141)


class Kernels:
    """The pair moments of an activation, at any two variances; beyond 1e-8 and 1e6 it counts as a power law."""

    def __init__(self, activation: Activation) -> None:
        self._curves = Curves(activation)
        g, weights = pieces(-12.0, 12.0, 96)
        weights = weights * np.exp(-(g**2) / 2) / np.sqrt(2 * np.pi)
        hermite = [np.ones_like(g), g]
        for n in range(1, _TERMS - 1):
            hermite.append((g * hermite[-1] - n**0.5 * hermite[-2]) / (n + 1) ** 0.5)
        signals = with_slope(activation, 10 ** (_LOG10_Q / 2)[:, None] * g)
        shares = [(at @ (hermite * weights).T) / np.sqrt((at**2 @ weights)[:, None] + 1e-300) for at in signals]
        self._series = scipy.interpolate.CubicSpline(_LOG10_Q, np.stack(shares, axis=1))

    def value(self, gram: Gram) -> Gram:
        """E[phi(x) phi(y)] of every pair."""
        return self._pairs(gram, self._curves(diagonal(gram)).square, 0, _KINK)

    def slope(self, gram: Gram) -> Gram:
        """E[phi'(x) phi'(y)] of every pair."""
        return self._pairs(gram, self._curves(diagonal(gram)).slope, 1, _JUMP)

    def mean(self, gram: Gram) -> Float[np.ndarray, "*examples tokens"]:
        """E[phi(x)] of every signal."""
        return self._curves(diagonal(gram)).mean

    def _pairs(self, gram: Gram, squares: Float[np.ndarray, "*examples tokens"], which: int, power: float) -> Gram:
        correlation = np.clip(correlations(gram), -1, 1)
        log10_q = np.clip(np.log10(diagonal(gram)), _LOG10_Q[0], _LOG10_Q[-1])
        series = np.moveaxis(self._series(log10_q)[..., which, :], -1, 0)
        pairs = np.zeros_like(correlation)
        for each in series[::-1]:
            pairs = pairs * correlation + each[..., :, None] * each[..., None, :]
        left = np.sqrt(np.maximum(1 - np.square(series).sum(axis=0), 0))
        rest = _rest(power)(np.sqrt(np.arccos(correlation)))
        pairs += left[..., :, None] * left[..., None, :] * rest
        return pairs * np.sqrt(squares[..., :, None] * squares[..., None, :])


@cache
def _rest(power: float) -> scipy.interpolate.CubicSpline:
    """sum_n w_n c^n over n >= `_TERMS`, with w_n in proportion to n^-power and a sum of 1, by the root of arccos c."""
    roots = np.linspace(0, np.pi**0.5, 801)
    c = np.cos(roots**2)
    n = np.arange(_TERMS, 20_000)
    weights = n**-power / np.sum(n**-power)
    return scipy.interpolate.CubicSpline(roots, c**_TERMS * np.polynomial.polynomial.polyval(c, weights))


def diagonal(gram: Gram) -> Float[np.ndarray, "*examples tokens"]:
    """The mean square of every token."""
    return np.diagonal(gram, axis1=-2, axis2=-1)


def sizes(gram: Gram) -> Gram:
    """The products of the root mean squares of every two tokens."""
    root = np.sqrt(diagonal(gram))
    return root[..., :, None] * root[..., None, :]


def correlations(gram: Gram) -> Gram:
    """Every pair's correlation, which is what a norm leaves of wide tokens."""
    return gram / sizes(gram)


def root_of(gram: Gram) -> Gram:
    """A triangular factor, of matrices that may be singular, as where tokens have collapsed."""
    scale = np.sqrt(diagonal(gram))[..., None]
    return scale * np.linalg.cholesky(correlations(gram) + _JITTER * np.eye(gram.shape[-1]))


def kernels_of(activation: Choice) -> Kernels:
    """Those of an activation."""
    return _kernels(activation, None)  # pyright: ignore[reportArgumentType]  # frozen, so hashable


def squashed_kernels(norm: Choice) -> Kernels:
    """Those of a norm that squashes every number."""
    return _kernels(None, norm)  # pyright: ignore[reportArgumentType]


@lru_cache(maxsize=32)
def _kernels(activation: Choice | None, norm: Choice | None) -> Kernels:
    if activation:
        return Kernels(partial(ACTIVATIONS.build, activation))
    assert norm
    squash, alpha = SQUASHING[norm.name], norm.options()["alpha"]
    return Kernels(lambda z: squash(alpha * z))
