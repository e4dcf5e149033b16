"""Integrals of an activation whose inputs were normalised over n numbers: a group of features, or a batch.

Normalising a Gaussian vector of n numbers puts it on a sphere, uniformly: of radius sqrt(n) in n dimensions for the
root mean square, in the n - 1 that are left after centring for layer and batch norm. What follows is exact at any n
for Gaussian pre-activations that are independent over the n numbers; a batch gets there after some layers (Yang,
Pennington, Rao, Sohl-Dickstein & Schoenholz 2019, A mean field theory of batch normalization, whose Theorem 8 for ReLU
the tests hold against it).
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vgbench.mitigations.mean_field import Activation, with_slope

_LEVELS = 240


class Unit(NamedTuple):
    """A normalised signal after its activation.

    Attributes:
        power: what the next linear map multiplies: E[phi^2] of features, Var phi over the examples of a batch.
        mean: E[phi].
        slope: E[phi'^2], before what normalising takes out of the gradient.
        kept: what normalising and activation together multiply the squared gradient by, at a signal of power 1 before.
    """

    power: float
    mean: float
    slope: float
    kept: float


def over_features(activation: Activation, n: int, *, centred: bool) -> Unit:
    """Normalised over n features of one example, whose gradient is independent from feature to feature."""
    dimensions = n - 1 if centred else n
    z, weights = _sphere(dimensions)
    z *= np.sqrt(dimensions)
    values, slopes = with_slope(activation, z)
    power, mean, slope, radial = (float(at @ weights) for at in (values**2, values, slopes**2, (z * slopes) ** 2))
    shrunk = slope - (slope / n if centred else 0) - radial / n
    return Unit(power, mean, slope, shrunk * n / (dimensions - 2))


def over_batch(activation: Activation, n: int) -> Unit:
    """Normalised over a batch of n examples, whose gradient the batch norm one layer on has centred."""
    one = over_features(activation, n, centred=True)
    first, second, weights = _pair(n - 1)
    (value, slope), (other, other_slope) = (with_slope(activation, at) for at in (first, second))
    z, same = _sphere(n - 1)
    z *= np.sqrt(n - 1)
    radial = float((z * with_slope(activation, z)[1]) ** 2 @ same)
    shared = float(slope * other_slope @ weights)
    other_radial = float(first * slope * second * other_slope @ weights)
    shrunk = one.slope - (one.slope - shared) / n - (radial - other_radial) / n
    return one._replace(power=one.power - float(value * other @ weights), kept=shrunk * n / (n - 3))


def growth_of_one_example(activation: Activation) -> float:
    """What batch norm and activation multiply a small excess of one example's variance by, in a large batch.

    Above 1 single examples break out of the batch, and the symmetric state that the integrals assume is not reached.
    """
    reach = 12.0
    g, weights = pieces(-reach, reach, 96)
    weights = weights * np.exp(-(g**2) / 2) / np.sqrt(2 * np.pi)
    values, _ = with_slope(activation, g)
    hermite = (g**2 - 1) / 2 * weights
    mean, square = float(values @ weights), float(values**2 @ weights)
    return float((values**2 @ hermite - 2 * mean * (values @ hermite)) / (square - mean**2))


def kept_correlation(activation: Activation) -> float:
    """What batch norm and activation multiply a small correlation of two examples by, in a large batch: rho.

    The derivative of their normalised covariance, (E phi')^2 / Var phi, which is 1 for a linear activation alone. A
    batch of correlated data reaches its fixed point, at which all pairs are equally far apart, within about
    1 / |ln rho| layers (the Gram matrix's slowest mode in Yang et al. 2019).
    """
    g, weights = pieces(-12.0, 12.0, 96)
    weights = weights * np.exp(-(g**2) / 2) / np.sqrt(2 * np.pi)
    values, slopes = with_slope(activation, g)
    return float((slopes @ weights) ** 2 / (values**2 @ weights - (values @ weights) ** 2))


def pieces(low: float, high: float, count: int) -> tuple[Float[np.ndarray, "nodes"], Float[np.ndarray, "nodes"]]:
    """Gauss-Legendre in an even number of equal pieces, so that a kink in the middle spoils none."""
    nodes, weights = np.polynomial.legendre.leggauss(12)
    half = (high - low) / count / 2
    centers = low + half * (1 + 2 * np.arange(count))
    return (centers[:, None] + half * nodes).ravel(), np.tile(half * weights, count)


def _sphere(dimensions: int) -> tuple[Float[np.ndarray, "nodes"], Float[np.ndarray, "nodes"]]:
    """One coordinate of a uniform point on the unit sphere in so many dimensions, and its weights."""
    reach = min(np.pi / 2, 12 / np.sqrt(dimensions))
    angle, weights = pieces(-reach, reach, 96)
    weights = weights * np.cos(angle) ** (dimensions - 2)
    return np.sin(angle), weights / weights.sum()


def _pair(
    dimensions: int,
) -> tuple[Float[np.ndarray, "nodes"], Float[np.ndarray, "nodes"], Float[np.ndarray, "nodes"]]:
    """Two examples of a normalised batch of dimensions + 1, whose correlation is -1 / dimensions, and their weights."""
    levels, level_weights = np.polynomial.legendre.leggauss(_LEVELS)
    # The squared radius of two coordinates is 1 - v^(2 / (dimensions - 2)), v uniform.
    radius = np.sqrt(-np.expm1(np.log((levels + 1) / 2) * 2 / (dimensions - 2)))
    correlation = -1 / dimensions
    tilt = np.arcsin(-correlation)
    # Sectors between the lines where either is 0, across which a slope may jump.
    edges = [-np.pi / 2, tilt, np.pi / 2, tilt + np.pi, 3 * np.pi / 2]
    sectors = [pieces(low, high, 8) for low, high in pairwise(edges)]
    angle, angle_weights = (np.concatenate(each) for each in zip(*sectors, strict=True))
    x, y = (np.multiply.outer(radius, at(angle)).ravel() * np.sqrt(dimensions) for at in (np.cos, np.sin))
    weights = np.multiply.outer(level_weights / 2, angle_weights / (2 * np.pi)).ravel()
    return x, correlation * x + np.sqrt(1 - correlation**2) * y, weights
